#!/usr/bin/env python3
"""Kernel SHAP beside the shap library: 100 rows of 70 features, a model in the same process.

    cargo xtask bench shap [--rows N] [--samples N] [--rounds N]

Both explain the same rows of the same model, a layer of neurons that see ten features each, over ten background rows, with the same
number of samples; one thread each. As the neurons share no feature, a feature's exact Shapley value follows from the 1,024 sets of
its neuron's features: both are compared with the exact values.

Method as in `run.py`: a process of its own each, A B A B after a round that is not counted, CPU from wait4, ratios within a round, the
median of the rounds; what Python and the imports cost is measured in every round and deducted from shap, never from us.
Each round has other rows and another seed, and the errors are those of all rounds: no less accurate is what chance does not contradict.

Exit status 1 when a claim does not hold.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from run import HERE, Cost, cells, hardware, judge, measure, times_less

TIMES_LESS_CPU = 8.0
WAYS = {"no selection of features": [], "as it comes": ["--as-it-comes"]}
IMPORTS = "import argparse, json, logging; import numpy, shap; shap.KernelExplainer"
# Made by a process of its own: this one stays small, as Linux counts its memory into the peak of what it starts.
GENERATE = """
import itertools, json, math, sys
import numpy as np

folder, rows, samples, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
NEURONS, EACH, BACKGROUND = 7, 10, 10
generator = np.random.default_rng(seed)
features = NEURONS * EACH
weights = generator.normal(0, 0.8, (NEURONS, EACH))
scales = generator.normal(0, 1, NEURONS)
background = generator.normal(0, 1, (BACKGROUND, features))
explained = generator.normal(0, 1, (rows, features))
subsets = np.array(list(itertools.product((0, 1), repeat=EACH)), dtype=bool)
sizes = subsets.sum(axis=1)
place = 1 << np.arange(EACH - 1, -1, -1)
share = np.array([math.factorial(s) * math.factorial(EACH - s - 1) / math.factorial(EACH) if s < EACH else 0 for s in sizes])
exact = np.zeros((rows, features))
for neuron in range(NEURONS):
    own = np.arange(neuron * EACH, (neuron + 1) * EACH)
    weight = weights[neuron]
    for index, row in enumerate(explained[:, own]):
        inside = subsets @ (row * weight)
        outside = ~subsets @ (background[:, own] * weight).T
        sums = inside[:, None] + outside
        value = scales[neuron] * (sums / (1 + np.abs(sums))).mean(axis=1)
        for feature in range(EACH):
            without = np.flatnonzero(~subsets[:, feature])
            exact[index, own[feature]] = (share[without] * (value[without + place[feature]] - value[without])).sum()
case = {"rows": explained, "background": background, "weights": weights, "scales": scales}
case = {name: value.tolist() for name, value in case.items()} | {"num_samples": samples, "seed": seed}
json.dump(case, open(f"{folder}/case.json", "w"))
json.dump(exact.tolist(), open(f"{folder}/exact.json", "w"))
"""


def squared_errors(found: Path, exact: Path) -> list[float]:
    """The mean over the features of each row."""
    pairs = zip(json.loads(found.read_text()), json.loads(exact.read_text()), strict=True)
    return [statistics.fmean((a - b) ** 2 for a, b in zip(ours, theirs, strict=True)) for ours, theirs in pairs]


def root_mean(squares: list[float]) -> float:
    return statistics.fmean(squares) ** 0.5


def is_no_larger(ours: list[float], theirs: list[float]) -> bool:
    """By two standard errors of the mean difference: both sides draw."""
    differences = [our - their for our, their in zip(ours, theirs, strict=True)]
    return statistics.fmean(differences) <= 2 * statistics.stdev(differences) / len(differences) ** 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description="Kernel SHAP beside the shap library")
    parser.add_argument("--explainer", required=True, help="the example `kernel_shap` of crates/engine, built for release")
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--samples", type=int, default=2 * 70 + 2048, help="coalitions a row; the default is both sides' own")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    # Threads that wait for one another would count as CPU of shap's.
    os.environ |= {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}

    costs: dict[str, list[Cost]] = {name: [] for name in ("ours", "startup", *WAYS)}
    squares: dict[str, list[float]] = {name: [] for name in ("ours", *WAYS)}
    with tempfile.TemporaryDirectory() as folder:
        case, exact, found = (Path(folder) / name for name in ("case.json", "exact.json", "found.json"))
        for number in range(options.rounds + 1):
            print(f"round {number} of {options.rounds}", file=sys.stderr)
            generate = [sys.executable, "-c", GENERATE, folder, str(options.rows), str(options.samples), str(number)]
            subprocess.run(generate, check=True)
            sides = {"ours": [options.explainer, str(case), str(found)]}
            for way, settings in WAYS.items():
                sides[way] = [sys.executable, str(HERE / "shap_explainer.py"), str(case), str(found), *settings]
            for side, arguments in sides.items():
                cost = measure(arguments)
                if number:
                    costs[side].append(cost)
                    squares[side] += squared_errors(found, exact)
            startup = measure([sys.executable, "-c", IMPORTS])
            if number:
                costs["startup"].append(startup)

    print(f"\n{hardware()}; {options.rows} rows, {options.samples} samples; medians of {options.rounds} rounds\n")
    print("| program | CPU s | wall s | peak MB | times our CPU, start-up deducted | error (root mean square) |")
    print("|---|---|---|---|---|---|")
    print(f"| Watchkeeper | {cells(costs['ours'])} | | {root_mean(squares['ours']):.3g} |")
    for way in WAYS:
        times = times_less("cpu", costs["ours"], costs[way], costs["startup"])
        print(f"| shap, {way} | {cells(costs[way])} | {times:.1f} | {root_mean(squares[way]):.3g} |")
    print(f"| shap's start-up | {cells(costs['startup'])} | | |\n")

    way = next(iter(WAYS))
    times = times_less("cpu", costs["ours"], costs[way], costs["startup"])
    error, theirs = root_mean(squares["ours"]), root_mean(squares[way])
    claims = [
        (f"at least {TIMES_LESS_CPU:g} times less CPU ({times:.3g})", times >= TIMES_LESS_CPU),
        (f"no less accurate against exact values ({error:.3g} beside {theirs:.3g})", is_no_larger(squares["ours"], squares[way])),
    ]
    sys.exit(not judge((f"shap, {way}: {text}", holds) for text, holds in claims))


if __name__ == "__main__":
    main()
