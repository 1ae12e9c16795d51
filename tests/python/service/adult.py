"""The census example of AWS's bias and attribution notebooks: its data, its model, and what AWS's analyzer said of both."""

import json
import math
from collections.abc import Iterable
from typing import Any

import churn
from endpoints import archive
from resources import REGISTRY

BIAS = churn.GOLDENS / "bias"
BASELINE = BIAS / "adult-linear-baseline"
LIVE = BIAS / "adult-linear-live-jsonlines"
ATTRIBUTIONS = churn.GOLDENS / "explainability/adult-linear-shap-baseline"

DATASET = (BASELINE / "dataset.jsonl").read_text()
RECORDS: list[dict[str, Any]] = [json.loads(line) for line in DATASET.splitlines()]
MODEL: dict[str, Any] = json.loads((BASELINE / "model.json").read_text())
CONFIG: dict[str, Any] = json.loads((BASELINE / "analysis_config.json").read_text())
FEATURES: list[str] = MODEL["features"]
EXPECTED: dict[str, Any] = json.loads((BASELINE / "expected_analysis.json").read_text())
LIVE_CASE: dict[str, Any] = json.loads((LIVE / "case.json").read_text())
LIVE_METRICS: dict[str, Any] = json.loads((LIVE / "live_metrics.json").read_text())
VIOLATIONS: list[dict[str, Any]] = json.loads((LIVE / "observed_violations.json").read_text())["violations"]
ROWS: list[dict[str, Any]] = [json.loads(line) for line in (LIVE / "rows.jsonl").read_text().splitlines()]
EXACT: dict[str, Any] = json.loads((ATTRIBUTIONS / "exact_global.json").read_text())
SHAP_CONFIG: dict[str, Any] = json.loads((ATTRIBUTIONS / "analysis_config.json").read_text())
CAPTURES: int = LIVE_CASE["captures"]["count"]

IMAGE = f"{REGISTRY}/linear-learner:1"
CLARIFY = f"{REGISTRY}/sagemaker-clarify-processing:1.0"
TEMPLATE = '{"features":$features}'
STAGES = {"post_training_bias_metrics": "Post-Training", "pre_training_bias_metrics": "Pre-training"}
COMPLETED = "Completed: SageMaker XAI Analyzer ran successfully"


def model_archive() -> bytes:
    return archive({"model.json": json.dumps(MODEL)})


def csv(rows: Iterable[list[Any]]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def features_and_labels() -> str:
    """The data set as CSV, the label last."""
    return csv([*record["features"], record["label"]] for record in RECORDS)


def score(features: list[float]) -> float:
    """What the model says of a record, by Python's own arithmetic."""
    total = math.fsum(weight * value for weight, value in zip(MODEL["weights"], features, strict=True))
    return 1 / (1 + math.exp(-total - MODEL["bias"]))


def difference_in_positives(records: Iterable[tuple[list[Any], int]]) -> float:
    """DPPL by its definition: the share of predicted positives of all others, less that of the facet Sex = 0."""
    labels: dict[int, list[int]] = {0: [], 1: []}
    for features, positive in records:
        labels[features[FEATURES.index("Sex")]].append(positive)
    others, facet = (sum(labels[sex]) / len(labels[sex]) for sex in (1, 0))
    return others - facet


def assert_same(ours: Any, expected: Any, place: str = "", tolerance: float = 1e-9, flip_test: float = 1e-9) -> None:
    """Every member of what is expected, in its order; numbers within the tolerance, that of the flip test within its own."""
    if isinstance(expected, dict):
        assert isinstance(ours, dict), f"{place}: {ours}"
        known = [name for name in ours if name in expected]
        assert known == list(expected), f"{place}: {list(ours)} for {list(expected)}"
        tolerance = flip_test if expected.get("name") == "FT" else tolerance
        for name, value in expected.items():
            assert_same(ours[name], value, f"{place}.{name}", tolerance, flip_test)
    elif isinstance(expected, list):
        assert len(ours) == len(expected), f"{place}: {len(ours)} for {len(expected)}"
        for number, (one, other) in enumerate(zip(ours, expected, strict=True)):
            assert_same(one, other, f"{place}[{number}]", tolerance, flip_test)
    elif isinstance(expected, float):
        assert abs(ours - expected) <= tolerance, f"{place}: {ours} for {expected}"
    else:
        assert ours == expected, f"{place}: {ours} for {expected}"


def assert_violations(ours: list[dict[str, Any]], expected: list[dict[str, Any]] = VIOLATIONS) -> None:
    """The same entries in the same order; the numbers in the texts are equal but for their last digits."""
    named = [(entry["facet"], entry["facet_value"], entry["metric_name"]) for entry in ours]
    assert named == [(entry["facet"], entry["facet_value"], entry["metric_name"]) for entry in expected]
    for one, other in zip(ours, expected, strict=True):
        assert one.keys() == other.keys() and one["constraint_check_type"] == other["constraint_check_type"]
        tolerance = 0.02 if one["metric_name"] == "FT" else 1e-9
        for word, wanted in zip(one["description"].split(" "), other["description"].split(" "), strict=True):
            if word != wanted:
                assert abs(float(word) - float(wanted)) <= tolerance, f"{one} for {other}"


def metrics(analysis: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """The values of an analysis with one facet entry, by stage and name."""
    found = {}
    for section, stage in STAGES.items():
        ((entry,),) = analysis[section]["facets"].values()
        found |= {(stage, metric["name"]): metric["value"] for metric in entry["metrics"]}
    return found


def attributions(analysis: dict[str, Any]) -> dict[str, float]:
    """The global values of an analysis of one score."""
    (label,) = analysis["explanations"]["kernel_shap"].values()
    return label["global_shap_values"]


def ndcg(baseline: dict[str, float], live: dict[str, float]) -> float:
    """The gain of the live order by the baseline's values, ties of live values averaged, beside the best there is."""
    discounts = [1 / math.log2(place + 2) for place in range(len(baseline))]
    gained, place = 0.0, 0
    for value in sorted(set(live.values()), reverse=True):
        tied = [name for name in baseline if live[name] == value]
        share = sum(discounts[place : place + len(tied)]) / len(tied)
        gained += share * sum(baseline[name] for name in tied)
        place += len(tied)
    best = sum(
        value * discount for value, discount in zip(sorted(baseline.values(), reverse=True), discounts, strict=True)
    )
    return gained / best
