"""The threat model names the test that holds each of its lines: they are there."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[4]
PAGE = (PROJECT / "docs/threat-model.md").read_text(encoding="utf-8")
LINES = [line for line in PAGE.splitlines() if line.startswith("| ") and line.count("|") == 4 and "held by" not in line]
NAMED = re.compile(r"`([a-z_0-9/]+\.(?:py|rs))::([a-z_0-9]+)`|`fuzz/([a-z_0-9]+)`")


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip()[:60])
def test_each_line_is_held_by_a_test(line: str) -> None:
    named = NAMED.findall(line)
    assert named, line
    for path, name, target in named:
        if target:
            assert (PROJECT / f"fuzz/targets/{target}.rs").is_file(), target
            continue
        crate, _, rest = path.partition("/")
        file = (
            PROJECT / f"tests/python/service/{path}"
            if crate == "attacks"
            else PROJECT / f"crates/{crate}/tests/it/{rest}"
        )
        assert re.search(rf"(?:def|fn) {name}\b", file.read_text(encoding="utf-8")), f"{path} has no {name}"


def test_there_are_lines() -> None:
    assert len(LINES) > 35
