"""Bias metrics: smclarify computes them from the same tables, as the service does.

Each table is a job of the processing image. `bias_tables.py` draws them and says where the specification decides
otherwise than the library.
"""

import itertools
import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bias_tables import POST, PRE, Case, Tables, Untold, assert_agree, expected
from watchkeeper import Watchkeeper, analyze

TABLES = 1_000
DRIFTS = 40
CONSTRAINTS = "/opt/ml/processing/baseline/constraints/analysis.json"
SECTIONS = tuple(f"{stage}_metrics" for stage in (POST, PRE))


@dataclass
class Job:
    """A job of the image `sagemaker-clarify-processing` that has ended."""

    status: int
    log: str
    folder: Path

    def document(self, name: str) -> Any:
        return json.loads((self.folder / "processing/output" / name).read_text(encoding="utf-8"))

    def has(self, name: str) -> bool:
        return (self.folder / "processing/output" / name).exists()

    def message(self) -> str:
        return (self.folder / "output/message").read_text(encoding="utf-8")


def job(program: Path, root: Path, config: dict[str, Any], **variables: str) -> Job:
    """Runs the job whose dataset lies below the root already."""
    folder = root / "opt/ml"
    (folder / "processing/input/config").mkdir(parents=True, exist_ok=True)
    methods = {method: {"methods": "all"} for method in (PRE, POST)}
    document = {"dataset_type": "text/csv"} | config | {"methods": methods}
    (folder / "processing/input/config/analysis_config.json").write_text(json.dumps(document), encoding="utf-8")
    ended = analyze(program, "clarify-processing", root, variables)
    return Job(ended.returncode, ended.stdout + ended.stderr, folder)


def dataset(root: Path) -> Path:
    folder = root / "opt/ml/processing/input/data"
    folder.mkdir(parents=True)
    return folder / "table.csv"


def outcome(seed: int, ended: Job, case: Case, path: Path) -> tuple[str, int]:
    """Compares a job with the library; gives what came of it, and how many values were compared."""
    try:
        wanted = expected(case, path)
    except Untold:
        return "untold", 0
    except ValueError as error:
        assert ended.status == 1, f"seed {seed}: {error}"
        assert ended.message().startswith(f"ClientError: {error}"), f"seed {seed}: {ended.message()}, not {error}"
        assert not ended.has("analysis.json"), f"seed {seed}: nothing of a failed job is left"
        return "failed alike", 0
    assert ended.status == 0, f"seed {seed}: {ended.log}"
    try:
        return "agreed", assert_agree(ended.document("analysis.json"), wanted)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}, {case.config}: {error}") from error


def test_random_tables(watchkeeper: Watchkeeper) -> None:
    seeds = range(TABLES + TABLES // 10)
    cases = [Tables(seed).case() for seed in seeds]
    roots = [watchkeeper.scratch / f"table-{seed}" for seed in seeds]
    paths = [case.write(dataset(root)) for case, root in zip(cases, roots, strict=True)]
    configs = [case.config for case in cases]
    # The jobs run while the library computes.
    with ThreadPoolExecutor() as pool:
        jobs = pool.map(job, [watchkeeper.program] * len(seeds), roots, configs)
        outcomes = list(map(outcome, seeds, jobs, cases, paths))
    counts = Counter(kind for kind, _ in outcomes)
    assert counts["agreed"] >= TABLES, counts
    assert counts["failed alike"] > 5, "job errors, too"
    assert sum(compared for _, compared in outcomes) > 20 * TABLES


def further_from_zero(live: dict[str, Any], baseline: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Facet, entry and metric of what the rule finds, in the order of the file."""
    found = []
    for section in SECTIONS:
        for facet, entries in live[section]["facets"].items():
            for entry in entries:
                for before in baseline[section]["facets"].get(facet, []):
                    if begin(before["value_or_threshold"]) == begin(entry["value_or_threshold"]):
                        found += [
                            (facet, entry["value_or_threshold"], now["name"])
                            for now, then in zip(entry["metrics"], before["metrics"], strict=True)
                            if None not in (now["value"], then["value"])
                            and abs(float(now["value"])) > abs(float(then["value"])) + 1e-12
                        ]
                        break
    return found


def begin(value_or_threshold: str) -> str:
    """The upper end of an interval moves with the data."""
    interval = re.fullmatch(r"\((.*), .*\]", value_or_threshold)
    return f"above {float(interval[1])}" if interval else value_or_threshold


def nearly_equal(live: dict[str, Any], baseline: dict[str, Any]) -> bool:
    """Whether rounding alone may decide about a metric."""

    def values(document: dict[str, Any]) -> dict[tuple[str, str, str], float]:
        return {
            (facet, begin(entry["value_or_threshold"]), metric["name"]): abs(float(metric["value"]))
            for section in SECTIONS
            for facet, entries in document[section]["facets"].items()
            for entry in entries
            for metric in entry["metrics"]
            if metric["value"] is not None
        }

    before = values(baseline)
    return any(0 < abs(value - before.get(key, value)) < 1e-9 for key, value in values(live).items())


def halves(case: Case) -> list[Case]:
    """The upper half of the rows, and the lower."""
    middle = len(next(iter(case.columns.values()))) // 2
    parts = (slice(None, middle), slice(middle, None))
    return [Case({name: cells[part] for name, cells in case.columns.items()}, case.config) for part in parts]


def test_drift_between_random_tables(watchkeeper: Watchkeeper) -> None:
    compared, found = 0, 0
    for seed in itertools.count(50_000):
        before, now = halves(Tables(seed).case())
        if any(cells[0] == "" for cells in now.columns.values()):
            continue  # the first cell does not tell the library of which kind the column is
        root = watchkeeper.scratch / f"job-{seed}"
        try:
            live = expected(now, now.write(dataset(root)))
            baseline = expected(before, before.write(watchkeeper.scratch / "before.csv"))
        except (Untold, ValueError, KeyError):
            continue
        if nearly_equal(live, baseline):
            continue
        constraints = root / CONSTRAINTS.lstrip("/")
        constraints.parent.mkdir(parents=True)
        constraints.write_text(json.dumps({"version": "1.0"} | baseline), encoding="utf-8")
        ended = job(watchkeeper.program, root, now.config, baseline_constraints=CONSTRAINTS)
        assert ended.status == 0, f"seed {seed}: {ended.log}"
        assert_agree(ended.document("analysis.json"), live)
        wanted = further_from_zero(live, baseline)
        name = "constraint_violations.json"
        violations = ended.document(name)["violations"] if ended.has(name) else []
        assert [(it["facet"], it["facet_value"], it["metric_name"]) for it in violations] == wanted, f"seed {seed}"
        assert ended.has(name) == bool(wanted)
        compared, found = compared + 1, found + len(wanted)
        if compared == DRIFTS:
            break
    assert found > 5 * DRIFTS


def test_a_frame_of_typed_columns_is_read_as_pandas_reads_it(watchkeeper: Watchkeeper) -> None:
    """Texts that look like numbers beside others, blanks, words for what is missing."""
    cells = [" 1", "1.0", "1e0", "NA", "n/a", "x", "01", "True", "true", "", "-0", "0"]
    columns = {"facet": cells, "outcome": ["1", "0"] * 6, "predicted": ["1", "1", "0"] * 4}
    config = {"label": "outcome", "predicted_label": "predicted", "label_values_or_threshold": [1]}
    case = Case(columns, config | {"facet": [{"name_or_index": "facet"}]})
    path = case.write(dataset(watchkeeper.scratch / "job"))
    ended = job(watchkeeper.program, watchkeeper.scratch / "job", case.config)
    assert ended.status == 0, ended.log
    entries = ended.document("analysis.json")["pre_training_bias_metrics"]["facets"]["facet"]
    frame = pd.read_csv(path)
    assert [entry["value_or_threshold"] for entry in entries] == list(frame["facet"].dropna().unique())
