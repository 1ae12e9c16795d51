#!/usr/bin/env python3
"""The merge of captured inferences with labels, beside DuckDB's join of the same JSON lines.

    cargo xtask bench merge [--rows N] [--rounds N] [--data DIR]

Both read the same files (`gen.py merge`: nine labels for ten captures, ids of 36 characters, labels in another order) and
write the same merged lines. DuckDB does so in two ways: as its users write it, columns of a declared type read as JSON and written
as JSON; and with lines as mere text, from which JSON functions take the ids and to which the label is appended, which is faster.
It is spared what Watchkeeper does besides: finding duplicate labels, keeping the order of captures, counting what is left over,
checking every line. What was written is compared before anything is measured.

Method as in `run.py`: a process of its own each, A B A B after a round that is not counted, CPU and peak memory from wait4, ratios
within a round, the median of the rounds; what Python, the import and an empty query cost is deducted from DuckDB, never from us.

Exit status 1 when a claim does not hold.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from run import HERE, Cost, cells, duckdb, machine, measure, times_less

THREADS = 2
TIMES_FASTER = 5.0
MEGABYTES = 512.0


def statements(data: Path, output: Path) -> dict[str, str]:
    captures, labels = f"{data}/captures/**/*.jsonl", f"{data}/labels/**/*.jsonl"
    capture_columns = "{captureData: 'JSON', eventMetadata: 'STRUCT(eventId VARCHAR, inferenceId VARCHAR, inferenceTime VARCHAR)', eventVersion: 'VARCHAR'}"
    label_columns = "{groundTruthData: 'JSON', eventMetadata: 'STRUCT(eventId VARCHAR)'}"
    typed = (
        "COPY (SELECT c.captureData, c.eventMetadata, c.eventVersion, g.groundTruthData "
        f"FROM read_json('{captures}', format='newline_delimited', columns={capture_columns}) c "
        f"JOIN read_json('{labels}', format='newline_delimited', columns={label_columns}) g "
        "ON g.eventMetadata.eventId = coalesce(nullif(c.eventMetadata.inferenceId, ''), c.eventMetadata.eventId)) "
        f"TO '{output}' (FORMAT json)"
    )
    reading = "columns={line: 'VARCHAR'}, delim=E'\\x01', quote='', escape='', header=false, auto_detect=false"
    text = (
        "COPY (SELECT c.line[:-2] || ',\"groundTruthData\":' || g.label || '}' "
        "FROM (SELECT line, coalesce(nullif(line->>'$.eventMetadata.inferenceId', ''), line->>'$.eventMetadata.eventId') AS id "
        f"FROM read_csv('{captures}', {reading})) c "
        "JOIN (SELECT (line->'$.groundTruthData')::VARCHAR AS label, line->>'$.eventMetadata.eventId' AS id "
        f"FROM read_csv('{labels}', {reading})) g ON g.id = c.id) "
        f"TO '{output}' (FORMAT csv, QUOTE '', ESCAPE '', DELIMITER E'\\x01', HEADER false)"
    )
    return {"columns": typed, "lines as text": text}


def fingerprint(lines: str) -> str:
    """How many merged lines there are, and which label each event has, in whatever order."""
    statement = (
        "SELECT count(*), sum(hash(eventMetadata.eventId, eventMetadata.inferenceId, groundTruthData.data, "
        f"captureData.endpointOutput.data)) FROM read_json('{lines}', format='newline_delimited')"
    )
    program = f"import duckdb; duckdb.sql('SET enable_progress_bar=false'); print(duckdb.sql({statement!r}).fetchall())"
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="The merge beside DuckDB")
    parser.add_argument("--watchkeeper", required=True, help="the program, built for release")
    parser.add_argument("--data", required=True, type=Path, help="folder in which data is made, and removed again")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.data) as folder:
        data = Path(folder)
        generate = [sys.executable, str(HERE / "gen.py"), "merge", "--rows", str(options.rows), "--out", folder]
        subprocess.run(generate, check=True, stdout=sys.stderr)
        results, startup = run(options.watchkeeper, data, options.rounds)
    print(f"\n{machine()}; {options.rows:,} captures; medians of {options.rounds} rounds\n")
    report(results, startup)


def run(watchkeeper: str, data: Path, rounds: int) -> tuple[dict[str, list[Cost]], list[Cost]]:
    merged, lines = data / "merged", data / "merged.jsonl"
    ours = [watchkeeper, "quality", "merge", "--captures", str(data / "captures"), "--ground-truth", str(data / "labels"),
            "-o", str(merged), "--threads", str(THREADS)]  # fmt: skip
    peers = {name: duckdb(statement, THREADS) for name, statement in statements(data, lines).items()}
    programs = {"Watchkeeper": (ours, merged)} | {f"DuckDB, {name}": (peer, lines) for name, peer in peers.items()}
    results: dict[str, list[Cost]] = {name: [] for name in programs}
    startup, fingerprints = [], {}
    for number in range(rounds + 1):
        for name, (arguments, output) in programs.items():
            cost = measure(arguments)
            if number > 0:
                results[name].append(cost)
            else:
                fingerprints[name] = fingerprint(f"{merged}/endpoint/**/*.jsonl" if output == merged else str(lines))
            # The disk is to hold one result at a time.
            remove(output)
        startup.append(measure(duckdb("SELECT 1", THREADS)))
        if len(set(fingerprints.values())) != 1:
            sys.exit(f"error: the merged lines differ: {json.dumps(fingerprints, indent=2)}")
    return results, startup[1:]


def report(results: dict[str, list[Cost]], startup: list[Cost]) -> None:
    ours = results["Watchkeeper"]
    print("| program | CPU s | wall s | peak MB | CPU, times ours | wall, times ours |\n|---|---|---|---|---|---|")
    fastest = float("inf")
    for name, costs in results.items():
        times = [""] * 2
        if name != "Watchkeeper":
            cpu, wall = (times_less(figure, ours, costs, startup) for figure in ("cpu", "wall"))
            times = [f"{cpu:.1f}", f"{wall:.1f}"]
            fastest = min(fastest, wall)
        print(f"| {name} | {cells(costs)} | " + " | ".join(times) + " |")
    peak = max(cost.peak for cost in ours)
    claims = [
        (f"at least {TIMES_FASTER:g} times faster than DuckDB's faster way ({fastest:.2f})", fastest >= TIMES_FASTER),
        (f"peak memory below {MEGABYTES:g} MB ({peak:.0f})", peak < MEGABYTES),
    ]
    print()
    for text, holds in claims:
        print(f"{'holds' if holds else 'DOES NOT HOLD'}: {text}")
    sys.exit(not all(holds for _, holds in claims))


if __name__ == "__main__":
    main()
