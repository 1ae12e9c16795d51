#!/usr/bin/env python3
"""Memory of the service while its store stands still under captured traffic.

    cargo xtask bench stalled-store [--minutes N]

Another process holds the write lock of the database, so that no object can be put; requests with bodies of 20 kB go on, each
captured. What finds no room in memory is dropped and counted, and every request is answered. Afterwards the lock is let go:
what was kept is stored.

Exit status 1 when a claim does not hold. Needs nginx and wrk.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from hosting import LONGER_PAUSES, MODEL_SERVER, Load, Target, captures, deploy_both, free_port, nginx, wait_for
from service import Service, claim, failures

#: Megabytes that memory may grow by once the room for captures is full.
MOST_GROWTH = 32.0
#: Seconds until the room is full and everything has been touched once.
SETTLING = 30
#: A signature holds for fifteen minutes.
LONGEST_LOAD = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchkeeper", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    arguments = parser.parse_args()
    seconds = min(int(arguments.minutes * 60), LONGEST_LOAD)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = free_port()
        model = nginx(folder, "model", MODEL_SERVER.format(port=port, folder=folder, workers=1))
        service = None
        try:
            wait_for(port)
            configuration = f'[[images]]\nmatch = "*bench-model*"\nurl = "http://127.0.0.1:{port}"\n'
            service = Service(arguments.watchkeeper, folder, configuration)
            deploy_both(service)
            target = Target("endpoint, captured", service.port, "/endpoints/captured/invocations", service)
            database = sqlite3.connect(folder / "data" / "metadata.db", isolation_level=None)
            database.execute("BEGIN IMMEDIATE")
            samples: list[tuple[float, float]] = []
            with ThreadPoolExecutor() as pool:
                began = time.monotonic()
                load = pool.submit(Load(folder).run, target, "20 kB", 16, seconds, LONGER_PAUSES)
                while not load.done():
                    wait([load], timeout=5)
                    samples.append((time.monotonic() - began, service.usage()[1]))
                    print(f"  {samples[-1][0]:4.0f} s: {samples[-1][1]:.0f} MB", flush=True)
            rate, _ = load.result()
            database.execute("ROLLBACK")
            database.close()
            settled = [megabytes for second, megabytes in samples if second >= min(SETTLING, seconds / 2)]
            # The load puts down what went wrong.
            claim(not failures, f"every request was answered, {rate:.0f} a second")
            growth = max(settled) - settled[0]
            claim(growth < MOST_GROWTH, f"memory grew by {growth:.0f} MB in {seconds} s, at most {max(settled):.0f} MB")
            counts = captures(service, "captured")
            claim(counts["CapturedRecords"] > 0 and counts["DroppedRecords"] > 0, f"afterwards: {counts}")
        finally:
            if service is not None:
                service.stop()
            model.terminate()
            model.wait(10)
    for text in failures:
        print(f"DOES NOT HOLD: {text}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
