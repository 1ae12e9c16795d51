"""What `watchkeeper quality baseline` computes, by scikit-learn: the metrics of all rows and of five subsamples of four fifths.

    python bench/scikit_learn_quality.py PROBLEM DATASET [--frugal] [-o FILE]

By default as people write it: scikit-learn's function for each metric. `--frugal` derives all that can be derived from one
confusion matrix and one pair of curves; there is nothing to derive in a regression.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.csv
from sklearn import metrics
from sklearn.dummy import DummyClassifier

BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
Table = dict[str, np.ndarray]


def f_score(precision: float, recall: float, beta: float) -> float:
    weight = beta * beta
    bottom = weight * precision + recall
    return (1 + weight) * precision * recall / bottom if bottom else 0.0


def constant_answers(truth: np.ndarray) -> np.ndarray:
    column = np.zeros((len(truth), 1), dtype=np.int8)
    return DummyClassifier(strategy="most_frequent").fit(column, truth).predict(column)


def binary(table: Table) -> dict[str, float]:
    truth, score = table["label"], table["probability"]
    prediction = (score > 0.5).astype(truth.dtype)
    (tn, fp), _ = metrics.confusion_matrix(truth, prediction)
    found = {"false_positive_rate": fp / (fp + tn)}
    for answers, suffix in ((prediction, ""), (constant_answers(truth), "_best_constant_classifier")):
        found |= {
            f"recall{suffix}": metrics.recall_score(truth, answers, zero_division=0),
            f"precision{suffix}": metrics.precision_score(truth, answers, zero_division=0),
            f"accuracy{suffix}": metrics.accuracy_score(truth, answers),
        }
        for name, beta in BETAS.items():
            found[name + suffix] = metrics.fbeta_score(truth, answers, beta=beta, zero_division=0)
    found |= {
        "true_positive_rate": found["recall"],
        "true_negative_rate": 1 - found["false_positive_rate"],
        "false_negative_rate": 1 - found["recall"],
    }
    metrics.precision_recall_curve(truth, score)
    found["auc"] = metrics.auc(*metrics.roc_curve(truth, score)[:2])
    return found


def binary_frugal(table: Table) -> dict[str, float]:
    truth, score = table["label"], table["probability"]
    prediction = score > 0.5
    (tn, fp), (fn, tp) = metrics.confusion_matrix(truth, prediction)
    majority_is_positive = tp + fn > tn + fp
    share = max(tp + fn, tn + fp) / len(truth)
    constant = (1.0, share) if majority_is_positive else (0.0, 0.0)
    found = {"accuracy": (tp + tn) / len(truth), "accuracy_best_constant_classifier": share}
    predicted = (tp / (tp + fn), tp / (tp + fp))
    for (recall, precision), suffix in ((predicted, ""), (constant, "_best_constant_classifier")):
        found |= {f"recall{suffix}": recall, f"precision{suffix}": precision}
        found |= {name + suffix: f_score(precision, recall, beta) for name, beta in BETAS.items()}
    found |= {
        "true_positive_rate": found["recall"],
        "false_negative_rate": 1 - found["recall"],
        "false_positive_rate": fp / (fp + tn),
        "true_negative_rate": 1 - fp / (fp + tn),
    }
    metrics.precision_recall_curve(truth, score)
    found["auc"] = metrics.auc(*metrics.roc_curve(truth, score)[:2])
    return found


def multiclass(table: Table) -> dict[str, float]:
    truth, prediction = table["label"], table["prediction"]
    metrics.confusion_matrix(truth, prediction)
    found = {}
    options = {"average": "weighted", "zero_division": 0}
    for answers, suffix in ((prediction, ""), (constant_answers(truth), "_best_constant_classifier")):
        found |= {
            f"accuracy{suffix}": metrics.accuracy_score(truth, answers),
            f"weighted_recall{suffix}": metrics.recall_score(truth, answers, **options),
            f"weighted_precision{suffix}": metrics.precision_score(truth, answers, **options),
        }
        for name, beta in BETAS.items():
            found[f"weighted_{name}{suffix}"] = metrics.fbeta_score(truth, answers, beta=beta, **options)
    return found


def multiclass_frugal(table: Table) -> dict[str, float]:
    matrix = metrics.confusion_matrix(table["label"], table["prediction"])
    constant = np.zeros_like(matrix)
    constant[:, matrix.sum(axis=1).argmax()] = matrix.sum(axis=1)
    found = {}
    for counts, suffix in ((matrix, ""), (constant, "_best_constant_classifier")):
        right, true, said = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
        recall = right / np.maximum(true, 1)
        precision = right / np.maximum(said, 1)
        weights = true / true.sum()
        found |= {
            f"accuracy{suffix}": right.sum() / true.sum(),
            f"weighted_recall{suffix}": (recall * weights).sum(),
            f"weighted_precision{suffix}": (precision * weights).sum(),
        }
        for name, beta in BETAS.items():
            scores = [f_score(p, r, beta) for p, r in zip(precision, recall, strict=True)]
            found[f"weighted_{name}{suffix}"] = (scores * weights).sum()
    return found


def regression(table: Table) -> dict[str, float]:
    truth, prediction = table["label"], table["prediction"]
    return {
        "mae": metrics.mean_absolute_error(truth, prediction),
        "mse": metrics.mean_squared_error(truth, prediction),
        "rmse": metrics.root_mean_squared_error(truth, prediction),
        "r2": metrics.r2_score(truth, prediction),
    }


PROBLEMS: dict[str, tuple[Callable[[Table], dict[str, float]], Callable[[Table], dict[str, float]]]] = {
    "BinaryClassification": (binary, binary_frugal),
    "MulticlassClassification": (multiclass, multiclass_frugal),
    "Regression": (regression, regression),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("problem", choices=PROBLEMS)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--frugal", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    measure = PROBLEMS[options.problem][options.frugal]
    read = pyarrow.csv.read_csv(options.dataset, read_options=pyarrow.csv.ReadOptions(use_threads=False))
    # Texts as NumPy's own kind, which it sorts and compares much faster than Python's.
    table = {name: read[name].to_numpy() for name in read.column_names}
    table = {name: column.astype(str) if column.dtype == object else column for name, column in table.items()}

    found = measure(table)
    rows = len(table["label"])
    generator = np.random.default_rng(0)
    spread: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(5):
        drawn = generator.permutation(rows)[: rows * 8 // 10]
        for name, value in measure({name: column[drawn] for name, column in table.items()}).items():
            spread[name].append(value)
    document = {
        name: {"value": float(value), "standard_deviation": float(np.std(spread[name], ddof=1))}
        for name, value in found.items()
    }
    text = json.dumps(document)
    if options.output:
        options.output.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
