"""Model quality: the recorded window of AWS's churn monitor, and records of captures and labels in the forms of AWS."""

import csv
import datetime
import json
import re
from collections.abc import Iterable
from typing import Any

import churn
from endpoints import capture_record

WINDOW = churn.GOLDENS / "model-quality/churn-live-window-a"
CASE: dict[str, Any] = json.loads((WINDOW / "case.json").read_text())
CONSTRAINTS = (WINDOW / "constraints.json").read_text()
EXPECTED: dict[str, Any] = CASE["expected"]
HOUR = datetime.datetime(2021, 5, 26, 0, tzinfo=datetime.UTC)
TICK = HOUR + datetime.timedelta(hours=1)
VIOLATION = re.compile(r"Metric (\w+) with (\S+) \+/- (\S+) was (\w+) '(\S+)'")
# The metrics of a binary classification that CloudWatch gets.
PUBLISHED = {"recall", "precision", "accuracy", "auc", "f0_5", "f1", "f2"}
PUBLISHED |= {f"{name}_rate" for name in ("true_positive", "true_negative", "false_positive", "false_negative")}
PUBLISHED |= {
    f"{name}_best_constant_classifier" for name in ("recall", "precision", "accuracy", "f0_5", "f1", "f2")
}  # fmt: skip


def scores_and_labels() -> list[tuple[str, str]]:
    """Probability and ground truth of the 334 customers, as they stand in the file."""
    with open(WINDOW / "scores_and_ground_truth.csv", newline="", encoding="utf-8") as file:
        return [(row["probability"], row["ground_truth"]) for row in csv.DictReader(file)]


def capture_line(
    answer: str, event: str, time: datetime.datetime, inference_id: str | None = None, encoding: str = "CSV"
) -> str:
    content_type = "text/csv; charset=utf-8" if encoding == "CSV" else "application/json"
    metadata = {"eventId": event, "inferenceTime": f"{time:%Y-%m-%dT%H:%M:%SZ}"}
    if inference_id is not None:
        metadata["inferenceId"] = inference_id
    part = {"observedContentType": content_type, "encoding": encoding}
    return json.dumps(capture_record(part, "1,2,3", answer, metadata), separators=(",", ":")) + "\n"


def label_record(event: str, label: Any, encoding: str = "CSV") -> dict[str, Any]:
    return {
        "groundTruthData": {"data": label, "encoding": encoding},
        "eventMetadata": {"eventId": event},
        "eventVersion": "0",
    }


def label_lines(labels: Iterable[tuple[str, str]]) -> str:
    return "".join(json.dumps(label_record(event, label)) + "\n" for event, label in labels)


def window_captures() -> str:
    """The 1817 captures: the customers in turn, one a second."""
    rows = scores_and_labels()
    start = datetime.datetime.fromisoformat(CASE["captures"]["start"])
    return "".join(
        capture_line(rows[k % len(rows)][0], f"event-{k}", start + datetime.timedelta(seconds=k), str(k % len(rows)))
        for k in range(CASE["captures"]["count"])
    )


def window_labels() -> str:
    return label_lines((str(number), label) for number, (_, label) in enumerate(scores_and_labels()))


def close(ours: float, theirs: float) -> bool:
    return abs(ours - theirs) <= CASE["abs_tol"]


def assert_window_statistics(statistics: dict[str, Any]) -> None:
    """The metrics of the recorded window, every one that the record holds."""
    assert statistics["dataset"]["item_count"] == EXPECTED["item_count"]
    metrics = statistics["binary_classification_metrics"]
    assert metrics["confusion_matrix"] == EXPECTED["confusion_matrix"]
    for name, value in EXPECTED["metrics"].items():
        assert close(metrics[name]["value"], value), (name, metrics[name], value)
        assert 0 < metrics[name]["standard_deviation"] < 0.1
    assert close(metrics["accuracy_best_constant_classifier"]["value"], EXPECTED["majority_share"])


def assert_window_violations(violations: list[dict[str, Any]]) -> None:
    """The recorded texts word for word but for the spread, which is random there, and `f0_5`, which AWS never reports."""
    observed = json.loads((WINDOW / "observed_violations.json").read_text())["violations"]
    ours = {violation["metric_name"]: violation for violation in violations}
    assert len(ours) == len(violations) == len(observed) + 1
    assert ours.keys() - {violation["metric_name"] for violation in observed} == {"f0_5"}
    for theirs in observed:
        found = ours[theirs["metric_name"]]
        assert found.keys() == theirs.keys()
        assert found["constraint_check_type"] == theirs["constraint_check_type"]
        here, there = VIOLATION.fullmatch(found["description"]), VIOLATION.fullmatch(theirs["description"])
        assert here and there, found["description"]
        for group in (1, 4, 5):
            assert here[group] == there[group], (here[0], there[0])
        assert close(float(here[2]), float(there[2])), (here[0], there[0])
