#!/usr/bin/env python3
"""Make current.csv, a later delivery of the churn data, from baseline.csv.

    python3 examples/churn/drift.py [OUTPUT]

The story. Since the model was trained, the telephone company has started a tariff with free calls by day, and two
thirds of its customers have taken it. They talk longer by day and less at night, and ring customer service more often,
as the first bills were wrong. Half-way through the period two things happened upstream: the customer system
was replaced and delivers no account length for customers whose contract has not been carried over yet, and the
table of international calls now passes through a tool that turns whole numbers into 3.0.

Needs the standard library alone. Random numbers come from `random.Random.random` with a fixed seed, the one method
whose sequence Python promises to keep, so that every Python writes the same bytes.
"""

import csv
import io
import random
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROWS = 1_000
SEED = 20

TARIFF_SHARE = 0.67
SWITCH_ROW = 450
UNTRANSFERRED_SHARE = 0.22


def drifted_rows(baseline: list[dict[str, str]]) -> list[dict[str, str]]:
    draw = random.Random(SEED).random
    # A sample without repetition, in random order: what the story does not touch stays as it was.
    shuffled = sorted(baseline, key=lambda _: draw())
    rows = [dict(row) for row in shuffled[:ROWS]]
    for number, row in enumerate(rows):
        if draw() < TARIFF_SHARE:
            take_tariff(row, draw)
        if number >= SWITCH_ROW:
            pass_through_new_systems(row, draw)
    return rows


def take_tariff(row: dict[str, str], draw: Callable[[], float]) -> None:
    row["Day Mins"] = f"{float(row['Day Mins']) * 1.2 + 25 + 30 * draw():.1f}"
    row["Night Mins"] = f"{float(row['Night Mins']) * (0.70 + 0.15 * draw()):.1f}"
    row["CustServ Calls"] = str(int(row["CustServ Calls"]) + int(3 * draw()))


def pass_through_new_systems(row: dict[str, str], draw: Callable[[], float]) -> None:
    if draw() < UNTRANSFERRED_SHARE:
        row["Account Length"] = ""
    row["Intl Calls"] += ".0"


def main() -> None:
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "current.csv"
    with open(HERE / "baseline.csv", newline="", encoding="utf-8") as source:
        reader = csv.DictReader(source)
        baseline = list(reader)
        columns = reader.fieldnames
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(drifted_rows(baseline))
    output.write_bytes(text.getvalue().encode())


if __name__ == "__main__":
    main()
