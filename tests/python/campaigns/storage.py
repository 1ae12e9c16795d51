"""`full-disk` and `read-only`: everything at once on a disk that is full for a while, or fails and becomes read-only.

While it lasts, what was acknowledged is read as before, endpoints answer, and what cannot be written is refused in time and
in words. Captures may be dropped then, and jobs may fail for that reason and no other. With room again the service goes on
by itself; a disk that has failed has to be mounted anew, for which the service is stopped.
"""

import re
import signal
import subprocess
import time
from pathlib import Path

from botocore.exceptions import ClientError

from campaign import FAILURES, Campaign
from capture import Records
from disks import Disk
from jobs import AllJobs
from ledger import Finding
from schedules import Ticks
from uploads import BUCKET, Writes
from victim import Victim

MEGABYTES = 512
SPACE = re.compile(r"space|disk|storage|quota|read-only", re.IGNORECASE)
# A program that cannot write its results cannot write its message either.
UNSAID = re.compile(r"AlgorithmError: See job logs for more information, exit code: \d+")
SECONDS_TO_RECOVER = 20


class Storage(Campaign):
    """On a disk of its own."""

    needs_disk = True
    parts = (Writes, AllJobs, Records)
    # Less than is free when nobody fills the disk.
    configuration = "objects.reserve_bytes = 8388608\n"

    def make_victim(self) -> Victim:
        # Where the service and its data are; the journal and the log are elsewhere.
        self.disk = Disk(self.folder / "disk.img", self.folder / "disk", MEGABYTES)
        victim = super().make_victim()
        victim.data = self.disk.folder / "data"
        self.disturbed: list[tuple[float, float]] = []
        self.periods: list[tuple[float, float]] = []
        self.recovery: list[float] = []
        return victim

    def excuses(self, reason: str, began: float, ended: float) -> bool:
        meanwhile = any(began <= end + 2 and ended >= start - 2 for start, end in self.periods)
        is_reason = SPACE.search(reason) is not None or UNSAID.match(reason) is not None
        return (meanwhile and is_reason) or super().excuses(reason, began, ended)

    def may_drop(self, moment: float) -> bool:
        return any(start - 1 <= moment <= end + 2 for start, end in self.disturbed)

    def begin(self) -> None:
        self.disturbed.append((time.monotonic(), float("inf")))
        self.periods.append((time.time(), float("inf")))

    def over(self) -> None:
        self.disturbed[-1] = (self.disturbed[-1][0], time.monotonic())
        self.periods[-1] = (self.periods[-1][0], time.time())

    def look(self) -> None:
        """Reads while nothing can be written."""
        self.ledger.note("looked")
        for part in self.working:
            try:
                part.look()
            except FAILURES as error:
                raise Finding(f"a read failed while the disk could not be written: {error}") from error

    def can_start(self) -> bool:
        """On a disk that cannot be written a start may fail, with a reason, and at once."""
        command = [self.victim.program, "serve", "--listen", self.victim.listen, "--data-dir", self.victim.data]
        command += ["--config", self.victim.configuration]
        log = self.folder / "start.log"
        with log.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=self.victim.environment)
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            if self.is_alive():
                process.send_signal(signal.SIGKILL)
                process.wait()
                return True
            time.sleep(0.1)
        status = process.poll()
        if status is None:
            process.kill()
            raise Finding("a start on a disk that cannot be written neither succeeded nor failed")
        text = log.read_text(encoding="utf-8", errors="replace")
        if status <= 0 or not SPACE.search(text) and "No space" not in text:
            raise Finding(f"a start on a disk that cannot be written ended with status {status} and says {text[-500:]!r}")
        return False

    def is_alive(self) -> bool:
        try:
            self.victim.client("s3").list_buckets()
        except FAILURES:
            return False
        return True

    def wait_for_writes(self) -> None:
        """The service goes on by itself."""
        began = time.monotonic()
        while True:
            try:
                self.victim.client("s3").put_object(Bucket="campaign-probe", Key="probe", Body=b"p" * 100_000)
                self.recovery.append(time.monotonic() - began)
                return
            except FAILURES as error:
                if time.monotonic() - began > SECONDS_TO_RECOVER:
                    raise Finding(f"the service has not recovered after {SECONDS_TO_RECOVER} s: {error}") from error
                time.sleep(0.1)

    def prepare(self) -> None:
        super().prepare()
        self.victim.client("s3").create_bucket(
            Bucket="campaign-probe", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )

    def clean_up(self) -> None:
        super().clean_up()
        self.disk.remove()

    def summary(self, seconds: float) -> str:
        most = max(self.recovery, default=0.0)
        return f"{super().summary(seconds)}; {len(self.disturbed)} disturbances, writes again after {most:.1f} s at most"


class FullDisk(Storage):
    name = "full-disk"

    def fault(self) -> None:
        self.begin()
        self.disk.fill()
        self.ledger.note("full")
        time.sleep(self.chance.uniform(0.3, 2.5))
        # What was taken down meanwhile has made room again.
        self.disk.fill()
        self.look()
        if self.chance.random() < 0.4:
            self.kill()
            self.ledger.note("started on a full disk", succeeded=self.can_start())
        self.disk.free()
        self.over()
        self.ledger.note("room again")

    def mend(self) -> None:
        if not self.victim.is_running():
            self.victim.process = None
            self.victim.start()
        self.wait_for_writes()


class SyncedWrites(Writes):
    """Without log events: what of them is not synced a disk that fails may lose, as a machine without power does."""

    has_logs = False


class ReadOnly(Storage):
    """The disk forgets, too, what was not synced: the same as if the power had gone."""

    name = "read-only"
    parts = (SyncedWrites, AllJobs, Records, Ticks)

    def fault(self) -> None:
        self.begin()
        self.disk.break_down()
        self.ledger.note("read-only")
        time.sleep(self.chance.uniform(0.3, 2.5))
        self.look()
        if self.chance.random() < 0.5:
            self.kill()
        else:
            self.stop_somehow()
        self.ledger.note("started on a read-only disk", succeeded=self.can_start())
        self.disk.repair()
        self.over()

    def stop_somehow(self) -> None:
        """Ends in time, whatever cannot be put down any more."""
        process = self.victim.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        self.first_kill = min(self.first_kill, time.monotonic())
        self.kills.append(self.now())
        try:
            process.wait(timeout=90)
        except subprocess.TimeoutExpired:
            raise Finding("SIGTERM on a read-only disk did not end the service within 90 s") from None
        self.victim.process = None

    def mend(self) -> None:
        super().mend()
        self.wait_for_writes()
