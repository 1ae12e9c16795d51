from pathlib import Path

import pytest

from watchkeeper import CHURN, Watchkeeper, program


@pytest.fixture
def watchkeeper(tmp_path: Path) -> Watchkeeper:
    return Watchkeeper(program(), tmp_path)


@pytest.fixture(scope="session")
def churn() -> Path:
    """The folder of the customer churn example."""
    return CHURN
