"""Random small tables for bias metrics, and what smclarify makes of them.

The library is what the service runs, so that it is followed wherever it gives a meaningful answer. Where the
specification decides otherwise the library is told so beforehand: `told` says what it would have had to know.
"""

import json
import logging
import math
import random
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from smclarify.bias import report
from smclarify.bias.metrics import common

logging.getLogger("smclarify").setLevel(logging.CRITICAL + 1)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    # smclarify knows text as objects; pandas means to give that up some day.
    pd.set_option("future.infer_string", False)

PRE, POST = "pre_training_bias", "post_training_bias"
STAGES = {POST: report.StageType.POST_TRAINING, PRE: report.StageType.PRE_TRAINING}
LABEL, PREDICTION = "outcome", "predicted"
WORDS = ("name", "description")


@dataclass
class Case:
    """A table as rows of a CSV file's cells, and what is asked of it."""

    columns: dict[str, list[str]]
    config: dict[str, Any]

    def write(self, path: Path) -> Path:
        rows = zip(*self.columns.values(), strict=True)
        path.write_text("\n".join(map(",".join, [self.columns, *rows])) + "\n", encoding="utf-8")
        return path


def float_text(value: float) -> str:
    return repr(round(value, 4))


class Tables:
    """Draws cases; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def some(self, probability: float) -> bool:
        return self.random.random() < probability

    def missing(self, cells: list[str], share: float) -> list[str]:
        """Leaves cells empty, but never the first: the library looks at that to see what kind a column is."""
        return [cells[0]] + ["" if self.some(share) else cell for cell in cells[1:]]

    def texts(self, rows: int) -> list[str]:
        words = self.random.sample(["north", "south", "east", "west", "centre"], self.random.randint(1, 5))
        return [self.random.choice(words) for _ in range(rows)]

    def whole(self, rows: int, below: int) -> list[str]:
        return [str(self.random.randrange(below)) for _ in range(rows)]

    def floats(self, rows: int) -> list[str]:
        return [float_text(self.random.uniform(0, 100)) for _ in range(rows)]

    def booleans(self, rows: int) -> list[str]:
        return [self.random.choice(["True", "False"]) for _ in range(rows)]

    def threshold(self, cells: list[str]) -> Any:
        """Among the values, between them or beyond all, as a number or its text."""
        value = float(self.random.choice([cell for cell in cells if cell]))
        value += self.random.choice([0, 0, 0, 0.5, -1, 3, 200 if self.some(0.1) else 0])
        threshold = int(value) if value == int(value) and self.some(0.7) else value
        return str(threshold) if self.some(0.15) else threshold

    def facet(self, rows: int) -> tuple[list[str], list[Any] | None]:
        """Cells and configured values of one facet."""
        kind = self.random.choice(["text", "code", "code", "two", "many", "float", "boolean"])
        if kind == "text":
            cells = self.texts(rows)
            values = sorted(set(cells))
            cells = self.missing(cells, 0.2) if self.some(0.3) else cells
            chosen = self.random.sample(values, self.random.randint(1, min(2, len(values))))
            return cells, self.random.choice([chosen, chosen, None, ["nowhere"] if self.some(0.2) else chosen])
        if kind in ("code", "two"):
            cells = self.whole(rows, 2 if kind == "two" else self.random.randint(1, 4))
            cells = self.missing(cells, 0.1) if kind == "two" and self.some(0.3) else cells
            chosen = int(self.random.choice([cell for cell in cells if cell]))
            several = [chosen, chosen + 1]
            return cells, self.random.choice([[chosen], [chosen], [float(chosen)], [str(chosen)], several, None])
        if kind == "many":
            cells = self.whole(rows, 60)
            return cells, [self.threshold(cells)]
        if kind == "float":
            cells = self.floats(rows)
            cells = self.missing(cells, 0.1) if self.some(0.2) else cells
            return cells, [self.threshold(cells)]
        cells = self.booleans(rows)
        cells = self.missing(cells, 0.2) if self.some(0.2) else cells
        return cells, self.random.choice([[True], [False], [cells[0] == "True"], None])

    def labels(self, rows: int) -> tuple[list[str], list[str], list[Any]]:
        """Observed and predicted labels, and what is positive."""
        kind = self.random.choice(["binary", "binary", "words", "classes", "boolean", "count", "amount"])
        right = self.random.uniform(0.4, 1.0)
        if kind in ("count", "amount"):
            observed = [self.random.uniform(5, 100) for _ in range(rows)]
            predicted = [value + self.random.gauss(0, 20 * (1.2 - right)) for value in observed]
            texts = [str(int(value)) if kind == "count" else float_text(value) for value in observed]
            return texts, list(map(float_text, predicted)), [self.random.choice([30, 50, 50.5, "60"])]
        cells, positive = {
            "binary": (["0", "1"], [[1], [0], ["1"]]),
            "words": (["bad", "fair", "good"], [["good"], ["good", "fair"]]),
            "classes": (["1", "2", "3", "4"], [[1, 2], [4.0, 3]]),
            "boolean": (["True", "False"], [[True], [False]]),
        }[kind]
        weights = [self.random.uniform(0.05, 1) for _ in cells]
        observed = self.random.choices(cells, weights, k=rows)
        predicted = [cell if self.some(right) else self.random.choice(cells) for cell in observed]
        if kind == "words" and self.some(0.3):
            observed = self.missing(observed, 0.1)
        return observed, predicted, self.random.choice(positive)

    def groups(self, rows: int) -> list[str]:
        kind = self.random.choice(["text", "code", "missing", "float"])
        if kind == "text":
            return self.texts(rows)
        if kind == "float":
            return [float_text(self.random.choice([0.5, 1.0, 2.25])) for _ in range(rows)]
        cells = self.whole(rows, self.random.randint(1, 5))
        return self.missing(cells, 0.2) if kind == "missing" else cells

    def case(self) -> Case:
        fewest, most = self.random.choice([(6, 20), (20, 60), (60, 150)])
        rows = self.random.randint(fewest, most)
        columns: dict[str, list[str]] = {}
        facets: list[dict[str, Any]] = []
        for number in range(self.random.choice([1, 1, 1, 2])):
            name = f"facet{number}"
            columns[name], values = self.facet(rows)
            facets.append({"name_or_index": name} | ({} if values is None else {"value_or_threshold": values}))
        observed, predicted, positive = self.labels(rows)
        columns |= {LABEL: observed, PREDICTION: predicted}
        config: dict[str, Any] = {"label": LABEL, "predicted_label": PREDICTION, "label_values_or_threshold": positive}
        config["facet"] = facets
        for number in range(self.random.randint(1, 3)):
            columns[f"feature{number}"] = self.floats(rows)
        if self.some(0.1):
            columns["feature0"] = self.missing(columns["feature0"], 0.1)
        if self.some(0.2):
            columns["flag"] = self.booleans(rows)
        if self.some(0.7):
            columns["group"] = self.groups(rows)
            config["group_variable"] = self.random.choice(["group", "group", "group", "facet0"])
        names = list(columns)
        self.random.shuffle(names)
        return Case({name: columns[name] for name in names}, config)


class Untold(Exception):
    """A case in which the library fails, or answers something else, for a reason of its own."""


def told(series: pd.Series, values: list[Any] | None, cells: list[str]) -> pd.Series:
    """Codes of two values are categories in small tables, too, and where cells are missing: here the library measures."""
    present = [cell for cell in cells if cell]
    is_whole = pd.api.types.is_numeric_dtype(series) and not any(set(cell) - set("-0123456789") for cell in present)
    if not is_whole or pd.api.types.is_bool_dtype(series) or series.nunique() > 2:
        return series
    if values and (len(values) > 1 or float(values[0]) not in set(series.dropna())):
        return series
    return series.astype("category")


def is_numeric(series: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(series) or series.dropna().map(type).eq(bool).all()


def data_type(series: pd.Series, values: list[Any] | None) -> common.DataType:
    return common.series_datatype(series, values)


def told_prediction(predicted: pd.Series, label: pd.Series, are_numbers: bool, values: list[Any]) -> pd.Series:
    """Numbers are looked at as the labels are; the library decides for both separately, and then often fails."""
    if not are_numbers:
        return predicted
    if data_type(label, values) == common.DataType.CATEGORICAL:
        return predicted.astype("category")
    return predicted.astype(float)


def group_of(case: Case, frame: pd.DataFrame) -> pd.Series | None:
    name = case.config.get("group_variable")
    if name is None:
        return None
    if frame[name].dtype == object and frame[name].isna().any():
        raise Untold("groups of text with missing ones")
    return frame[name]


def expected(case: Case, path: Path) -> dict[str, Any]:
    """The sections of analysis.json. Raises ValueError where the library has an error of the whole job."""
    with warnings.catch_warnings():
        # The library warns of pandas' future at every step.
        warnings.simplefilter("ignore")
        return sections(case, pd.read_csv(path))


def sections(case: Case, frame: pd.DataFrame) -> dict[str, Any]:
    values = case.config["label_values_or_threshold"]
    label = told(frame[LABEL], values, case.columns[LABEL])
    are_numbers = is_numeric(frame[PREDICTION]) and is_numeric(frame[LABEL])
    predicted = told_prediction(frame[PREDICTION], label, are_numbers, values)
    group = group_of(case, frame)
    found = {}
    for section, stage in STAGES.items():
        facets: dict[str, list[Any]] = {}
        for facet in case.config["facet"]:
            name, sensitive = facet["name_or_index"], facet.get("value_or_threshold")
            column = told(frame[name], sensitive, case.columns[name])
            known(column, sensitive)
            # Lists are copied: the library writes thresholds into them.
            entries = report.bias_report(
                frame.drop(columns=PREDICTION).assign(**{name: column}),
                report.FacetColumn(name, None if sensitive is None else list(sensitive)),
                report.LabelColumn(LABEL, label, list(values)),
                stage,
                report.LabelColumn(PREDICTION, predicted, list(values)) if section == POST else None,
                group_variable=group,
            )
            facets.setdefault(name, []).extend(entry for entry in entries if entry["value_or_threshold"] != "nan")
        printed = report.label_value_or_threshold(label, list(values))
        found[f"{section}_metrics"] = {"label": LABEL, "facets": facets, "label_value_or_threshold": printed}
    return found


def known(column: pd.Series, sensitive: list[Any] | None) -> None:
    """The library writes no upper end where the greatest value's magnitude is the threshold."""
    if sensitive and data_type(column, sensitive) == common.DataType.CONTINUOUS:
        threshold, greatest = float(sensitive[0]), column.max()
        if abs(greatest) == threshold and greatest != threshold:
            raise Untold("a threshold that is the magnitude of the greatest value")


# What scikit-learn says of features where the specification has words of its own.
OWN_WORDS = {
    "Input X contains NaN": "FlipTest does not support missing values",
    "Input contains NaN": "FlipTest does not support missing values",
    "Found array with 0 feature(s)": "FlipTest needs at least one feature column",
}


def in_own_words(error: Any) -> Any:
    if not isinstance(error, str):
        return error
    return next((own for begin, own in OWN_WORDS.items() if error.startswith(begin)), error)


def is_close(found: Any, wanted: Any) -> bool:
    if isinstance(found, float) and isinstance(wanted, (int, float)):
        return math.isclose(found, wanted, rel_tol=1e-12, abs_tol=1e-12)
    return found == wanted


def assert_agree(found: dict[str, Any], wanted: dict[str, Any]) -> int:
    """Every entry, metric, text and number. Gives the number of values that were compared."""
    compared = 0
    assert [name for name in found if name != "version"] == list(wanted)
    for name, section in wanted.items():
        ours = found[name]
        assert ours["label"] == section["label"]
        assert ours["label_value_or_threshold"] == section["label_value_or_threshold"]
        assert list(ours["facets"]) == list(section["facets"])
        for facet, entries in section["facets"].items():
            texts = [entry["value_or_threshold"] for entry in entries]
            assert [entry["value_or_threshold"] for entry in ours["facets"][facet]] == texts
            for our_entry, entry in zip(ours["facets"][facet], entries, strict=True):
                for our_metric, metric in zip(our_entry["metrics"], entry["metrics"], strict=True):
                    where = f"{name}, {facet} {entry['value_or_threshold']!r}: {our_metric} here, {metric} there"
                    assert [our_metric[it] for it in WORDS] == [metric[it] for it in WORDS], where
                    assert is_close(our_metric["value"], metric["value"]), where
                    assert our_metric.get("error") == in_own_words(metric.get("error")), where
                    compared += 1
    return compared


def brief(sections: dict[str, Any]) -> dict[str, Any]:
    """Of each metric its value, or else the error's text."""
    for section in sections.values():
        for entries in section["facets"].values():
            for entry in entries:
                answers = [(metric["name"], metric.get("error", metric["value"])) for metric in entry["metrics"]]
                entry["metrics"] = {name: in_own_words(answer) for name, answer in answers}
    return sections


def vectors(count: int, seed: int) -> str:
    """Cases with the library's answers, a line each: what the engine's own tests read."""
    tables, lines = Tables(seed), []
    with tempfile.TemporaryDirectory() as folder:
        while len(lines) < count:
            case = tables.case()
            try:
                answer = {"expected": brief(expected(case, case.write(Path(folder) / "table.csv")))}
            except Untold:
                continue
            except ValueError as error:
                answer = {"error": str(error)}
            line = {"columns": list(case.columns.items()), "config": case.config} | answer
            lines.append(json.dumps(line, separators=(",", ":")))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(vectors(120, seed=20230401))
