#!/usr/bin/env python3
"""Model quality beside scikit-learn: a million scored rows, their metrics and the spread of five subsamples.

    cargo xtask bench model-quality [--rows N] [--rounds N] [--only PROBLEM]...

Both read the same CSV file (scikit-learn by PyArrow, on one thread) and compute every metric of AWS's statistics.json, of all rows and of
five subsamples. `scikit_learn_quality.py` does so in two ways: with scikit-learn's function for each metric, as people write
it, and frugally, deriving from one confusion matrix and one pair of curves what can be derived. The values are
compared; figures of two programs that do not agree would mean nothing.

Method as in `run.py`: a process of its own each, A B A B after a round that is not counted, CPU and peak memory from wait4, ratios
within a round, the median of the rounds; what Python and the imports cost is measured in every round and deducted
from scikit-learn, never from us.

Exit status 1 when a claim does not hold.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from run import HERE, Cost, cells, generated, hardware, judge, measure, times_cells, times_less, version

PROBLEMS = ("BinaryClassification", "MulticlassClassification", "Regression")
ATTRIBUTES = {
    "BinaryClassification": ["--probability-attribute", "probability"],
    "MulticlassClassification": ["--inference-attribute", "prediction"],
    "Regression": ["--inference-attribute", "prediction"],
}
# Of a regression a million rows are read and hardly anything is computed: that is measured, and nothing is claimed.
TIMES_LESS_CPU = {"BinaryClassification": 10.0, "MulticlassClassification": 10.0}
CLAIMED_ROWS = 1_000_000
MEGABYTES = 512.0
WAYS = {
    "BinaryClassification": {"a function each": [], "frugal": ["--frugal"]},
    "MulticlassClassification": {"a function each": [], "frugal": ["--frugal"]},
    "Regression": {"a function each": []},
}
IMPORTS = "import argparse, json; import numpy, pyarrow.csv; from sklearn import metrics; from sklearn.dummy import DummyClassifier"
# Made by a process of its own: this one stays small, as Linux counts its memory into the peak of what it starts.
GENERATE = """
import sys
import numpy as np
import pyarrow as pa
import pyarrow.csv

path, problem, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
generator = np.random.default_rng(rows)
if problem == "BinaryClassification":
    label = (generator.random(rows) < 0.15).astype(np.int8)
    score = 1 / (1 + np.exp(-generator.normal(3.0 * label - 2.0, 1.5)))
    columns = {"label": label, "probability": score.astype(np.float32)}
elif problem == "MulticlassClassification":
    classes = np.array(["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay"])
    label = generator.choice(len(classes), rows, p=np.arange(10, 0, -1) / 55)
    other = generator.integers(0, len(classes), rows)
    columns = {"label": classes[label], "prediction": classes[np.where(generator.random(rows) < 0.7, label, other)]}
else:
    label = generator.gamma(2.0, 50.0, rows)
    columns = {"label": label, "prediction": label + generator.normal(0, 12.5, rows)}
options = pa.csv.WriteOptions(quoting_style="none")
pa.csv.write_csv(pa.table({name: pa.array(values) for name, values in columns.items()}), path, options)
"""


def compare(problem: str, ours: Path, theirs: Path) -> None:
    """The same metrics with the same values, and spreads of the same size: the subsamples are others."""
    document = json.loads((ours / "statistics.json").read_text())
    (section,) = [value for name, value in document.items() if name.endswith("_metrics")]
    found = {name: metric for name, metric in section.items() if "value" in metric}
    expected = json.loads(theirs.read_text())
    if found.keys() != expected.keys():
        sys.exit(f"error: {problem}: the metrics differ: {sorted(found.keys() ^ expected.keys())}")
    for name, metric in found.items():
        value, spread = expected[name]["value"], expected[name]["standard_deviation"]
        if abs(metric["value"] - value) > 1e-9 * max(1.0, abs(value)):
            sys.exit(f"error: {problem}: {name} is {metric['value']} here and {value} there")
        if spread > 1e-12 and not 0.05 < metric["standard_deviation"] / spread < 20:
            sys.exit(
                f"error: {problem}: the spread of {name} is {metric['standard_deviation']} here and {spread} there"
            )


class Result:
    def __init__(self, problem: str) -> None:
        self.problem = problem
        self.ours: list[Cost] = []
        self.theirs: dict[str, list[Cost]] = {way: [] for way in WAYS[problem]}
        self.startup: list[Cost] = []


def run(watchkeeper: str, problem: str, path: Path, scratch: Path, rounds: int) -> Result:
    result = Result(problem)
    ours = [watchkeeper, "quality", "baseline", str(path), "--problem-type", problem, *ATTRIBUTES[problem]]
    ours += ["--ground-truth-attribute", "label", "-o", str(scratch / "ours")]
    theirs = [
        sys.executable,
        str(HERE / "scikit_learn_quality.py"),
        problem,
        str(path),
        "-o",
        str(scratch / "theirs.json"),
    ]
    for counted in [False] + [True] * rounds:
        our = measure(ours)
        costs = {}
        for way, options in WAYS[problem].items():
            costs[way] = measure([*theirs, *options])
            if not counted:
                compare(problem, scratch / "ours", scratch / "theirs.json")
        startup = measure([sys.executable, "-c", IMPORTS])
        if counted:
            result.ours.append(our)
            result.startup.append(startup)
            for way, cost in costs.items():
                result.theirs[way].append(cost)
    return result


def table(results: list[Result]) -> str:
    lines = [
        "| problem | program | CPU s | wall s | peak MB | times our CPU | times our wall | the same, start-up deducted |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        lines.append(f"| {result.problem} | Watchkeeper | {cells(result.ours)} | | | |")
        for way, costs in result.theirs.items():
            times = times_cells(result.ours, costs, result.startup)
            lines.append(f"| {result.problem} | scikit-learn, {way} | {cells(costs)} | {times} |")
        lines.append(f"| {result.problem} | Python and imports alone | {cells(result.startup)} | | | |")
    return "\n".join(lines)


def claims(results: list[Result], rows: int) -> Iterator[tuple[str, bool]]:
    """Those of CPU are made for a million rows and more."""
    for result in results:
        peak = max(cost.peak for cost in result.ours)
        yield f"{result.problem}: peak memory below {MEGABYTES:.0f} MB ({peak:.3g})", peak < MEGABYTES
        bound = TIMES_LESS_CPU.get(result.problem)
        if bound and rows >= CLAIMED_ROWS:
            for way, costs in result.theirs.items():
                times = times_less("cpu", result.ours, costs, result.startup)
                text = f"at least {bound:.0f} times less CPU than scikit-learn, {way}, its start-up deducted"
                yield f"{result.problem}: {text} ({times:.3g})", times >= bound


def main() -> None:
    parser = argparse.ArgumentParser(description="Model quality beside scikit-learn")
    parser.add_argument("--watchkeeper", required=True, help="the program, built for release")
    parser.add_argument("--data", required=True, type=Path, help="folder of the generated data")
    parser.add_argument("--rows", type=int, default=CLAIMED_ROWS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=PROBLEMS, help="this problem alone (may be repeated)")
    options = parser.parse_args()
    results = []
    for problem in options.only or PROBLEMS:
        name = f"quality_{problem}_{options.rows}.csv"
        path = generated(options.data / name, GENERATE, problem, str(options.rows))
        with tempfile.TemporaryDirectory(dir=options.data) as scratch:
            print(f"measuring {problem}", file=sys.stderr)
            results.append(run(options.watchkeeper, problem, path, Path(scratch), options.rounds))
    library = f"scikit-learn {version('scikit-learn')}"
    print(f"\n{hardware()}; {library}; {options.rows:,} rows; medians of {options.rounds} rounds\n")
    print(table(results), end="\n\n")
    sys.exit(not judge(claims(results, options.rows)))


if __name__ == "__main__":
    main()
