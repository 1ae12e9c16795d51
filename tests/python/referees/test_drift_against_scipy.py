"""Drift distances: SciPy computes them from the raw values."""

import json
import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from watchkeeper import Watchkeeper

EXACT = {"WATCHKEEPER_DRIFT": "exact"}
CLOSE = {"rel": 1e-12, "abs": 1e-12}


def write_column(path: Path, values: list) -> Path:
    path.write_text("value\n" + "".join(f"{value}\n" for value in values))
    return path


def distance(watchkeeper: Watchkeeper, baseline: list, current: list, **constraints: str | float) -> float:
    """The distance that is reported when every distance above zero is too far; 0 where nothing is reported."""
    folder = watchkeeper.baseline(write_column(watchkeeper.scratch / "baseline.csv", baseline)).folder
    path = folder / "constraints.json"
    document = json.loads(path.read_text())
    document["monitoring_config"]["distribution_constraints"].update(constraints)
    path.write_text(json.dumps(document))
    current_file = write_column(watchkeeper.scratch / "current.csv", current)
    violations = watchkeeper.check(current_file, folder, settings=EXACT).violations("baseline_drift_check")
    if not violations:
        return 0.0
    match = re.fullmatch(r"Baseline drift distance: (.+) exceeds threshold: (.+)", violations["value"])
    assert match, violations["value"]
    return float(match[1])


def samples(kind: str, size: int, seed: int) -> tuple[list, list]:
    """A baseline and a current sample of unlike sizes; the discrete ones are full of ties."""
    generator = np.random.default_rng(seed)
    sizes = (size, size * 2 // 3)
    match kind:
        case "normal":
            pair = [generator.normal(shift, 1.0, n) for shift, n in zip((0.0, 0.4), sizes, strict=True)]
        case "ties":
            pair = [generator.poisson(rate, n) for rate, n in zip((3.0, 4.5), sizes, strict=True)]
        case "binary":
            pair = [(generator.random(n) < share).astype(int) for share, n in zip((0.2, 0.7), sizes, strict=True)]
        case _:
            raise ValueError(kind)
    return pair[0].tolist(), pair[1].tolist()


@pytest.mark.parametrize("kind", ["normal", "ties", "binary"])
@pytest.mark.parametrize("size", [5, 300, 2_050])
def test_simple_distance_is_kolmogorov_smirnov(watchkeeper: Watchkeeper, kind: str, size: int) -> None:
    baseline, current = samples(kind, size, seed=size)
    expected = stats.ks_2samp(baseline, current, method="asymp").statistic
    found = distance(watchkeeper, baseline, current, comparison_method="Simple", comparison_threshold=0.0)
    assert found == pytest.approx(expected, **CLOSE)


def test_robust_distance_deducts_the_correction_for_small_samples(watchkeeper: Watchkeeper) -> None:
    baseline, current = samples("binary", 1_500, seed=3)
    n, m = len(current), len(baseline)
    statistic = stats.ks_2samp(baseline, current, method="asymp").statistic
    expected = max(0.0, statistic - 1.8 * math.sqrt((n + m) / (n * m)))
    assert expected > 0
    found = distance(watchkeeper, baseline, current, comparison_method="Robust", comparison_threshold=0.0)
    assert found == pytest.approx(expected, **CLOSE)


def test_above_the_capacity_of_the_sketch_it_comes_close(watchkeeper: Watchkeeper) -> None:
    baseline, current = samples("normal", 30_000, seed=4)
    expected = stats.ks_2samp(baseline, current, method="asymp").statistic
    found = distance(watchkeeper, baseline, current, comparison_method="Simple", comparison_threshold=0.0)
    assert found == pytest.approx(expected, abs=0.01)


def categories(shares: dict[str, float], size: int, seed: int) -> list[str]:
    generator = np.random.default_rng(seed)
    return generator.choice(list(shares), size, p=list(shares.values())).tolist()


def test_linfinity_is_the_largest_difference_of_shares(watchkeeper: Watchkeeper) -> None:
    baseline = categories({"a": 0.5, "b": 0.3, "c": 0.2}, 1_000, seed=1)
    current = categories({"a": 0.2, "b": 0.3, "d": 0.5}, 400, seed=2)
    expected_shares, current_shares = Counter(baseline), Counter(current)
    expected = max(
        abs(expected_shares[value] / len(baseline) - current_shares[value] / len(current))
        for value in expected_shares | current_shares
    )
    found = distance(
        watchkeeper, baseline, current, comparison_method="Simple", comparison_threshold=0.0,
        categorical_comparison_threshold=0.0,
    )  # fmt: skip
    assert found == pytest.approx(expected, **CLOSE)


@pytest.mark.parametrize("seed", range(3))
def test_chi_squared_reports_the_complement_of_the_p_value(watchkeeper: Watchkeeper, seed: int) -> None:
    """Every expected count is large, so that no categories are taken together."""
    shares = {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1}
    baseline, current = categories(shares, 1_000, seed), categories(shares, 500, seed + 100)
    baseline_counts, current_counts = Counter(baseline), Counter(current)
    scale = len(current) / len(baseline)
    observed = [current_counts[value] for value in shares]
    test = stats.chisquare(observed, [baseline_counts[value] * scale for value in shares])
    found = distance(
        watchkeeper, baseline, current, categorical_drift_method="ChiSquared", categorical_comparison_threshold=1.0
    )
    assert found == pytest.approx(1.0 - test.pvalue, **CLOSE)
