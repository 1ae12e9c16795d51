#!/usr/bin/env python3
"""Bias reports beside smclarify, the library that the service runs.

    cargo xtask bench bias [--rows N] [--rounds N] [--only CASE]...

Both read the same CSV file and compute all metrics of both stages (`smclarify_report.py`); every value and error text is
compared.

| case | what |
|---|---|
| report | a million rows: a facet of texts, one of codes without values, one above a threshold; with a column of texts |
| categories | the same without the threshold, which the library looks at value by value |
| flip-test | so many rows that our test still looks at all of them, and hardly anything but that metric |

With a column of texts there is no flip test. It is apart because of larger tables ours looks at evenly spaced rows: a
comparison would flatter us.

Method as in `run.py`: a process of its own each, A B A B, CPU and peak memory from wait4, ratios within a round, the
median of the rounds; what Python and the imports cost is measured in every round and deducted from smclarify, never from
us. A round takes the library minutes, and so the first one, in which values are compared, is counted too.

Exit status 1 when a claim does not hold.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from run import HERE, Cost, cells, generated, hardware, judge, measure, times_cells, times_less, version

CLAIMED_ROWS = 1_000_000
FLIP_TEST_ROWS = 9_000
TIMES_LESS_CPU = {"report": 50.0}
IMPORTS = "import argparse, json, logging, warnings; import pandas; from smclarify.bias import report"
CODES = {"name_or_index": "region"}
TEXTS = {"name_or_index": "gender", "value_or_threshold": ["f"]}
ABOVE = {"name_or_index": "income", "value_or_threshold": [40000]}
SELECTED = {"name_or_index": "member", "value_or_threshold": [1]}
FACETS = {"report": [TEXTS, CODES, ABOVE], "categories": [TEXTS, CODES], "flip-test": [SELECTED]}
# Made by a process of its own: this one stays small, as Linux counts its memory into the peak of what it starts.
GENERATE = """
import sys
import numpy as np
import pyarrow as pa
import pyarrow.csv

path, case, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
generator = np.random.default_rng(rows)
member = (generator.random(rows) < 0.4).astype(np.int64)
income = np.round(generator.gamma(3.0, 15000.0, rows), 2)
approved = (generator.random(rows) < 0.2 + 0.3 * (income > 40000) + 0.1 * member).astype(np.int64)
columns = {"approved": approved, "predicted": np.where(generator.random(rows) < 0.8, approved, 1 - approved)}
columns |= {"income": income, "member": member, "region": generator.integers(1, 6, rows)}
if case != "flip-test":
    columns["gender"] = np.array(["f", "m"])[(generator.random(rows) < 0.55).astype(int)]
    columns["education"] = np.array(["none", "school", "college", "degree"])[generator.integers(0, 4, rows)]
for number in range(5):
    columns[f"feature{number}"] = np.round(generator.normal(0, 10.0, rows), 4)
options = pa.csv.WriteOptions(quoting_style="none")
pa.csv.write_csv(pa.table({name: pa.array(values) for name, values in columns.items()}), path, options)
"""


def config_of(case: str) -> dict[str, Any]:
    config = {
        "dataset_type": "text/csv",
        "label": "approved",
        "predicted_label": "predicted",
        "label_values_or_threshold": [1],
        "facet": FACETS[case],
    }
    if case == "flip-test":
        return config | {"methods": {"pre_training_bias": {"methods": ["CI"]}, "post_training_bias": {"methods": ["FT"]}}}
    methods = {method: {"methods": "all"} for method in ("pre_training_bias", "post_training_bias")}
    return config | {"group_variable": "education", "methods": methods}


def job(watchkeeper: str, root: Path, path: Path, config: dict[str, Any]) -> list[str]:
    """The job of the processing image, whose dataset is a link. What it needs to know comes by the environment."""
    folder = root / "opt/ml/processing/input"
    for part in ("data", "config"):
        (folder / part).mkdir(parents=True)
    (folder / "data" / path.name).symlink_to(path.resolve())
    (folder / "config/analysis_config.json").write_text(json.dumps(config))
    return ["/usr/bin/env", f"WATCHKEEPER_JOB_ROOT={root}", watchkeeper, "analyze", "clarify-processing"]


def agree(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether two metrics have the same name, error and value."""
    if ours["name"] != theirs["name"] or ours.get("error") != theirs.get("error"):
        return False
    value, wanted = ours["value"], theirs["value"]
    if isinstance(value, float) and isinstance(wanted, (int, float)):
        return math.isclose(value, wanted, rel_tol=1e-9, abs_tol=1e-12)
    return value == wanted


def compare(case: str, ours: Path, theirs: Path) -> None:
    found, expected = (json.loads(path.read_text()) for path in (ours, theirs))
    compared = 0
    for section, stage in expected.items():
        for facet, entries in stage["facets"].items():
            for our_entry, entry in zip(found[section]["facets"][facet], entries, strict=True):
                for ours_metric, metric in zip(our_entry["metrics"], entry["metrics"], strict=True):
                    if not agree(ours_metric, metric):
                        sys.exit(f"error: {case}: {section} of {facet}: {ours_metric} here, {metric} there")
                    compared += 1
    print(f"{case}: {compared} values and texts agree", file=sys.stderr)


@dataclass
class Result:
    case: str
    rows: int
    ours: list[Cost] = field(default_factory=list)
    theirs: list[Cost] = field(default_factory=list)
    startup: list[Cost] = field(default_factory=list)


def run(watchkeeper: str, case: str, rows: int, path: Path, scratch: Path, rounds: int) -> Result:
    result = Result(case, rows)
    config = config_of(case)
    config_path, answer = scratch / "config.json", scratch / "theirs.json"
    config_path.write_text(json.dumps(config))
    theirs = [sys.executable, str(HERE / "smclarify_report.py"), str(path), str(config_path), "-o", str(answer)]
    for number in range(rounds):
        root = scratch / f"job-{number}"
        result.ours.append(measure(job(watchkeeper, root, path, config)))
        result.theirs.append(measure(theirs))
        result.startup.append(measure([sys.executable, "-c", IMPORTS]))
        compare(case, root / "opt/ml/processing/output/analysis.json", answer)
    return result


def table(results: list[Result]) -> str:
    lines = [
        "| case | rows | program | CPU s | wall s | peak MB | times our CPU | times our wall | the same, start-up deducted |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        head = f"| {result.case} | {result.rows:,} |"
        lines.append(f"{head} Watchkeeper | {cells(result.ours)} | | | |")
        times = times_cells(result.ours, result.theirs, result.startup)
        lines.append(f"{head} smclarify | {cells(result.theirs)} | {times} |")
        lines.append(f"{head} Python and imports alone | {cells(result.startup)} | | | |")
    return "\n".join(lines)


def claims(results: list[Result]) -> Iterator[tuple[str, bool]]:
    """Made for a million rows and more."""
    for result in results:
        bound = TIMES_LESS_CPU.get(result.case)
        if bound and result.rows >= CLAIMED_ROWS:
            times = times_less("cpu", result.ours, result.theirs, result.startup)
            text = f"at least {bound:.0f} times less CPU than smclarify, its start-up deducted"
            yield f"{result.case}: {text} ({times:.3g})", times >= bound


def main() -> None:
    parser = argparse.ArgumentParser(description="Bias reports beside smclarify")
    parser.add_argument("--watchkeeper", required=True, help="the program, built for release")
    parser.add_argument("--data", required=True, type=Path, help="folder of the generated data")
    parser.add_argument("--rows", type=int, default=CLAIMED_ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=FACETS, help="this case alone (may be repeated)")
    options = parser.parse_args()
    results = []
    for case in options.only or FACETS:
        kind, rows = ("flip-test", FLIP_TEST_ROWS) if case == "flip-test" else ("report", options.rows)
        path = generated(options.data / f"bias_{kind}_{rows}.csv", GENERATE, kind, str(rows))
        with tempfile.TemporaryDirectory(dir=options.data) as scratch:
            print(f"measuring {case}", file=sys.stderr)
            results.append(run(options.watchkeeper, case, rows, path, Path(scratch), options.rounds))
    libraries = ", ".join(f"{library} {version(library)}" for library in ("smclarify", "pandas"))
    print(f"\n{hardware()}; {libraries}; medians of {options.rounds} rounds\n")
    print(table(results), end="\n\n")
    sys.exit(not judge(claims(results)))


if __name__ == "__main__":
    main()
