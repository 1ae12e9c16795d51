"""The customer churn example: its data set, and the real outputs of AWS's analyzer for it that the crates keep."""

import datetime
import json
import re
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

from endpoints import capture_record

ROOT = Path(__file__).resolve().parents[3]
BASELINE = ROOT / "examples/churn/baseline.csv"
GOLDENS = ROOT / "crates/analyzer/tests/goldens"
STUDENTS = ROOT / "crates/formats/tests/goldens/students-2021/baseline"
# A score between 0 and 1: the column `Churn` of the baseline holds whole numbers.
SCORE = "0.014719"


def violations_of_every_run() -> list[dict[str, Any]]:
    return json.loads((GOLDENS / "churn-monitoring/expected_runs.json").read_text())["runs"]


def columns_with_violations() -> set[str]:
    return set(
        json.loads((GOLDENS / "churn-monitoring/expected_runs.json").read_text())["columns_with_data_type_violation"]
    )


RUN = violations_of_every_run()[1]
"""The run of May 2021 with 1,915 records and 60 violations."""


def traffic(rows: int) -> list[str]:
    """The requests that were replayed: the first 180 rows once, then the whole file again and again."""
    lines = (GOLDENS / "churn-monitoring/test-dataset-input-cols.csv").read_text().splitlines()
    return list(islice(chain(lines[:180], cycle(lines)), rows))


def capture(rows: int, time: datetime.datetime) -> str:
    """One capture file, in the form that an endpoint writes."""
    lines = []
    for number, row in enumerate(traffic(rows)):
        part = {"observedContentType": "text/csv", "encoding": "CSV"}
        metadata = {"eventId": str(number), "inferenceTime": time.strftime("%Y-%m-%dT%H:%M:%SZ")}
        lines.append(json.dumps(capture_record(part, row, SCORE, metadata), separators=(",", ":")) + "\n")
    return "".join(lines)


def capture_key(endpoint: str, time: datetime.datetime) -> str:
    return f"{endpoint}/AllTraffic/{time:%Y/%m/%d/%H}/00-00-000-{endpoint}.jsonl"


def assert_violations(document: dict[str, Any]) -> None:
    """What AWS found in the run: 60 violations, and the ten of them that were recorded word for word."""
    violations = document["violations"]
    assert len(violations) == 60
    for observed in RUN["first_ten_observed"]:
        assert observed in violations


# What the second generation of the analyzer added to the documents.
SECOND_GENERATION = {
    "statistics": [
        ("numerical_statistics", "approximate_num_distinct_values"),
        ("numerical_statistics", "completeness"),
    ]
    + [("string_statistics", "completeness")],
    "constraints": [
        ("distribution_constraints", "categorical_comparison_threshold"),
        ("distribution_constraints", "categorical_drift_method"),
    ],
}


class Number(str):
    """A number of a document as its text: 1.0 and 1 are not the same."""


def document(text: str) -> dict[str, Any]:
    return json.loads(text, parse_float=Number, parse_int=Number)


def first_generation(kind: str, tree: Any, name: str = "") -> Any:
    """The document without what the second generation added; `name` is the member that holds the tree."""
    if isinstance(tree, list):
        return [first_generation(kind, item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    kept = {key: value for key, value in tree.items() if (name, key) not in SECOND_GENERATION[kind]}
    return {key: first_generation(kind, value, key) for key, value in kept.items()}


def print_document(tree: Any, indent: str = "") -> str:
    """The layout of AWS's files: two spaces a level, ` : `, and objects of a list on the bracket's line."""
    inner = indent + "  "
    if isinstance(tree, dict):
        if not tree:
            return "{ }"
        members = (
            f"{inner}{json.dumps(key, ensure_ascii=False)} : {print_document(value, inner)}"
            for key, value in tree.items()
        )
        return "{\n" + ",\n".join(members) + "\n" + indent + "}"
    if isinstance(tree, list):
        return "[ " + ", ".join(print_document(item, indent) for item in tree) + " ]" if tree else "[ ]"
    return str(tree) if isinstance(tree, Number) else json.dumps(tree, ensure_ascii=False)


def assert_students_baseline(statistics: str, constraints: str) -> None:
    """Documents of the students data set against the original bytes."""
    for kind, ours in (("statistics", statistics), ("constraints", constraints)):
        theirs = (STUDENTS / f"{kind}.json").read_text(encoding="utf-8")
        assert print_document(document(theirs)) == theirs, "the layout is not the one of the golden"
        assert print_document(first_generation(kind, document(ours))) == theirs


def assert_churn_baseline(statistics: str, constraints: str) -> None:
    """Documents of the churn data set against AWS's: every constraint, and the statistics that were published."""
    theirs = json.loads((GOLDENS / "churn-baseline/constraints.json").read_text())
    assert first_generation("constraints", json.loads(constraints)) == theirs
    theirs = json.loads((GOLDENS / "churn-baseline/statistics.partial.json").read_text())
    ours = first_generation("statistics", json.loads(statistics))
    assert ours["dataset"] == theirs["dataset"]
    features = {feature["name"]: feature for feature in ours["features"]}
    assert len(theirs["features"]) == 33
    for feature in theirs["features"]:
        if "sketch" not in feature["numerical_statistics"]["distribution"]["kll"]:
            features[feature["name"]]["numerical_statistics"]["distribution"]["kll"].pop("sketch")
        assert features[feature["name"]] == feature


def job_arns(text: str) -> list[str]:
    return re.findall(r"arn:aws:sagemaker:[a-z0-9-]+:\d{12}:processing-job/[a-z0-9-]+", text)
