#!/usr/bin/env python3
"""How much of the time of `watchkeeper explain` is the model's own, where the model is behind HTTP.

    cargo xtask bench http-model [--rounds N] [--only CASE]...

| case | model |
|---|---|
| trees | 100 boosted trees of depth 4 over NumPy arrays, one process a core, each with one connection at a time |
| linear | logistic regression over NumPy arrays, the same server: reading the request is most of its work |
| sleep | sleeps 10 us a record, 20 ms a request at least, and takes all requests at once: a model that is elsewhere |

Every worker writes down when it began to read a request and when it had written the answer. The model's own time is the
union of these: the time in which it had at least one request to answer. Beside it stands the wall time from the start of
the process to its exit, reading, clustering, solving and the report included.

The ideal is what the same requests take when a client that does nothing else sends them, as many at once as the model
takes: the most that any explainer could reach.

Exit status 1 when a claim does not hold.
"""

import argparse
import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from run import hardware, judge

CLAIMED_SHARE = 0.9
ROWS, FEATURES = 100, 20
BACKGROUND = 5
# What loading NumPy may take on a busy machine.
START_SECONDS = 60
WORKERS = {"trees": 2, "linear": 2, "sleep": 16}
SERVER = """
import io, json, os, socket, sys, time
import numpy as np

kind, features, log_path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
listener = socket.socket(fileno=int(sys.argv[4]))
workers, requests_path = int(sys.argv[5]), sys.argv[6]
random = np.random.default_rng(7)
weights = random.normal(size=features)
splits = random.integers(0, features, (100, 15))
thresholds, leaves = random.normal(size=(100, 15)), random.normal(size=(100, 16)) / 50


def predict(body):
    if kind == "sleep":
        records = body.count(b"\\n") + 1
        time.sleep(max(0.02, records * 1e-5))
        return b"\\n".join([b"0.5"] * records)
    table = np.fromstring(body.replace(b"\\n", b","), sep=",").reshape(-1, features)
    if kind == "linear":
        score = table @ weights
    else:
        score = np.zeros(len(table))
        rows = np.arange(len(table))
        for tree in range(100):
            node = np.zeros(len(table), dtype=np.int64)
            for _ in range(4):
                node = 2 * node + 1 + (table[rows, splits[tree][node]] > thresholds[tree][node])
            score += leaves[tree][node - 15]
    return "\\n".join(map(repr, (1 / (1 + np.exp(-score))).tolist())).encode()


for _ in range(workers - 1):
    if os.fork() == 0:
        break
log = open(f"{log_path}.{os.getpid()}", "w", buffering=1)
while True:
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = connection.makefile("rb")
    while line := stream.readline():
        begun = time.monotonic()
        length = 0
        while (header := stream.readline()) not in (b"\\r\\n", b""):
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = stream.read(length)
        answer = predict(body)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(answer) + answer)
        log.write(json.dumps([begun, time.monotonic()]) + "\\n")
        if requests_path != "-":
            with open(f"{requests_path}/{os.getpid()}-{begun}", "wb") as file:
                file.write(body)
    connection.close()
"""
GENERATE = """
import sys
import numpy as np

rows, features = int(sys.argv[2]), int(sys.argv[3])
table = np.random.default_rng(3).normal(size=(rows, features))
np.savetxt(sys.argv[1], table, "%.6f", ",", header=",".join(f"f{number}" for number in range(features)), comments="")
"""


class Model:
    """A server of the case, whose workers share a socket and serve a connection to its end each; it ends with the context."""

    def __init__(self, case: str, scratch: Path, kept: Path | None = None) -> None:
        self.scratch, self.name = scratch, f"log-{case}-{time.monotonic_ns()}"
        with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
            self.port = listener.getsockname()[1]
            arguments = [case, str(FEATURES), str(scratch / self.name), str(listener.fileno())]
            arguments += [str(WORKERS[case]), str(kept or "-")]
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVER, *arguments], pass_fds=[listener.fileno()], start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while len(list(scratch.glob(f"{self.name}.*"))) < WORKERS[case]:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                sys.exit(f"error: {case}: the model's server has not come up")
            time.sleep(0.01)

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def spans(self) -> list[tuple[float, float]]:
        lines = [line for path in self.scratch.glob(f"{self.name}.*") for line in path.read_text().splitlines()]
        return sorted((begun, ended) for begun, ended in map(json.loads, lines))

    def stop(self) -> None:
        # Also what a server that has ended by itself has left.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def union(spans: list[tuple[float, float]]) -> float:
    total, until = 0.0, float("-inf")
    for begun, ended in spans:
        total += max(0.0, ended - max(begun, until))
        until = max(until, ended)
    return total


def replay(port: int, bodies: list[bytes], at_once: int) -> float:
    """Sends the bodies again, so many at once, and does nothing else: the seconds that takes."""
    rest, lock = iter(bodies), threading.Lock()

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                body = next(rest, None)
            if body is None:
                return
            connection.request("POST", "/", body, {"content-type": "text/csv"})
            connection.getresponse().read()

    threads = [threading.Thread(target=send) for _ in range(at_once)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - begun


def explain(watchkeeper: str, case: str, dataset: Path, scratch: Path, at_once: int) -> dict[str, float]:
    kept = scratch / "requests"
    kept.mkdir(exist_ok=True)
    figures: dict[str, float] = {}
    for purpose in ("measure", "keep"):
        with Model(case, scratch, kept if purpose == "keep" else None) as model:
            output = scratch / f"output-{time.monotonic_ns()}"
            command = [watchkeeper, "explain", str(dataset), "--model", f"http://127.0.0.1:{model.port}/"]
            command += ["--num-clusters", str(BACKGROUND), "--seed", "1", "-o", str(output)]
            begun = time.monotonic()
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            wall = time.monotonic() - begun
            if run.returncode != 0:
                sys.exit(f"error: {case}: {run.stdout}{run.stderr}")
            if purpose == "measure":
                spans = model.spans()
                figures = {"wall": wall, "model": union(spans), "requests": len(spans)}
                figures["share"] = figures["model"] / wall
                figures["before"] = spans[0][0] - begun
                figures["after"] = begun + wall - max(ended for _, ended in spans)
    bodies = [path.read_bytes() for path in sorted(kept.iterdir(), key=lambda path: path.name.split("-")[1])]
    with Model(case, scratch) as model:
        figures["ideal"] = replay(model.port, bodies, at_once)
    for path in kept.iterdir():
        path.unlink()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="The share of an HTTP model in the time of an explanation")
    parser.add_argument("--watchkeeper", required=True, help="the program, built for release")
    parser.add_argument("--data", required=True, type=Path, help="folder for the data")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=WORKERS, help="this case alone (may be repeated)")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=options.data) as folder:
        scratch = Path(folder)
        dataset = scratch / "rows.csv"
        subprocess.run([sys.executable, "-c", GENERATE, dataset, str(options.rows), str(FEATURES)], check=True)
        for case in options.only or WORKERS:
            at_once = min(WORKERS[case], 2 * (os.cpu_count() or 1))
            rounds = [explain(options.watchkeeper, case, dataset, scratch, at_once) for _ in range(options.rounds)]
            results[case] = {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}
    print(f"\n{hardware()}; {options.rows} rows of {FEATURES} features; medians of {options.rounds} rounds\n")
    print("| model | requests | wall s | the model's own s | share | before the first request s | after the last s | ideal s |")
    print("|---|---|---|---|---|---|---|---|")
    for case, figures in results.items():
        shown = [figures[name] for name in ("wall", "model", "share", "before", "after", "ideal")]
        print(f"| {case} | {figures['requests']:.0f} | " + " | ".join(f"{figure:.2f}" for figure in shown) + " |")
    print()
    text = f"at least {CLAIMED_SHARE:.0%} of the time is the model's own"
    shares = [(case, figures["share"]) for case, figures in results.items()]
    sys.exit(not judge((f"{case}: {text} ({share:.3f})", share >= CLAIMED_SHARE) for case, share in shares))


if __name__ == "__main__":
    main()
