"""The example of the README: its data can be made again, and shows what its story says."""

import subprocess
import sys
from pathlib import Path

from watchkeeper import VIOLATIONS, Watchkeeper


def test_the_current_data_is_what_its_script_writes(churn: Path, tmp_path: Path) -> None:
    again = tmp_path / "current.csv"
    subprocess.run([sys.executable, churn / "drift.py", again], check=True)
    assert again.read_bytes() == (churn / "current.csv").read_bytes()


def test_the_check_finds_the_story(watchkeeper: Watchkeeper, churn: Path) -> None:
    outcome = watchkeeper.check(churn / "current.csv", churn / "baseline.csv")
    assert outcome.status == VIOLATIONS
    assert outcome.violations("data_type_check") == {
        "Intl Calls": "Data type match requirement is not met. Expected data type: Integral, Expected match: 100.0%. "
        "Observed: Only 45.0% of data is Integral."
    }
    assert outcome.violations("completeness_check") == {
        "Account Length": "Data completeness requirement is not met. Expected: 100.0%. Observed: Only 88.9%."
    }
    assert set(outcome.violations("baseline_drift_check")) == {"Day Mins", "Night Mins"}
    assert len(outcome.violations()) == 4


def test_the_exact_rule_sees_columns_with_few_values_too(watchkeeper: Watchkeeper, churn: Path) -> None:
    settings = {"WATCHKEEPER_DRIFT": "exact"}
    outcome = watchkeeper.check(churn / "current.csv", churn / "baseline.csv", settings=settings)
    assert set(outcome.violations("baseline_drift_check")) == {"Day Mins", "Night Mins", "CustServ Calls"}


def test_the_baseline_does_not_drift_from_itself(watchkeeper: Watchkeeper, churn: Path) -> None:
    assert watchkeeper.check(churn / "baseline.csv", churn / "baseline.csv").violations() == {}
