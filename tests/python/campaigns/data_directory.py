"""What must hold of a data directory whose service runs and has settled: no half record, no file that nothing names.

It is read beside the service, by read-only connections, which SQLite allows while another process writes. What is looked
at here changes with the layout; everything that a client can see is compared through the interface instead.
"""

import json
import sqlite3
import time
from pathlib import Path

from ledger import Finding

DATABASES = ("metadata.db", "logs.db")
KINDS = ("executions", "processing_jobs", "transform_jobs", "async_invocations", "monitoring_schedules", "endpoints")
SETTLING_SECONDS = 20


def check(data: Path, everything: bool) -> None:
    """Waits for what is on its way, then finds what should not be there.

    Raises:
        Finding: a file too many or too few, or a database that is not sound.
    """
    deadline = time.monotonic() + SETTLING_SECONDS
    while (problem := files(data)) is not None:
        if time.monotonic() > deadline:
            raise Finding(problem)
        time.sleep(0.1)
    for name in DATABASES:
        integrity(data / name, everything)
    documents(data / "metadata.db")


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)


def integrity(path: Path, everything: bool) -> None:
    connection = connect(path)
    try:
        pragma = "integrity_check" if everything else "quick_check"
        answer = [row[0] for row in connection.execute(f"PRAGMA {pragma}")]
    finally:
        connection.close()
    if answer != ["ok"]:
        raise Finding(f"{path.name}: {answer[:5]}")


def files(data: Path) -> str | None:
    """What is wrong with the files of bodies, or None. Rows are read before the files and after: what is put meanwhile is
    no finding."""
    before = blobs(data)
    objects = data / "objects"
    on_the_way = [path.name for path in (objects / "incoming").iterdir()] if (objects / "incoming").is_dir() else []
    there = {path.name: path for path in objects.rglob("*") if path.is_file() and path.parent.name != "incoming"}
    after = blobs(data)
    lost = (before & after) - there.keys()
    if lost:
        return f"bodies without a file: {sorted(lost)[:5]}"
    orphans = there.keys() - before - after
    if orphans:
        return f"files that no object has: {sorted(orphans)[:5]}"
    if on_the_way:
        return f"bodies that are on their way for ever: {on_the_way[:5]}"
    return None


def blobs(data: Path) -> set[str]:
    connection = connect(data / "metadata.db")
    try:
        rows = connection.execute("SELECT blob FROM pieces UNION SELECT blob FROM parts")
        return {row[0] for row in rows}
    finally:
        connection.close()


def documents(path: Path) -> None:
    """Every document can be read, and what it refers to is there."""
    connection = connect(path)
    try:
        connection.execute("BEGIN")
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        rows = {kind: list(connection.execute(f"SELECT key, body FROM {kind}")) for kind in KINDS if kind in tables}
    finally:
        connection.close()
    references({kind: dict(found) for kind, found in rows.items()})


def references(texts: dict[str, dict[str, str]]) -> None:
    """Of the documents of one moment, by their kinds and keys: each can be read, and what it refers to is there."""
    try:
        loaded = {kind: {key: json.loads(body) for key, body in found.items()} for kind, found in texts.items()}
    except ValueError as error:
        raise Finding(f"a document is no JSON: {error}") from error
    jobs, executions = loaded["processing_jobs"], loaded["executions"]
    names = {name.lower() for name in jobs}
    for key, job in jobs.items():
        execution = job.get("execution")
        if execution is not None and execution not in executions:
            raise Finding(f"job {key} is of execution {execution}, which is not there")
    for key, execution in executions.items():
        arn = execution.get("processing_job_arn")
        if arn is not None and arn.rpartition("/")[2].lower() not in names:
            raise Finding(f"execution {key} has job {arn}, which is not there")
    for key, schedule in loaded["monitoring_schedules"].items():
        running = schedule.get("running")
        if running is not None and running not in executions:
            raise Finding(f"schedule {key} says that {running} runs, which is not there")
