"""Writes tables.json: small CSV files and what pandas reads of them, for tests/it/table_pandas.rs.

Run with pandas 3.1: python make.py > tables.json
Left out, as the specification differs: `None` as a missing value, whole numbers beyond 64 bits, booleans in mixed case.
"""

import io
import json
import math
import random

import pandas

MISSING = ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN",
           "n/a", "nan", "null"]
WHOLE = ["1", "2", "-5", "0", "007", "+3", " 4", "5 ", "123456789012", "-0", "9223372036854775807", "-9223372036854775808"]
FLOATS = ["1.5", "1e3", "-2.", "  .5", "inf", "-inf", "Infinity", "1E-5", "0.1", "3.14159", "1e400"]
BOOLEANS = ["True", "TRUE", "true", "False", "FALSE", "false"]
TEXTS = ["x", "a b", " y", "yes", "1_000", "0x10", "1,5", 'q"r', "é", "1e5x", "--1", "\t1", "x\ny", "1.2.3", "nan ", "NA ", "\\", "+inf"]
POOLS = [[WHOLE], [WHOLE, MISSING], [FLOATS], [WHOLE, FLOATS], [WHOLE, FLOATS, MISSING], [BOOLEANS], [BOOLEANS, MISSING], [TEXTS],
         [TEXTS, MISSING], [WHOLE, TEXTS], [BOOLEANS, TEXTS], [MISSING], [BOOLEANS, WHOLE], [FLOATS, TEXTS], [FLOATS, BOOLEANS]]


def written(text, draw):
    if text == "" and draw.random() < 0.3:
        return '""'
    if any(character in text for character in ',"\n\r') or draw.random() < 0.1:
        return '"' + text.replace('"', '""') + '"'
    return text


def column(series):
    values = [None if isinstance(value, float) and math.isnan(value) else value for value in series.tolist()]
    there = [value for value in values if value is not None]
    if series.dtype.kind == "i":
        kind = "Integer"
    elif series.dtype.kind == "f":
        kind = "Float"
    elif there and all(isinstance(value, bool) for value in there):
        kind = "Boolean"
    else:
        kind = "Text"
        values = [None if value is None else str(value) for value in values]
    return {"kind": kind, "values": [str(value) if isinstance(value, float) else value for value in values]}


def main():
    draw = random.Random(6)
    cases = []
    while len(cases) < 150:
        pools = [draw.choice(POOLS) for _ in range(draw.randint(2, 5))]
        rows = [[f"c{index}" for index in range(len(pools))]]
        for _ in range(draw.randint(1, 7)):
            rows.append([written(draw.choice(draw.choice(pool)), draw) for pool in pools])
        end = draw.choice(["\n", "\r\n", "\r"])
        text = end.join(",".join(row) for row in rows) + draw.choice(["", end, end + end, end + "  " + end])
        frame = pandas.read_csv(io.StringIO(text, newline=""), index_col=False)
        cases.append({"csv": text, "columns": [column(frame[name]) for name in frame.columns]})
    print("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]")


main()
