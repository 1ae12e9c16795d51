"""A container of a user's own, as a program: it follows the processing contract and nothing else.

It counts the rows below /opt/ml/processing/input, writes what it was given to its output, and leaves an exit message.
`--seconds N` makes it slow, `--fail TEXT` makes it fail with that reason.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(os.environ.get("WATCHKEEPER_JOB_ROOT", "/"))


def inside(path: str) -> Path:
    return ROOT / path.lstrip("/")


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=0)
    arguments.add_argument("--fail")
    arguments.add_argument("--output", default="/opt/ml/processing/output")
    given = arguments.parse_args()

    job = json.loads(inside("/opt/ml/config/processingjobconfig.json").read_text())
    resources = json.loads(inside("/opt/ml/config/resourceconfig.json").read_text())
    print("row counter of", job["ProcessingJobArn"], "on", resources["current_host"], flush=True)
    message = inside("/opt/ml/output/message")
    message.parent.mkdir(parents=True, exist_ok=True)
    if given.fail is not None:
        message.write_text(given.fail)
        return 3
    time.sleep(given.seconds)

    files = sorted(path for path in inside("/opt/ml/processing/input").rglob("*") if path.is_file())
    rows = {
        str(path.relative_to(inside("/opt/ml/processing/input"))): len(path.read_text().splitlines()) for path in files
    }
    output = inside(given.output)
    output.mkdir(parents=True, exist_ok=True)
    report = {
        "rows": rows,
        "arguments": sys.argv[1:],
        "environment": {name: os.environ.get(name) for name in job.get("Environment", {})},
        "configuration": job,
        "hosts": resources["hosts"],
    }
    (output / f"report-{resources['current_host']}.json").write_text(json.dumps(report, indent=1))
    message.write_text(f"Completed: {sum(rows.values())} rows in {len(rows)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
