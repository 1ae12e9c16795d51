"""Moments, extremes and histograms of numeric columns: NumPy computes them from the same texts."""

import csv
from pathlib import Path

import numpy as np
import pytest

from watchkeeper import Watchkeeper

CLOSE = {"rel": 1e-12}


def numbers_by_column(path: Path) -> dict[str, np.ndarray]:
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows if row[name] != ""]) for name in rows[0]}


def write_csv(path: Path, columns: dict[str, list[str]]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def assert_agrees(statistics: dict, values: np.ndarray, size: float | None = None) -> None:
    """`size` is the magnitude that rounding errors are measured by, for sums that nearly cancel."""
    close = CLOSE if size is None else {"rel": 1e-12, "abs": 1e-12 * size}
    assert statistics["common"]["num_present"] == len(values)
    assert statistics["mean"] == pytest.approx(np.mean(values), **close)
    assert statistics["sum"] == pytest.approx(np.sum(values), **(close | {"abs": close.get("abs", 0) * len(values)}))
    assert statistics["std_dev"] == pytest.approx(np.std(values), **close)
    assert statistics["min"] == np.min(values)
    assert statistics["max"] == np.max(values)


def test_every_column_of_the_churn_data(watchkeeper: Watchkeeper, churn: Path) -> None:
    for name in ("baseline.csv", "current.csv"):
        columns = numbers_by_column(churn / name)
        features = watchkeeper.baseline(churn / name).statistics()
        assert list(features) == list(columns)
        for column, values in columns.items():
            assert_agrees(features[column]["numerical_statistics"], values)


@pytest.mark.parametrize(
    ("name", "scale"),
    [("normal", 1.0), ("wide", 1e9), ("tiny", 1e-9), ("offset", 1.0)],
)
def test_shapes_that_try_the_arithmetic(watchkeeper: Watchkeeper, name: str, scale: float) -> None:
    generator = np.random.default_rng(7)
    values = generator.normal(size=5_000) * scale + (1e6 if name == "offset" else 0.0)
    path = write_csv(watchkeeper.scratch / "values.csv", {"value": [repr(float(value)) for value in values]})
    statistics = watchkeeper.baseline(path).statistics()["value"]["numerical_statistics"]
    # The variance of an offset column loses the digits that the offset takes.
    assert_agrees(statistics, values, size=float(np.max(np.abs(values))))


def test_integers_beyond_the_doubles_sum_exactly(watchkeeper: Watchkeeper) -> None:
    values = [2**53 + 1, 1, 1, -3, 2**62]
    path = write_csv(watchkeeper.scratch / "values.csv", {"value": [str(value) for value in values]})
    statistics = watchkeeper.baseline(path).statistics()["value"]["numerical_statistics"]
    assert statistics["sum"] == float(sum(values))
    assert statistics["mean"] == float(sum(values)) / len(values)


def test_below_the_capacity_of_the_sketch_histograms_are_exact(watchkeeper: Watchkeeper) -> None:
    values = np.random.default_rng(8).exponential(12.5, size=2_000)
    path = write_csv(watchkeeper.scratch / "values.csv", {"value": [repr(float(value)) for value in values]})
    distribution = watchkeeper.baseline(path).statistics()["value"]["numerical_statistics"]["distribution"]["kll"]
    buckets = distribution["buckets"]
    edges = [bucket["lower_bound"] for bucket in buckets] + [buckets[-1]["upper_bound"]]
    assert edges == pytest.approx(np.linspace(values.min(), values.max(), 11), **CLOSE)
    counts, _ = np.histogram(values, bins=edges)
    assert [bucket["count"] for bucket in buckets] == list(counts)
    assert distribution["sketch"]["data"] == [list(values)]


def test_above_it_ranks_are_within_the_error_of_the_sketch(watchkeeper: Watchkeeper) -> None:
    values = np.random.default_rng(9).lognormal(2.0, 0.7, size=100_000)
    path = write_csv(watchkeeper.scratch / "values.csv", {"value": [repr(float(value)) for value in values]})
    statistics = watchkeeper.baseline(path).statistics()["value"]["numerical_statistics"]
    levels = statistics["distribution"]["kll"]["sketch"]["data"]
    items = np.concatenate([np.array(level) for level in levels])
    weights = np.concatenate([np.full(len(level), 2.0**height) for height, level in enumerate(levels)])
    assert weights.sum() == pytest.approx(len(values), rel=1e-3)
    order = np.argsort(items)
    for share in np.linspace(0.05, 0.95, 19):
        quantile = items[order][np.searchsorted(np.cumsum(weights[order]), share * weights.sum())]
        assert np.mean(values <= quantile) == pytest.approx(share, abs=0.005)
