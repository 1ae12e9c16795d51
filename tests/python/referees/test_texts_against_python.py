"""Rows, missing values and categories: Python's `csv` and `json` read the same files."""

import csv
import gzip
import io
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from watchkeeper import Watchkeeper

AWKWARD = ["plain", "with, comma", 'he said "no"', "two\nlines", " padded ", "Größe", "日本", "null", "NaN", "'", ";", "#"]
DOCUMENTS = ("statistics.json", "constraints.json")


def awkward_csv(rows: int, seed: int) -> str:
    generator = random.Random(seed)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["identity", "choice, quoted", "number"])
    for number in range(rows):
        choice = generator.choice([*AWKWARD, ""])
        writer.writerow([f"row {number}", choice, "" if generator.random() < 0.1 else generator.randrange(1_000)])
    return text.getvalue()


def assert_column_agrees(feature: dict, texts: list[str]) -> None:
    """`texts` are the column's values, the empty one standing for a missing one."""
    present = [text for text in texts if text != ""]
    statistics = feature["string_statistics"]
    assert statistics["common"] == {"num_present": len(present), "num_missing": len(texts) - len(present)}
    assert statistics["completeness"] == len(present) / len(texts)
    counts = Counter(present)
    # HyperLogLog++ with 512 registers has a standard error of 4.6 percent; small counts are nearly exact.
    assert statistics["distinct_count"] == pytest.approx(len(counts), rel=0.15)
    if statistics["distinct_count"] <= 120:
        buckets = statistics["distribution"]["categorical"]["buckets"]
        assert {bucket["value"]: bucket["count"] for bucket in buckets} == counts
        assert len(buckets) == len(counts)
    else:
        assert "distribution" not in statistics


@pytest.mark.parametrize("seed", range(4))
def test_csv(watchkeeper: Watchkeeper, seed: int) -> None:
    text = awkward_csv(rows=700, seed=seed)
    path = watchkeeper.scratch / "awkward.csv"
    path.write_text(text, encoding="utf-8", newline="")
    rows = list(csv.DictReader(io.StringIO(text)))

    outcome = watchkeeper.baseline(path)
    features = outcome.statistics()
    assert outcome.item_count() == len(rows)
    assert list(features) == list(rows[0])
    for name in ("identity", "choice, quoted"):
        assert_column_agrees(features[name], [row[name] for row in rows])
    numbers = features["number"]["numerical_statistics"]["common"]
    assert numbers["num_missing"] == sum(row["number"] == "" for row in rows)

    constraints = outcome.features("constraints.json")
    domains = constraints["choice, quoted"]["string_constraints"]["domains"]
    assert sorted(domains) == sorted({row["choice, quoted"] for row in rows} - {""})
    assert "string_constraints" not in constraints["identity"]


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(watchkeeper: Watchkeeper) -> None:
    lines = "number,word\n1,a\n2,b\n,c\n"
    plain, other = watchkeeper.scratch / "plain.csv", watchkeeper.scratch / "other.csv"
    plain.write_bytes(lines.encode())
    other.write_bytes(b"\xef\xbb\xbf" + lines.replace("\n", "\r\n").encode())
    for document in DOCUMENTS:
        assert watchkeeper.baseline(other).text(document) == watchkeeper.baseline(plain).text(document)


def test_json_lines(watchkeeper: Watchkeeper) -> None:
    generator = random.Random(5)
    records = []
    for number in range(600):
        record = {"word": generator.choice(AWKWARD), "whole": number, "half": number + 0.5, "flag": number % 3 == 0}
        if generator.random() < 0.2:
            del record["word"]
        if generator.random() < 0.2:
            record["whole"] = None
        records.append(record)
    path = watchkeeper.scratch / "records.jsonl"
    # Half of the texts as escapes, half as they are.
    lines = [json.dumps(record, ensure_ascii=number % 2 == 0) for number, record in enumerate(records)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    outcome = watchkeeper.baseline(path)
    features = outcome.statistics()
    assert outcome.item_count() == len(records)
    assert list(features) == ["flag", "half", "whole", "word"]
    assert [feature["inferred_type"] for feature in features.values()] == ["String", "Fractional", "Integral", "String"]
    assert_column_agrees(features["word"], [record.get("word", "") for record in records])
    assert_column_agrees(features["flag"], [json.dumps(record["flag"]) for record in records])
    whole = [record["whole"] for record in records if record["whole"] is not None]
    assert features["whole"]["numerical_statistics"]["common"]["num_present"] == len(whole)
    assert features["whole"]["numerical_statistics"]["sum"] == sum(whole)
    assert features["half"]["numerical_statistics"]["sum"] == sum(record["half"] for record in records)


def test_a_json_document_says_the_same_as_its_records_as_lines(watchkeeper: Watchkeeper) -> None:
    records = [{"number": number, "word": AWKWARD[number % len(AWKWARD)]} for number in range(300)]
    lines, document = watchkeeper.scratch / "records.jsonl", watchkeeper.scratch / "records.json"
    lines.write_text("".join(json.dumps(record) + "\n" for record in records))
    document.write_text(json.dumps(records, indent=1))
    for name in DOCUMENTS:
        assert watchkeeper.baseline(document).text(name) == watchkeeper.baseline(lines).text(name)


def test_the_same_rows_by_another_way_give_the_same_bytes(watchkeeper: Watchkeeper, churn: Path) -> None:
    """Compressed, cut into files, from standard input, and with any number of threads."""
    text = (churn / "baseline.csv").read_bytes()
    expected = watchkeeper.baseline(churn / "baseline.csv")

    compressed = watchkeeper.scratch / "baseline.csv.gz"
    compressed.write_bytes(gzip.compress(text))
    folder = watchkeeper.scratch / "parts" / "deep"
    folder.mkdir(parents=True)
    header, *lines = text.splitlines(keepends=True)
    for number, start in enumerate(range(0, len(lines), 500)):
        (folder / f"part-{number:02}.csv").write_bytes(header + b"".join(lines[start : start + 500]))
    (folder / "_SUCCESS").write_bytes(b"")

    outcomes = [
        watchkeeper.baseline(compressed),
        watchkeeper.baseline(folder.parent),
        watchkeeper.baseline("-", "--format", "csv", stdin=text),
        *(watchkeeper.baseline(churn / "baseline.csv", "--threads", str(threads)) for threads in (1, 2, 5)),
    ]
    for outcome in outcomes:
        for name in DOCUMENTS:
            assert outcome.text(name) == expected.text(name)


def test_without_a_header_columns_are_numbered(watchkeeper: Watchkeeper, churn: Path) -> None:
    text = (churn / "baseline.csv").read_text()
    path = watchkeeper.scratch / "rows.csv"
    path.write_text(text.split("\n", 1)[1])
    with_header = watchkeeper.baseline(churn / "baseline.csv").statistics()
    without = watchkeeper.baseline(path, "--no-header").statistics()
    assert list(without) == [f"_c{number}" for number in range(len(with_header))]
    for named, numbered in zip(with_header.values(), without.values(), strict=True):
        assert named["numerical_statistics"] == numbered["numerical_statistics"]


def test_captures_say_the_same_as_their_rows_as_csv(watchkeeper: Watchkeeper, churn: Path) -> None:
    """Prediction first, then features: what `csv` joins here, the program joins there."""
    with open(churn / "current.csv", newline="") as file:
        rows = list(csv.reader(file))[1:]
    as_csv = watchkeeper.scratch / "rows.csv"
    as_csv.write_text("".join(",".join(row) + "\n" for row in rows))
    hour = watchkeeper.scratch / "capture" / "endpoint" / "AllTraffic" / "2026" / "01" / "01" / "00"
    hour.mkdir(parents=True)
    # One to three rows a record, in files whose path order is the order of the rows.
    taken, file_number = 0, 0
    while taken < len(rows):
        records = []
        while taken < len(rows) and len(records) < 100:
            part = rows[taken : taken + 1 + len(records) % 3]
            taken += len(part)
            records.append(capture_record(part, len(records)))
        (hour / f"{file_number:02}-00-000-abc.jsonl").write_text("".join(json.dumps(it) + "\n" for it in records))
        file_number += 1

    captured = watchkeeper.baseline(watchkeeper.scratch / "capture", "--format", "sagemakerCaptureJson")
    expected = watchkeeper.baseline(as_csv, "--no-header")
    assert captured.item_count() == len(rows)
    for name in DOCUMENTS:
        assert captured.text(name) == expected.text(name)


def capture_record(rows: list[list[str]], number: int) -> dict:
    def side(mode: str, lines: list[str]) -> dict:
        return {"observedContentType": "text/csv", "mode": mode, "data": "\n".join(lines), "encoding": "CSV"}

    return {
        "captureData": {
            "endpointInput": side("INPUT", [",".join(row[1:]) for row in rows]),
            "endpointOutput": side("OUTPUT", [row[0] for row in rows]),
        },
        "eventMetadata": {"eventId": f"id-{number}", "inferenceTime": "2026-01-01T00:00:00Z"},
        "eventVersion": "0",
    }
