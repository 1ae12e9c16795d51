#!/usr/bin/env python3
"""Watchkeeper against DuckDB on the same files in the same run.

    cargo xtask bench [--rounds N] [--only CASE]...

Method. Each side is a process of its own, from its start to its exit; CPU is user plus system time of that process and
peak memory its largest resident set, both from wait4. The sides alternate, A B A B, after one round that is not
counted, so that a busy machine disturbs both. A ratio is taken within each round, ours to theirs; the table shows the median of
the rounds. DuckDB is started from Python, as its users do; what Python, the import and an empty query cost is measured
in every round too, and deducted from DuckDB (never from us) in the ratios that the claims are judged by.

Exit status 1 when a claim does not hold.

This process itself stays small and imports nothing large: Linux counts the memory of the process that starts a child into the
child's peak.
"""

import argparse
import hashlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
MEGABYTE = 1e6
TABLE_SHA256 = "6bb637a3b3436d154ed4c9ec228b42d017bfee26d047fa67f16a7a5f3f4db67c"


@dataclass
class Cost:
    cpu: float
    wall: float
    peak: float


def measure(arguments: list[str]) -> Cost:
    start = time.perf_counter()
    quiet = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    process = os.posix_spawn(arguments[0], arguments, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - start
    # Violations are not expected of a baseline; anything but 0 is no measurement.
    if status != 0:
        sys.exit(f"error: failed with wait status {status}: {' '.join(arguments)}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024 / MEGABYTE)


def duckdb(statement: str, threads: int) -> list[str]:
    program = (
        "import duckdb\n"
        "connection = duckdb.connect()\n"
        "connection.execute('SET enable_progress_bar=false')\n"
        f"connection.execute('SET threads={threads}')\n"
        f"connection.execute({statement!r}).fetchall()\n"
    )
    return [sys.executable, "-c", program]


@dataclass
class Claim:
    """An upper bound of a figure of the case; `of` takes the figure from the case's result."""

    text: str
    of: Callable[["Result"], float]
    bound: float


@dataclass
class Case:
    name: str
    ours: list[str]
    peers: dict[str, list[str]]
    claims: list[Claim]
    threads: int
    rounds: int


@dataclass
class Result:
    case: Case
    ours: list[Cost]
    peers: dict[str, list[Cost]]
    startup: list[Cost]

    def ratio(self, figure: str, peer: str | None = None, deduct: bool = True) -> float:
        """Median over the rounds of ours to the peer's, the first peer unless named."""
        theirs = self.peers[peer or next(iter(self.peers))]
        startup = median(self.startup, figure) if deduct else 0.0
        return statistics.median(
            getattr(our, figure) / (getattr(their, figure) - startup)
            for our, their in zip(self.ours, theirs, strict=True)
        )

    def peak(self) -> float:
        return max(cost.peak for cost in self.ours)


def cpu_claim(bound: float, peer: str) -> Claim:
    return Claim(f"CPU time at most {bound} of DuckDB's, its start-up deducted", lambda it: it.ratio("cpu", peer), bound)


def wall_claim(bound: float, peer: str) -> Claim:
    return Claim(f"wall time at most {bound} of DuckDB's, its start-up deducted", lambda it: it.ratio("wall", peer), bound)


MEMORY_CLAIM = Claim("peak memory below 150 MB", Result.peak, 150.0)


def cases(watchkeeper: str, reader: str, data: Path, output: Path, rounds: int) -> list[Case]:
    def baseline(dataset: Path, threads: int, *options: str) -> list[str]:
        return [watchkeeper, "baseline", str(dataset), "-o", str(output), "--threads", str(threads), *options]

    def summarize(source: str, threads: int) -> dict[str, list[str]]:
        return {"SUMMARIZE": duckdb(f"SUMMARIZE SELECT * FROM {source}", threads)}

    table, parquet, large = (data / name for name in ("churn_100mb.csv", "churn_100mb.parquet", "churn_1gb.csv"))
    capture = data / "capture"
    captured = f"read_json('{capture}/**/*.jsonl', format='newline_delimited')"
    # What a baseline of captures has to do: the 67 fields of each request as numbers where they are numbers.
    fields = ", ".join(f"TRY_CAST(field[{i}] AS DOUBLE) AS c{i}" if i > 7 else f"field[{i}] AS c{i}" for i in range(1, 68))
    as_rows = (
        f"SUMMARIZE SELECT score, {fields} FROM (SELECT captureData.endpointOutput.data::DOUBLE AS score, "
        f"string_split(captureData.endpointInput.data, ',') AS field FROM {captured})"
    )
    csv, csv_1gb, columns = f"read_csv('{table}')", f"read_csv('{large}')", f"read_parquet('{parquet}')"
    read_json = {"read_json": duckdb(f"CREATE TEMP TABLE t AS SELECT * FROM {captured}", 1)}
    capture_peers = {
        "read_json, SUMMARIZE": duckdb(as_rows, 2),
        "read_json": duckdb(f"CREATE TEMP TABLE t AS SELECT * FROM {captured}", 2),
        "count of a field": duckdb(f"SELECT count(captureData.endpointInput.data) FROM {captured}", 2),
    }
    return [
        Case("csv", baseline(table, 2), summarize(csv, 2),
             [cpu_claim(0.25, "SUMMARIZE"), wall_claim(0.3, "SUMMARIZE"), MEMORY_CLAIM], 2, rounds),
        Case("csv-one-thread", baseline(table, 1), summarize(csv, 1), [cpu_claim(0.25, "SUMMARIZE"), MEMORY_CLAIM], 1, rounds),
        Case("capture-read", [reader, '{"sagemakerCaptureJson": {}}', str(capture)], read_json,
             [cpu_claim(0.2, "read_json"), MEMORY_CLAIM], 1, rounds),
        Case("capture", baseline(capture, 2, "--format", "sagemakerCaptureJson"), capture_peers,
             [cpu_claim(0.2, "read_json, SUMMARIZE"), MEMORY_CLAIM], 2, rounds),
        Case("parquet", baseline(parquet, 2), summarize(columns, 2), [MEMORY_CLAIM], 2, rounds),
        Case("csv-1gb", baseline(large, 2), summarize(csv_1gb, 2),
             [cpu_claim(0.25, "SUMMARIZE"), wall_claim(0.3, "SUMMARIZE"), MEMORY_CLAIM], 2, min(rounds, 2)),
    ]  # fmt: skip


def run(case: Case) -> Result:
    startup = duckdb("SELECT 1", case.threads)
    result = Result(case, [], {peer: [] for peer in case.peers}, [])
    for counted in [False] + [True] * case.rounds:
        ours = measure(case.ours)
        theirs = {peer: measure(arguments) for peer, arguments in case.peers.items()}
        empty = measure(startup)
        if counted:
            result.ours.append(ours)
            result.startup.append(empty)
            for peer, cost in theirs.items():
                result.peers[peer].append(cost)
    return result


def prepare(data: Path, names: set[str]) -> None:
    """Generates what is not there yet. Everything is made in a folder beside and moved in when complete."""

    def generate(outputs: list[str], *arguments: str) -> None:
        if all((data / name).exists() for name in outputs):
            return
        print(f"generating {', '.join(outputs)}", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=data) as unfinished:
            subprocess.run([sys.executable, HERE / "gen.py", *arguments, "--out", unfinished], check=True, stdout=sys.stderr)
            for name in outputs:
                shutil.rmtree(data / name, ignore_errors=True)
                os.replace(Path(unfinished) / name, data / name)

    data.mkdir(parents=True, exist_ok=True)
    if names & {"csv", "csv-one-thread", "parquet"}:
        generate(["churn_100mb.csv", "churn_100mb.parquet"], "table", "--mb", "100", "--name", "churn_100mb", "--parquet")
        with open(data / "churn_100mb.csv", "rb") as table:
            if hashlib.file_digest(table, "sha256").hexdigest() != TABLE_SHA256:
                sys.exit(f"error: {table.name} is not what bench/gen.py writes with numpy 2.4: remove it and start again")
    if names & {"capture", "capture-read"}:
        generate(["capture", "ground-truth"], "capture", "--mb", "200")
    if "csv-1gb" in names:
        generate(["churn_1gb.csv"], "table", "--mb", "1000", "--name", "churn_1gb")


def hardware() -> str:
    model = platform.processor()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), model)
    except OSError:
        pass
    return f"{os.cpu_count()} cores of {model}; load {os.getloadavg()[0]:.1f}"


def version(library: str) -> str:
    """Of an installed library, asked in another process: this one stays small."""
    program = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
    asked = subprocess.run([sys.executable, "-c", program, library], check=True, capture_output=True, text=True)
    return asked.stdout.strip()


def machine() -> str:
    return f"{hardware()}; DuckDB {version('duckdb')}"


def median(costs: list[Cost], figure: str) -> float:
    return statistics.median(getattr(cost, figure) for cost in costs)


def times_less(figure: str, ours: list[Cost], theirs: list[Cost], startup: list[Cost]) -> float:
    """How many times less we take: theirs to ours, the median over the rounds; without a start-up none is deducted."""
    deducted = median(startup, figure) if startup else 0.0
    return statistics.median(
        (getattr(their, figure) - deducted) / getattr(our, figure) for our, their in zip(ours, theirs, strict=True)
    )


def cells(costs: list[Cost]) -> str:
    """CPU and wall time and peak memory, as cells of a table."""
    return f"{median(costs, 'cpu'):.2f} | {median(costs, 'wall'):.2f} | {max(it.peak for it in costs):.0f}"


def times_cells(ours: list[Cost], theirs: list[Cost], startup: list[Cost]) -> str:
    """How many times less CPU and wall time we take, and both with the start-up deducted, as cells of a table."""
    cpu, wall, *deducted = (
        times_less(figure, ours, theirs, known) for known in ([], startup) for figure in ("cpu", "wall")
    )
    return f"{cpu:.1f} | {wall:.1f} | {deducted[0]:.1f}, {deducted[1]:.1f}"


def judge(claims: Iterable[tuple[str, bool]]) -> bool:
    """Prints of each claim whether it holds, and gives whether all do."""
    all_hold = True
    for text, holds in claims:
        all_hold &= holds
        print(f"{'holds' if holds else 'DOES NOT HOLD'}: {text}")
    return all_hold


def generated(path: Path, program: str, *arguments: str) -> Path:
    """The file, made by a Python program that is told where, and anything else, when it is not there yet."""
    if not path.exists():
        print(f"generating {path.name}", file=sys.stderr)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        subprocess.run([sys.executable, "-c", program, unfinished, *arguments], check=True)
        unfinished.rename(path)
    return path


def table(results: list[Result]) -> str:
    lines = [
        "| case | threads | program | CPU s | wall s | peak MB | CPU ratio | wall ratio | CPU, start-up deducted | wall, start-up deducted |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        name, threads = result.case.name, result.case.threads
        lines.append(f"| {name} | {threads} | Watchkeeper | {cells(result.ours)} | | | | |")
        for peer, costs in result.peers.items():
            ratios = [result.ratio(figure, peer, deduct) for deduct in (False, True) for figure in ("cpu", "wall")]
            lines.append(f"| {name} | {threads} | DuckDB {peer} | {cells(costs)} | " + " | ".join(f"{it:.3f}" for it in ratios) + " |")
        lines.append(f"| {name} | {threads} | DuckDB start-up alone | {cells(result.startup)} | | | | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Watchkeeper against DuckDB")
    parser.add_argument("--watchkeeper", required=True, help="the program, built for release")
    parser.add_argument("--reader", required=True, help="the example `read` of crates/data, built for release")
    parser.add_argument("--data", required=True, type=Path, help="folder of the generated data")
    parser.add_argument("--rounds", type=int, default=5)
    names = [case.name for case in cases("", "", Path(), Path(), 1)]
    parser.add_argument("--only", action="append", choices=names, help="run this case alone (may be repeated)")
    options = parser.parse_args()
    chosen = set(options.only or names)

    prepare(options.data, chosen)
    results = []
    with tempfile.TemporaryDirectory(dir=options.data) as output:
        for case in cases(options.watchkeeper, options.reader, options.data, Path(output), options.rounds):
            if case.name in chosen:
                print(f"measuring {case.name}", file=sys.stderr)
                results.append(run(case))

    print(f"\n{machine()}; medians of {options.rounds} rounds (csv-1gb: {min(options.rounds, 2)})\n")
    print(table(results), end="\n\n")
    figures = [(result.case.name, claim, claim.of(result)) for result in results for claim in result.case.claims]
    sys.exit(not judge((f"{name}: {claim.text} ({figure:.3g})", figure <= claim.bound) for name, claim, figure in figures))


if __name__ == "__main__":
    main()
