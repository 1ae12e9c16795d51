"""The program under test, driven as a user drives it: arguments in, files and an exit status out."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHURN = Path(__file__).resolve().parents[2] / "examples" / "churn"
NOTHING_FOUND, VIOLATIONS, FAILED = 0, 1, 2
SECONDS = 120


def program() -> Path:
    path = os.environ.get("WATCHKEEPER")
    if path is None:
        pytest.exit("WATCHKEEPER must name the program under test; `cargo xtask test --only referees` sets it", 2)
    return Path(path).resolve()


def clean_environment() -> dict[str, str]:
    """Settings of whoever runs the tests must not reach the program."""
    return {key: value for key, value in os.environ.items() if not key.startswith("WATCHKEEPER")}


def analyze(
    program: Path, image: str, root: Path, variables: dict[str, str], *options: str
) -> "subprocess.CompletedProcess[str]":
    """A job of a processing image as the service starts it; the job's files lie below the root."""
    return subprocess.run(
        [program, "analyze", image, *options],
        env=clean_environment() | {"WATCHKEEPER_JOB_ROOT": str(root)} | variables,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@dataclass
class Outcome:
    """A run that has ended, and the folder it wrote to."""

    status: int
    stdout: str
    stderr: str
    folder: Path

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def features(self, name: str) -> dict[str, dict[str, Any]]:
        """The features of a document by name, in the document's order."""
        features = json.loads(self.text(name))["features"]
        by_name = {feature["name"]: feature for feature in features}
        assert len(by_name) == len(features), "feature names repeat"
        return by_name

    def statistics(self) -> dict[str, dict[str, Any]]:
        return self.features("statistics.json")

    def item_count(self) -> int:
        return json.loads(self.text("statistics.json"))["dataset"]["item_count"]

    def document(self, name: str) -> dict[str, Any]:
        return json.loads(self.text(name))

    def violations(self, check: str | None = None) -> dict[str, str]:
        """Descriptions of the violations (of one check type) by feature. As with AWS, no file means that there are none."""
        if not (self.folder / "constraint_violations.json").exists():
            return {}
        violations = json.loads(self.text("constraint_violations.json"))["violations"]
        return {
            violation["feature_name"]: violation["description"]
            for violation in violations
            if check in (None, violation["constraint_check_type"])
        }


@dataclass
class Watchkeeper:
    """Runs the program; every run writes to a new folder below `scratch`."""

    program: Path
    scratch: Path
    runs: int = 0

    def run(self, *arguments: str | Path, settings: dict[str, str] | None = None, stdin: bytes = b"") -> Outcome:
        self.runs += 1
        folder = self.scratch / f"run-{self.runs}"
        ended = subprocess.run(
            [self.program, *arguments, "-o", folder],
            input=stdin,
            capture_output=True,
            env=clean_environment() | (settings or {}),
            timeout=SECONDS,
            check=False,
        )
        return Outcome(ended.returncode, ended.stdout.decode(), ended.stderr.decode(), folder)

    def baseline(self, dataset: str | Path, *options: str, **settings: Any) -> Outcome:
        outcome = self.run("baseline", dataset, *options, **settings)
        assert outcome.status == NOTHING_FOUND, outcome.stderr
        return outcome

    def quality_baseline(self, dataset: str | Path, problem_type: str, *options: str, **settings: Any) -> Outcome:
        outcome = self.run("quality", "baseline", dataset, "--problem-type", problem_type, *options, **settings)
        assert outcome.status == NOTHING_FOUND, outcome.stderr
        return outcome

    def check(self, dataset: str | Path, baseline: str | Path, *options: str, **settings: Any) -> Outcome:
        outcome = self.run("check", dataset, "--baseline", baseline, *options, **settings)
        assert outcome.status in (NOTHING_FOUND, VIOLATIONS), outcome.stderr
        assert (outcome.status == VIOLATIONS) == bool(outcome.violations()), "exit status and violations disagree"
        return outcome
