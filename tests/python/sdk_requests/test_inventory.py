"""The committed list of what the package has is what this package has."""

import inventory


def test_the_list_is_that_of_the_package() -> None:
    assert inventory.FILE.read_text() == inventory.text(), "run `python tests/python/sdk_requests/inventory.py`"
