#!/usr/bin/env python3
"""The merge of captured inferences with labels, beside DuckDB's and Polars' join of the same JSON lines.

    cargo xtask bench merge [--rows N] [--rounds N] [--data DIR]

All read the same files (`gen.py merge`: nine labels for ten captures, ids of 36 characters, labels in another order) and write
the same merged lines. The others do so in two ways: as their users write it, columns of a declared type read as JSON and written
as JSON; and with lines as mere text to which the label is appended, the ids taken from them by JSON functions (DuckDB) or by
regular expressions, which are faster and take no notice of JSON (Polars, which is also told that labels are the smaller side and
that order does not matter). Polars has a third way, faster still and less than the same join: every capture is taken to have an
inference id, and ids are what stands between two marks. They are spared what Watchkeeper does besides: finding duplicate labels,
keeping the order of captures, counting what is left over, checking every line. What was written is compared before anything is
measured.

Method as in `run.py`: a process of its own each, A B A B after a round that is not counted, CPU and peak memory from wait4, ratios
within a round, the median of the rounds; what Python, the import and an empty query cost is deducted from the others, never from us.
The files are read before each, as what the one before it has left in memory is not the same for all. What the one before has written
is removed at the last moment, so that its memory is there for the next: a virtual machine gives memory that is free back to its host, and
getting it again takes seconds, or none. With ten million rows `--data` is best a place in memory: once a few gigabytes of output wait
for the disk, the kernel makes whoever writes wait too.

Exit status 1 when a claim does not hold.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from run import HERE, Cost, cells, duckdb, judge, machine, measure, times_less, version

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


POLARS_COLUMNS = """
text = pl.String
member = pl.col("eventMetadata").struct.field
output = pl.Struct({"observedContentType": text, "mode": text, "data": text, "encoding": text})
metadata = pl.Struct({"eventId": text, "inferenceId": text, "inferenceTime": text})
schema = {"captureData": pl.Struct({"endpointOutput": output}), "eventMetadata": metadata, "eventVersion": text}
captures = pl.scan_ndjson(captures, schema=schema).with_columns(
    id=pl.coalesce(member("inferenceId").replace("", None), member("eventId")))
schema = {"groundTruthData": pl.Struct({"data": text, "encoding": text}), "eventMetadata": pl.Struct({"eventId": text})}
labels = pl.scan_ndjson(labels, schema=schema).select("groundTruthData", id=member("eventId"))
captures.join(labels, on="id").drop("id").sink_ndjson(output_file, maintain_order=False)
"""

POLARS_JOIN = """
labels = pl.scan_lines(labels).select(id=event_id, label=line.extract('"groundTruthData":([{][^}]*[}])'))
merged = pl.concat_str(line.strip_suffix("}"), pl.lit(',"groundTruthData":'), "label", pl.lit("}"))
captures.join(labels, on="id", build_side="force_right").select(merged).sink_csv(
    output_file, include_header=False, quote_style="never", separator="\\x01", maintain_order=False, engine="streaming")
"""

POLARS_TEXT = """
line = pl.col("line").str
event_id = line.extract('"eventId":"([^"]*)"')
inference_id = line.extract('"inferenceId":"([^"]*)"')
captures = pl.scan_lines(captures).with_columns(id=pl.coalesce(inference_id.replace("", None), event_id))
""" + POLARS_JOIN

POLARS_MARKS = """
line = pl.col("line").str
after = lambda mark: line.splitn(mark, 2).struct[1].str.splitn('"', 2).struct[0]
event_id = after('"eventId":"')
captures = pl.scan_lines(captures).with_columns(id=after('"inferenceId":"'))
""" + POLARS_JOIN


def polars(program: str, data: Path, output: Path) -> list[str]:
    """A program in which `captures`, `labels` and `output_file` are paths."""
    paths = {"captures": f"{data}/captures/**/*.jsonl", "labels": f"{data}/labels/**/*.jsonl", "output_file": str(output)}
    # The number of threads is read when the library is loaded.
    start = f"import os; os.environ['POLARS_MAX_THREADS'] = '{THREADS}'\nimport polars as pl\n"
    return [sys.executable, "-c", start + "".join(f"{name} = {path!r}\n" for name, path in paths.items()) + program]


def fingerprint(lines: str) -> str:
    """How many merged lines there are, and which label each event has, in whatever order."""
    statement = (
        "SELECT count(*), sum(hash(eventMetadata.eventId, eventMetadata.inferenceId, groundTruthData.data, "
        f"captureData.endpointOutput.data)) FROM read_json('{lines}', format='newline_delimited')"
    )
    program = f"import duckdb; duckdb.sql('SET enable_progress_bar=false'); print(duckdb.sql({statement!r}).fetchall())"
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


def read_all(data: Path) -> None:
    for path in data.rglob("*.jsonl"):
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="The merge beside DuckDB and Polars")
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
    print(f"\n{machine()}; Polars {version('polars')}; {options.rows:,} captures; medians of {options.rounds} rounds\n")
    report(results, startup)


def run(watchkeeper: str, data: Path, rounds: int) -> tuple[dict[str, list[Cost]], dict[str, list[Cost]]]:
    merged, lines = data / "merged", data / "merged.jsonl"
    ours = [watchkeeper, "quality", "merge", "--captures", str(data / "captures"), "--ground-truth", str(data / "labels"),
            "-o", str(merged), "--threads", str(THREADS)]  # fmt: skip
    peers = {f"DuckDB, {name}": duckdb(statement, THREADS) for name, statement in statements(data, lines).items()}
    ways = {"columns": POLARS_COLUMNS, "lines as text": POLARS_TEXT, "marks, no event ids": POLARS_MARKS}
    peers |= {f"Polars, {name}": polars(program, data, lines) for name, program in ways.items()}
    programs = {"Watchkeeper": (ours, merged)} | {name: (peer, lines) for name, peer in peers.items()}
    idle = {"DuckDB": duckdb("SELECT 1", THREADS), "Polars": polars("", data, lines)}
    results: dict[str, list[Cost]] = {name: [] for name in programs}
    startup: dict[str, list[Cost]] = {library: [] for library in idle}
    fingerprints = {}
    for number in range(rounds + 1):
        for name, (arguments, output) in programs.items():
            read_all(data)
            remove(merged)
            remove(lines)
            cost = measure(arguments)
            if number > 0:
                results[name].append(cost)
            else:
                fingerprints[name] = fingerprint(f"{merged}/endpoint/**/*.jsonl" if output == merged else str(lines))
        for library, arguments in idle.items():
            startup[library].append(measure(arguments))
        if len(set(fingerprints.values())) != 1:
            sys.exit(f"error: the merged lines differ: {json.dumps(fingerprints, indent=2)}")
    return results, {library: costs[1:] for library, costs in startup.items()}


def report(results: dict[str, list[Cost]], startup: dict[str, list[Cost]]) -> None:
    ours = results["Watchkeeper"]
    print("| program | CPU s | wall s | peak MB | CPU, times ours | wall, times ours |\n|---|---|---|---|---|---|")
    fastest: dict[str, float] = {}
    for name, costs in results.items():
        times = [""] * 2
        library = name.partition(",")[0]
        if library in startup:
            cpu, wall = (times_less(figure, ours, costs, startup[library]) for figure in ("cpu", "wall"))
            times = [f"{cpu:.1f}", f"{wall:.1f}"]
            fastest[library] = min(fastest.get(library, wall), wall)
        print(f"| {name} | {cells(costs)} | " + " | ".join(times) + " |")
    peak = max(cost.peak for cost in ours)
    claims = [
        *((f"at least {TIMES_FASTER:g} times faster than the fastest way of {library} ({wall:.2f})", wall >= TIMES_FASTER)
          for library, wall in fastest.items()),
        (f"peak memory below {MEGABYTES:g} MB ({peak:.0f})", peak < MEGABYTES),
    ]
    print()
    sys.exit(not judge(claims))


if __name__ == "__main__":
    main()
