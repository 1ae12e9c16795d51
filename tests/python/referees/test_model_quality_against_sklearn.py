"""Model quality: scikit-learn computes the metrics from the same predictions and labels.

Where the two have other conventions the test says so: scikit-learn has no point (1, 1) behind a curve that ends there, ends its
precision-recall curve at precision 1, and leaves what one class alone does not define open.
"""

import csv
import json
import math
import re
import subprocess
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics
from sklearn.dummy import DummyClassifier

from watchkeeper import FAILED, NOTHING_FOUND, VIOLATIONS, Outcome, Watchkeeper, analyze

CLOSE = {"rel": 1e-12, "abs": 1e-15}
BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
LESS, GREATER = "LessThanThreshold", "GreaterThanThreshold"
LABELS = ("--inference-attribute", "prediction", "--ground-truth-attribute", "label")
SCORES = ("--probability-attribute", "score", "--ground-truth-attribute", "label")
BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
SECTIONS = {
    BINARY: "binary_classification_metrics",
    MULTICLASS: "multiclass_classification_metrics",
    REGRESSION: "regression_metrics",
}
WORSE = {
    BINARY: {
        "recall": LESS,
        "precision": LESS,
        "accuracy": LESS,
        "true_positive_rate": LESS,
        "true_negative_rate": LESS,
        "false_positive_rate": GREATER,
        "false_negative_rate": GREATER,
        "auc": LESS,
        "f0_5": LESS,
        "f1": LESS,
        "f2": LESS,
    },
    MULTICLASS: {
        "accuracy": LESS,
        "weighted_recall": LESS,
        "weighted_precision": LESS,
        "weighted_f0_5": LESS,
        "weighted_f1": LESS,
        "weighted_f2": LESS,
    },
    REGRESSION: {"mae": GREATER, "mse": GREATER, "rmse": GREATER, "r2": LESS},
}
"""What makes a metric worse than its baseline, in the order of the documents."""


def write_rows(path: Path, columns: dict[str, Iterable[Any]]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def metrics_of(outcome: Outcome, problem_type: str) -> dict[str, Any]:
    return outcome.document("statistics.json")[SECTIONS[problem_type]]


def values_of(section: dict[str, Any]) -> dict[str, float | str]:
    """The scalar metrics without their spread."""
    return {name: metric["value"] for name, metric in section.items() if "value" in metric}


def quietly(score: Any, *arguments: Any, **options: Any) -> Any:
    """scikit-learn warns of what one class alone leaves undefined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return score(*arguments, **options)


# Binary classification


@dataclass
class Binary:
    truth: np.ndarray
    score: np.ndarray
    threshold: float = 0.5
    given: np.ndarray | None = None
    """Predictions that are not those of the threshold."""

    @property
    def prediction(self) -> np.ndarray:
        return (self.score > self.threshold).astype(int) if self.given is None else self.given

    def expected(self) -> dict[str, float]:
        truth, prediction = self.truth, self.prediction
        (tn, fp), (fn, tp) = metrics.confusion_matrix(truth, prediction, labels=[0, 1])
        constant = (
            DummyClassifier(strategy="most_frequent").fit(truth.reshape(-1, 1), truth).predict(truth.reshape(-1, 1))
        )
        recall = quietly(metrics.recall_score, truth, prediction, zero_division=0)
        false_positive_rate = fp / (fp + tn) if fp + tn else 0.0
        expected = {
            "recall": recall,
            "precision": metrics.precision_score(truth, prediction, zero_division=0),
            "accuracy": metrics.accuracy_score(truth, prediction),
            "recall_best_constant_classifier": metrics.recall_score(truth, constant, zero_division=0),
            "precision_best_constant_classifier": metrics.precision_score(truth, constant, zero_division=0),
            "accuracy_best_constant_classifier": metrics.accuracy_score(truth, constant),
            "true_positive_rate": recall,
            "true_negative_rate": 1 - false_positive_rate,
            "false_positive_rate": false_positive_rate,
            "false_negative_rate": 1 - recall,
            "auc": self.auc(),
        }
        for answers, suffix in ((prediction, ""), (constant, "_best_constant_classifier")):
            for name, beta in BETAS.items():
                expected[name + suffix] = metrics.fbeta_score(truth, answers, beta=beta, zero_division=0)
        assert tp + fn == truth.sum()
        return expected

    def has_both_classes(self) -> bool:
        return 0 < self.truth.sum() < len(self.truth)

    def auc(self) -> float:
        # One class alone: the curve is that of the guide's example, which goes up first and then to the right.
        return metrics.roc_auc_score(self.truth, self.score) if self.has_both_classes() else float(self.truth[0])

    def roc_points(self) -> tuple[list[float], list[float]]:
        false_positive, true_positive, _ = quietly(metrics.roc_curve, self.truth, self.score, drop_intermediate=False)
        points = [np.nan_to_num(rates, nan=0.0).tolist() + [1.0] for rates in (false_positive, true_positive)]
        return points[0], points[1]

    def precision_recall_points(self) -> tuple[list[float], list[float]]:
        precision, recall, _ = quietly(metrics.precision_recall_curve, self.truth, self.score, drop_intermediate=False)
        precisions, recalls = precision[:-1][::-1].tolist(), recall[:-1][::-1].tolist()
        if not self.truth.any():
            recalls = [0.0] * len(recalls)
        return [precisions[0], *precisions], [0.0, *recalls]

    def write(self, path: Path) -> Path:
        scores = [repr(float(score)) for score in self.score]
        return write_rows(path, {"label": self.truth, "score": scores, "prediction": self.prediction})

    def assert_agrees(self, section: dict[str, Any]) -> None:
        assert values_of(section) == pytest.approx(self.expected(), **CLOSE)
        matrix = metrics.confusion_matrix(self.truth, self.prediction, labels=[0, 1]).tolist()
        assert section["confusion_matrix"] == {
            str(actual): {str(predicted): matrix[actual][predicted] for predicted in (0, 1)} for actual in (0, 1)
        }
        roc = section["receiver_operating_characteristic_curve"]
        false_positive_rates, true_positive_rates = self.roc_points()
        assert roc["false_positive_rates"] == pytest.approx(false_positive_rates, **CLOSE)
        assert roc["true_positive_rates"] == pytest.approx(true_positive_rates, **CLOSE)
        curve = section["precision_recall_curve"]
        precisions, recalls = self.precision_recall_points()
        assert curve["precisions"] == pytest.approx(precisions, **CLOSE)
        assert curve["recalls"] == pytest.approx(recalls, **CLOSE)


def scored(kind: str, size: int, seed: int) -> Binary:
    """Truths and scores that go together somewhat."""
    generator = np.random.default_rng(seed)
    truth = (generator.random(size) < 0.4).astype(int)
    score = np.clip(generator.normal(0.35 + 0.3 * truth, 0.25), 0, 1)
    match kind:
        case "distinct":
            pass
        case "ties":
            score = np.round(score, 1)
        case "all-tied":
            score = np.full(size, 0.25)
        case "outside-0-1":
            score = generator.normal(truth * 2.0, 3.0) * 1e4
        case "threshold-is-a-score":
            score = np.round(score, 2)
        case "only-positives":
            truth = np.ones(size, dtype=int)
        case "only-negatives":
            truth = np.zeros(size, dtype=int)
        case "never-predicted":
            score = score * 0.5
        case "always-predicted":
            score = 0.5 + (score + 0.01) / 2.1
        case "one-positive":
            truth = np.zeros(size, dtype=int)
            truth[size // 3] = 1
        case "one-negative":
            truth = np.ones(size, dtype=int)
            truth[size // 3] = 0
        case "tiny-differences":
            score = 0.5 + (generator.integers(-3, 4, size) * np.finfo(float).eps)
        case _:
            raise ValueError(kind)
    return Binary(truth, score, 0.37 if kind == "threshold-is-a-score" else 0.5)


KINDS = (
    "distinct", "ties", "all-tied", "outside-0-1", "threshold-is-a-score", "only-positives", "only-negatives",
    "never-predicted", "always-predicted", "one-positive", "one-negative", "tiny-differences",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 7, 199, 5_000])
def test_binary_classification(watchkeeper: Watchkeeper, kind: str, size: int) -> None:
    data = scored(kind, size, seed=size)
    path = data.write(watchkeeper.scratch / "scored.csv")
    threshold = ("--probability-threshold-attribute", str(data.threshold))
    outcome = watchkeeper.quality_baseline(path, BINARY, *SCORES, *threshold)
    data.assert_agrees(metrics_of(outcome, BINARY))
    assert outcome.item_count() == size


def test_predictions_of_another_rule_than_the_threshold(watchkeeper: Watchkeeper) -> None:
    """With an inference attribute the scores serve the curves alone."""
    data = scored("ties", 3_000, seed=5)
    data.given = 1 - data.prediction
    path = data.write(watchkeeper.scratch / "scored.csv")
    outcome = watchkeeper.quality_baseline(path, BINARY, *LABELS, "--probability-attribute", "score")
    data.assert_agrees(metrics_of(outcome, BINARY))


def test_predictions_without_scores_have_no_curves(watchkeeper: Watchkeeper) -> None:
    data = scored("distinct", 2_000, seed=6)
    path = data.write(watchkeeper.scratch / "scored.csv")
    section = metrics_of(watchkeeper.quality_baseline(path, BINARY, *LABELS), BINARY)
    expected = data.expected()
    del expected["auc"]
    assert values_of(section) == pytest.approx(expected, **CLOSE)
    assert not [name for name in section if name.endswith("_curve")]


def test_extreme_imbalance(watchkeeper: Watchkeeper) -> None:
    """Three positives in two hundred thousand rows, and the same the other way round."""
    generator = np.random.default_rng(11)
    for minority in (1, 0):
        truth = np.full(200_000, 1 - minority)
        truth[[17, 60_000, 199_999]] = minority
        data = Binary(truth, np.round(generator.random(len(truth)) ** 3, 4))
        path = data.write(watchkeeper.scratch / "scored.csv")
        section = metrics_of(watchkeeper.quality_baseline(path, BINARY, *SCORES), BINARY)
        data.assert_agrees(section)


def test_rows_with_missing_values_are_left_out(watchkeeper: Watchkeeper) -> None:
    """Every spelling of not-a-number, infinity and nothing, in labels and in scores."""
    data = scored("ties", 1_000, seed=12)
    missing = ["", "NaN", "nan", "inf", "-inf", "Infinity", "-Infinity", "null", "n/a", " ", "+Inf"]
    truth, score = [str(value) for value in data.truth], [repr(float(value)) for value in data.score]
    for number, text in enumerate(missing):
        truth[number * 7] = text
        score[number * 7 + 3] = text
    lost = [number * 7 + shift for number in range(len(missing)) for shift in (0, 3)]
    kept = np.setdiff1d(np.arange(len(truth)), lost)
    path = write_rows(watchkeeper.scratch / "scored.csv", {"label": truth, "score": score})
    outcome = watchkeeper.quality_baseline(path, BINARY, *SCORES)
    assert outcome.item_count() == len(kept)
    Binary(data.truth[kept], data.score[kept]).assert_agrees(metrics_of(outcome, BINARY))


def test_json_lines_with_every_spelling_of_a_label(watchkeeper: Watchkeeper) -> None:
    data = scored("distinct", 400, seed=13)
    spellings = {0: [0, False, "0", "0.0", "false", "FALSE"], 1: [1, True, "1", "1.0", "True", 1.0]}
    lines = [
        json.dumps({"result": {"scores": [1 - score, score]}, "label": spellings[int(truth)][number % 6]})
        for number, (truth, score) in enumerate(zip(data.truth, data.score, strict=True))
    ]
    path = watchkeeper.scratch / "scored.jsonl"
    path.write_text("\n".join(lines) + "\n")
    attributes = ("--probability-attribute", "result.scores", "--ground-truth-attribute", "label")
    outcome = watchkeeper.quality_baseline(path, BINARY, *attributes, "--dataset-format", '{"json":{"lines":true}}')
    data.assert_agrees(metrics_of(outcome, BINARY))


# Multiclass classification


@dataclass
class Multiclass:
    truth: Sequence[str]
    prediction: Sequence[str]

    def expected(self) -> dict[str, float]:
        column = np.zeros((len(self.truth), 1))
        constant = DummyClassifier(strategy="most_frequent").fit(column, self.truth).predict(column)
        expected = {}
        for answers, suffix in ((self.prediction, ""), (constant, "_best_constant_classifier")):
            options = {"average": "weighted", "zero_division": 0}
            expected[f"accuracy{suffix}"] = metrics.accuracy_score(self.truth, answers)
            expected[f"weighted_recall{suffix}"] = metrics.recall_score(self.truth, answers, **options)
            expected[f"weighted_precision{suffix}"] = metrics.precision_score(self.truth, answers, **options)
            for name, beta in BETAS.items():
                score = metrics.fbeta_score(self.truth, answers, beta=beta, **options)
                expected[f"weighted_{name}{suffix}"] = score
        return expected

    def assert_agrees(self, section: dict[str, Any], order: list[str]) -> None:
        assert values_of(section) == pytest.approx(self.expected(), **CLOSE)
        matrix = quietly(metrics.confusion_matrix, self.truth, self.prediction, labels=order).tolist()
        expected = {actual: dict(zip(order, row, strict=True)) for actual, row in zip(order, matrix, strict=True)}
        assert section["confusion_matrix"] == expected
        assert list(section["confusion_matrix"]) == order, "the order of the classes"
        assert all(list(row) == order for row in section["confusion_matrix"].values())


def guesses(classes: Sequence[str], shares: Sequence[float], size: int, seed: int) -> Multiclass:
    """Six of ten predictions are right."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(np.array(classes, dtype=object), size, p=shares)
    other = generator.choice(np.array(classes, dtype=object), size)
    right = generator.random(size) < 0.6
    return Multiclass(truth.tolist(), np.where(right, truth, other).tolist())


@pytest.mark.parametrize(
    ("classes", "shares"),
    [
        pytest.param(["cat", "dog", "owl"], [0.5, 0.3, 0.2], id="three"),
        pytest.param(["Zebra", "apfel", "Äpfel", "zoë, the 'cat'", 'a "quoted" one', "日本"], [1 / 6] * 6, id="texts"),
        pytest.param(["a", "b"], [0.9999, 0.0001], id="imbalance"),
        pytest.param([f"class {number:03}" for number in range(150)], [1 / 150] * 150, id="many"),
        pytest.param(["-2", "0", "3", "10", "21"], [0.2] * 5, id="numbers"),
        pytest.param(["1", "2", "10", "x"], [0.25] * 4, id="mixed"),
    ],
)
def test_multiclass_classification(watchkeeper: Watchkeeper, classes: list[str], shares: list[float]) -> None:
    data = guesses(classes, shares, 20_000, seed=len(classes))
    path = write_rows(watchkeeper.scratch / "labels.csv", {"label": data.truth, "prediction": data.prediction})
    section = metrics_of(watchkeeper.quality_baseline(path, MULTICLASS, *LABELS), MULTICLASS)
    seen = set(data.truth) | set(data.prediction)
    numeric = all(re.fullmatch("-?[0-9]+", name) for name in seen)
    data.assert_agrees(section, sorted(seen, key=int) if numeric else sorted(seen))


def test_classes_that_one_side_alone_has(watchkeeper: Watchkeeper) -> None:
    """`d` is never predicted, `x` is never true, `c` is always mistaken."""
    truth = ["a", "b", "c", "d"] * 100 + ["a"] * 50
    prediction = ["a", "x", "a", "b"] * 100 + ["x"] * 25 + ["a"] * 25
    path = write_rows(watchkeeper.scratch / "labels.csv", {"label": truth, "prediction": prediction})
    section = metrics_of(watchkeeper.quality_baseline(path, MULTICLASS, *LABELS), MULTICLASS)
    Multiclass(truth, prediction).assert_agrees(section, ["a", "b", "c", "d", "x"])


@pytest.mark.parametrize(
    ("truth", "prediction"),
    [(["a"], ["a"]), (["a"], ["b"]), (["a"] * 300, ["a"] * 300), (["a"] * 300, ["b"] * 300)],
    ids=["one-right", "one-wrong", "one-class", "no-class-in-common"],
)
def test_few_classes(watchkeeper: Watchkeeper, truth: list[str], prediction: list[str]) -> None:
    path = write_rows(watchkeeper.scratch / "labels.csv", {"label": truth, "prediction": prediction})
    section = metrics_of(watchkeeper.quality_baseline(path, MULTICLASS, *LABELS), MULTICLASS)
    Multiclass(truth, prediction).assert_agrees(section, sorted(set(truth + prediction)))


def test_numbers_are_the_same_class_however_they_are_written(watchkeeper: Watchkeeper) -> None:
    """What users met as `0.0 +/- 0.0` everywhere: a model that answers 1.0 where the label is 1."""
    data = guesses(["0", "1", "2"], [0.3, 0.3, 0.4], 1_000, seed=21)
    spellings = ["{}", "{}.0", " {}", "{}.00 "]
    prediction = [spellings[number % 4].format(label) for number, label in enumerate(data.prediction)]
    path = write_rows(watchkeeper.scratch / "labels.csv", {"label": data.truth, "prediction": prediction})
    section = metrics_of(watchkeeper.quality_baseline(path, MULTICLASS, *LABELS), MULTICLASS)
    data.assert_agrees(section, ["0", "1", "2"])


def test_the_largest_of_the_probabilities_is_the_prediction(watchkeeper: Watchkeeper) -> None:
    generator = np.random.default_rng(22)
    probabilities = np.round(generator.dirichlet([1.0, 1.0, 1.0, 1.0], 600), 1)
    truth = generator.integers(0, 4, len(probabilities))
    path = watchkeeper.scratch / "scored.jsonl"
    lines = [
        json.dumps({"p": row.tolist(), "label": int(label)}) for row, label in zip(probabilities, truth, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    attributes = ("--probability-attribute", "p", "--ground-truth-attribute", "label")
    outcome = watchkeeper.quality_baseline(path, MULTICLASS, *attributes, "--dataset-format", '{"json":{"lines":true}}')
    # NumPy too gives the first of several largest.
    prediction = [str(number) for number in probabilities.argmax(axis=1)]
    data = Multiclass([str(label) for label in truth], prediction)
    data.assert_agrees(metrics_of(outcome, MULTICLASS), ["0", "1", "2", "3"])


# Regression


def expected_regression(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float | str]:
    mean_squared_error = metrics.mean_squared_error(truth, prediction)
    return {
        "mae": metrics.mean_absolute_error(truth, prediction),
        "mse": mean_squared_error,
        "rmse": math.sqrt(mean_squared_error),
        "r2": metrics.r2_score(truth, prediction),
    }


def measured_regression(watchkeeper: Watchkeeper, truth: Iterable[Any], prediction: Iterable[Any]) -> Outcome:
    columns = {"label": truth, "prediction": prediction}
    texts = {
        name: [value if isinstance(value, str) else repr(float(value)) for value in values]
        for name, values in columns.items()
    }
    return watchkeeper.quality_baseline(write_rows(watchkeeper.scratch / "values.csv", texts), REGRESSION, *LABELS)


@pytest.mark.parametrize("kind", ["normal", "ties", "wide", "tiny", "heavy-tails", "zeros"])
@pytest.mark.parametrize("size", [2, 150, 10_000])
def test_regression(watchkeeper: Watchkeeper, kind: str, size: int) -> None:
    generator = np.random.default_rng(size)
    truth, noise = generator.normal(size=size), generator.normal(size=size)
    match kind:
        case "ties":
            truth, noise = generator.integers(0, 3, size).astype(float), generator.integers(-1, 2, size).astype(float)
            truth[:2], noise[0] = (0, 1), 1.0
        case "wide":
            truth, noise = truth * 1e12, noise * 1e11
        case "tiny":
            truth, noise = truth * 1e-12, noise * 1e-12
        case "heavy-tails":
            truth, noise = generator.standard_cauchy(size), generator.standard_cauchy(size)
        case "zeros":
            # The one-pass rule passes over labels that are zero.
            truth[generator.random(size) < 0.7] = 0.0
            truth[0] = 1.5
    prediction = truth + noise
    measured = values_of(metrics_of(measured_regression(watchkeeper, truth, prediction), REGRESSION))
    assert measured == pytest.approx(expected_regression(truth, prediction), rel=1e-11)


def test_labels_that_are_all_the_same(watchkeeper: Watchkeeper) -> None:
    truth, prediction = np.full(300, 4.0), np.linspace(1, 7, 300)
    measured = values_of(metrics_of(measured_regression(watchkeeper, truth, prediction), REGRESSION))
    expected = expected_regression(truth, prediction) | {"r2": "NaN"}
    assert {name: measured[name] for name in ("mae", "mse", "rmse")} == pytest.approx(
        {name: expected[name] for name in ("mae", "mse", "rmse")}, **CLOSE
    )
    assert measured["r2"] == "NaN"
    measured = values_of(metrics_of(measured_regression(watchkeeper, truth, truth), REGRESSION))
    assert measured == expected_regression(truth, truth) == {"mae": 0.0, "mse": 0.0, "rmse": 0.0, "r2": 1.0}


def test_numbers_that_are_none_are_left_out(watchkeeper: Watchkeeper) -> None:
    generator = np.random.default_rng(31)
    truth, prediction = generator.normal(size=500), generator.normal(size=500)
    truth_texts, prediction_texts = [list(map(repr, values.tolist())) for values in (truth, prediction)]
    for number, text in enumerate(["NaN", "inf", "-Infinity", "", "none", "1,5"]):
        truth_texts[number * 11] = text
        prediction_texts[number * 11 + 5] = text
    lost = [number * 11 + shift for number in range(6) for shift in (0, 5)]
    kept = np.setdiff1d(np.arange(500), lost)
    outcome = measured_regression(watchkeeper, truth_texts, prediction_texts)
    assert outcome.item_count() == len(kept)
    measured = values_of(metrics_of(outcome, REGRESSION))
    assert measured == pytest.approx(expected_regression(truth[kept], prediction[kept]), rel=1e-11)


def test_squares_beyond_the_doubles(watchkeeper: Watchkeeper) -> None:
    """The squared errors overflow; what is infinite has no constraint."""
    truth, prediction = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1e200, 3.0])
    outcome = measured_regression(watchkeeper, truth, prediction)
    measured = values_of(metrics_of(outcome, REGRESSION))
    with np.errstate(over="ignore"):
        expected = expected_regression(truth, prediction)
    assert measured == {"mae": expected["mae"], "mse": "Infinity", "rmse": "Infinity", "r2": "-Infinity"}
    assert expected["mse"] == expected["rmse"] == -expected["r2"] == math.inf
    assert list(outcome.document("constraints.json")["regression_constraints"]) == ["mae"]


# Spread


def test_the_spread_is_that_of_five_subsamples_without_replacement(watchkeeper: Watchkeeper) -> None:
    """The mean of the five's variance is the variance of a mean of four fifths of the rows, drawn without replacement.

    Over all the data sets the estimate is good to a few hundredths: dividing by five in place of four would show, and so would
    drawing with replacement, or other sizes.
    """
    ratios = []
    generator = np.random.default_rng(41)
    for _ in range(200):
        rows = int(generator.integers(200, 400))
        drawn = rows * 8 // 10
        error = generator.exponential(size=rows)
        section = metrics_of(measured_regression(watchkeeper, np.zeros(rows), error), REGRESSION)
        variance = np.var(error, ddof=1) / drawn * (1 - drawn / rows)
        ratios.append(section["mae"]["standard_deviation"] ** 2 / variance)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.15)
    assert 0.6 < np.std(ratios) < 0.85, "the spread of a variance of five normal values: the root of 2/4"


def test_the_spread_needs_two_hundred_rows(watchkeeper: Watchkeeper) -> None:
    for size in (199, 200):
        data = scored("distinct", size, seed=size)
        path = data.write(watchkeeper.scratch / "scored.csv")
        runs = [watchkeeper.quality_baseline(path, BINARY, *SCORES) for _ in range(2)]
        section, again = (metrics_of(outcome, BINARY) for outcome in runs)
        assert section == again, "the same data give the same numbers"
        spreads = [metric["standard_deviation"] for metric in section.values() if "value" in metric]
        assert len(spreads) == 17
        assert all((spread == "NaN") == (size == 199) for spread in spreads)


# Judgement


def violations(outcome: Outcome) -> dict[str, str]:
    """Descriptions by metric."""
    if not (outcome.folder / "constraint_violations.json").exists():
        return {}
    found = outcome.document("constraint_violations.json")["violations"]
    return {violation["metric_name"]: violation["description"] for violation in found}


def camel_case(name: str) -> str:
    return re.sub("_([a-z])", lambda letter: letter[1].upper(), name)


def assert_judged(
    watchkeeper: Watchkeeper, problem_type: str, paths: tuple[Path, Path], expected: tuple[dict, dict], *options: str
) -> None:
    """A check finds what scikit-learn's two results say, and no more."""
    before, now = expected
    baseline = watchkeeper.quality_baseline(paths[0], problem_type, *options)
    checked = watchkeeper.run(
        "quality", "check", paths[1], "--baseline", baseline.folder, "--problem-type", problem_type, *options
    )
    worse = [
        name
        for name, operator in WORSE[problem_type].items()
        if (now[name] < before[name] if operator == LESS else now[name] > before[name])
    ]
    assert worse, "data that show nothing"
    found = violations(checked)
    assert list(found) == [camel_case(name) for name in worse]
    for name in worse:
        number = r"(-?[0-9.]+(?:E-?[0-9]+)?|NaN)"
        text = rf"Metric {camel_case(name)} with {number} \+/- {number} was {WORSE[problem_type][name]} '{number}'"
        value, _, threshold = re.fullmatch(text, found[camel_case(name)]).groups()
        assert (float(value), float(threshold)) == pytest.approx((now[name], before[name]), rel=1e-11)
    assert checked.status == VIOLATIONS
    unchanged = watchkeeper.run(
        "quality", "check", paths[0], "--baseline", baseline.folder, "--problem-type", problem_type, *options
    )
    assert unchanged.status == NOTHING_FOUND, "a value that equals its threshold is no violation"
    assert violations(unchanged) == {}


def test_checks_of_binary_classifications(watchkeeper: Watchkeeper) -> None:
    before, now = scored("distinct", 1_000, seed=51), scored("ties", 700, seed=52)
    paths = before.write(watchkeeper.scratch / "before.csv"), now.write(watchkeeper.scratch / "now.csv")
    assert_judged(watchkeeper, BINARY, paths, (before.expected(), now.expected()), *SCORES)


def test_checks_of_multiclass_classifications(watchkeeper: Watchkeeper) -> None:
    data = guesses(["a", "b", "c"], [0.5, 0.3, 0.2], 900, 53), guesses(["a", "b", "d"], [0.2, 0.3, 0.5], 300, 54)
    data[1].prediction = ["b"] * 100 + list(data[1].prediction[100:])
    paths = [
        write_rows(watchkeeper.scratch / f"{number}.csv", {"label": known.truth, "prediction": known.prediction})
        for number, known in enumerate(data)
    ]
    assert_judged(watchkeeper, MULTICLASS, (paths[0], paths[1]), (data[0].expected(), data[1].expected()), *LABELS)


def test_checks_of_regressions(watchkeeper: Watchkeeper) -> None:
    generator = np.random.default_rng(55)
    paths, expected = [], []
    for name, noise in (("before", 0.1), ("now", 0.2)):
        truth = generator.normal(size=400)
        prediction = truth + generator.normal(scale=noise, size=400)
        columns = {"label": map(repr, truth.tolist()), "prediction": map(repr, prediction.tolist())}
        paths.append(write_rows(watchkeeper.scratch / f"{name}.csv", columns))
        expected.append(expected_regression(truth, prediction))
    assert_judged(watchkeeper, REGRESSION, (paths[0], paths[1]), (expected[0], expected[1]), *LABELS)


# Windows of merged records, as a monitoring job gets them


def merged_record(number: int, second: int, score: str, label: str) -> str:
    record = {
        "eventVersion": "0",
        "groundTruthData": {"data": label, "encoding": "CSV"},
        "captureData": {"endpointOutput": {"data": score, "encoding": "CSV", "mode": "OUTPUT", "observedContentType": "text/csv"}},
        "eventMetadata": {
            "eventId": f"event-{number}",
            "inferenceId": str(number),
            "inferenceTime": f"2026-03-01T{10 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z",
        },
    }  # fmt: skip
    return json.dumps(record, separators=(",", ":"))


def monitoring_job(
    watchkeeper: Watchkeeper, records: list[str], start: str, end: str
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The analysis of a window as the service starts it; gives the folder of the job's files."""
    watchkeeper.runs += 1
    root = watchkeeper.scratch / f"job-{watchkeeper.runs}"
    source = root / "opt/ml/processing/input_data/scorer/AllTraffic/2026/03/01/10"
    source.mkdir(parents=True)
    (source / "part-00000-a.c000.jsonl").write_text("".join(f"{record}\n" for record in records))
    variables = {
        "analysis_type": "MODEL_QUALITY",
        "problem_type": BINARY,
        "probability_attribute": "0",
        "probability_threshold_attribute": "0.5",
        "dataset_format": '{"sagemakerMergeJson":{"captureIndexNames":["endpointOutput"]}}',
        "dataset_source": "/opt/ml/processing/input_data",
        "output_path": "/opt/ml/processing/output",
        "publish_cloudwatch_metrics": "Enabled",
        "start_time": start,
        "end_time": end,
        "metric_time": start,
        "sagemaker_endpoint_name": "scorer",
        "sagemaker_monitoring_schedule_name": "hourly",
        "monitoring_input_type": "ENDPOINT_INPUT",
    }
    return analyze(watchkeeper.program, "model-monitor-analyzer", root, variables), root / "opt/ml"


def test_a_window_cuts_the_merged_records(watchkeeper: Watchkeeper) -> None:
    data = scored("ties", 5_000, seed=61)
    seconds = np.arange(5_000)
    records = [
        merged_record(number, int(second), f"{score!r}\n", str(label))
        for number, second, score, label in zip(range(5_000), seconds, data.score.tolist(), data.truth, strict=True)
    ]
    ended, folder = monitoring_job(watchkeeper, records, "2026-03-01T10:30:00Z", "2026-03-01T11:00:00Z")
    assert ended.returncode == 0, ended.stderr
    inside = (seconds >= 1_800) & (seconds < 3_600)
    window = Binary(data.truth[inside], data.score[inside])
    statistics = json.loads((folder / "processing/output/statistics.json").read_text())
    window.assert_agrees(statistics["binary_classification_metrics"])
    assert statistics["dataset"]["item_count"] == 1_800
    lines = (folder / "output/metrics/cloudwatch/cloudwatch_metrics.jsonl").read_text().splitlines()
    published = {metric["MetricName"]: metric["Value"] for metric in map(json.loads, lines)}
    assert published == pytest.approx(window.expected(), **CLOSE)


@pytest.mark.parametrize("records", [0, 50], ids=["nothing-merged", "all-outside"])
def test_an_empty_window_is_said_to_be_empty(watchkeeper: Watchkeeper, records: int) -> None:
    lines = [merged_record(number, number, "0.5", "1") for number in range(records)]
    ended, folder = monitoring_job(watchkeeper, lines, "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z")
    assert ended.returncode == 1
    message = (folder / "output/message").read_text()
    if records:
        counts = "50 merged records, 50 outside 2026-03-01T12:00:00Z…2026-03-01T13:00:00Z, 0 dropped"
        assert message.startswith(f"Error: No usable rows: {counts}"), message
    else:
        assert message.startswith("Error: "), message
    output = folder / "processing/output"
    assert not output.exists() or not list(output.iterdir()), "nothing of a failed job is left"


@pytest.mark.parametrize("problem_type", [BINARY, MULTICLASS, REGRESSION])
def test_a_dataset_without_usable_rows(watchkeeper: Watchkeeper, problem_type: str) -> None:
    path = write_rows(watchkeeper.scratch / "rows.csv", {"label": ["", "", ""], "prediction": ["1", "0", "1"]})
    outcome = watchkeeper.run("quality", "baseline", path, "--problem-type", problem_type, *LABELS)
    assert outcome.status == FAILED
    assert "usable rows: 3 read, 3 dropped, first reason: " in outcome.stderr, outcome.stderr
    assert not outcome.folder.exists() or not list(outcome.folder.iterdir())
