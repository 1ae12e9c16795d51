"""A few rounds of each campaign, as `cargo xtask campaign` runs them, and that a campaign finds what it looks for."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns import CAMPAIGNS
from ledger import Finding, Ledger
from objects import OBJECT, ObjectWork, check_objects, state_of
from schedules import settled_schedules
from uploads import ResourceWork
from victim import Victim

ROUNDS = {
    "uploads": 3,
    "jobs": 2,
    "schedules": 2,
    "capture": 3,
    "capture-fast": 2,
    "full-disk": 2,
    "read-only": 1,
    "clock": 2,
    "postgresql-restart": 2,
    "s3-outage": 2,
    "processes": 1,
}
# Another seed for each run of the tests would make their outcome a matter of luck.
SEED = "8"
SECONDS = 400
SCRIPT = Path(__file__).parent / "run.py"


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_short_campaign(name: str, tmp_path: Path) -> None:
    reason = CAMPAIGNS[name].lacks()
    if reason is not None:
        pytest.skip(reason)
    command = [sys.executable, "-u", SCRIPT, name, "--times", str(ROUNDS[name]), "--seed", SEED, "--brief"]
    command += ["--keep", tmp_path / name]
    ended = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False, env=os.environ
    )
    if ended.returncode != 0:
        pytest.fail(ended.stdout[-8000:], pytrace=False)
    assert "no finding" in ended.stdout


@pytest.fixture
def objects(tmp_path: Path) -> Iterator[ObjectWork]:
    """A service with a few objects, and a ledger that knows of them."""
    victim = Victim(tmp_path).start()
    ledger = Ledger(tmp_path / "journal.jsonl")
    victim.make_bucket("bucket")
    work = ObjectWork(victim.client("s3"), ledger, "bucket", 0)
    for number in range(5):
        with ledger.change(OBJECT, f"bucket/{number}", state_of(b"body")):
            work.s3.put_object(Bucket="bucket", Key=f"{number}", Body=b"body")
    yield work
    victim.stop()


def compare(work: ObjectWork) -> None:
    check_objects(work.s3, work.ledger, "bucket", random.Random(0), everything=True)


def test_nothing_is_found_where_all_is_well(objects: ObjectWork) -> None:
    compare(objects)


@pytest.mark.parametrize("loss", ["gone", "changed", "stranger"])
def test_a_loss_is_found(objects: ObjectWork, loss: str) -> None:
    if loss == "gone":
        objects.s3.delete_object(Bucket="bucket", Key="3")
    else:
        objects.s3.put_object(Bucket="bucket", Key="3" if loss == "changed" else "9", Body=b"b0dy")
    with pytest.raises(Finding):
        compare(objects)


def test_either_outcome_of_a_request_without_an_answer_is_right(objects: ObjectWork) -> None:
    for key, is_done in (("1", True), ("2", False)):
        with pytest.raises(ConnectionError), objects.ledger.change(OBJECT, f"bucket/{key}", state_of(b"new")):
            if is_done:
                objects.s3.put_object(Bucket="bucket", Key=key, Body=b"new")
            raise ConnectionError("no answer")
    compare(objects)
    # From then on it is known which one it was.
    objects.s3.put_object(Bucket="bucket", Key="2", Body=b"new")
    with pytest.raises(Finding):
        compare(objects)


@pytest.mark.parametrize("change", ["made", "deleted"])
def test_what_becomes_of_a_pending_schedule_is_what_is_found(tmp_path: Path, change: str) -> None:
    """The answer was lost, and the schedule is Pending still when the campaign looks: it is neither there nor gone yet."""
    victim = Victim(tmp_path).start()
    try:
        ledger = Ledger(tmp_path / "journal.jsonl")
        victim.make_bucket("campaign-objects")
        work = ResourceWork(victim.client, ledger)
        name = "schedule-0"
        if change == "deleted":
            with ledger.change("schedule", name, name):
                work.make_schedule(name)
            work.check(everything=False)
        with pytest.raises(ConnectionError), ledger.change("schedule", name, name if change == "made" else None):
            if change == "made":
                work.make_schedule(name)
            else:
                work.sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)
            raise ConnectionError
        work.check(everything=False)
        expected = [name] if change == "made" else []
        assert ledger.present("schedule") == expected
        assert sorted(settled_schedules(work.sagemaker)) == expected
    finally:
        victim.remove()
