"""`full-disk` and `read-only`: everything at once on a disk that is full for a while, or fails and becomes read-only.

While it lasts, what was acknowledged is read as before, endpoints answer, and what cannot be written is refused in time and
in words. Captures may be dropped then, and jobs may fail for that reason and no other. With room again the service goes on
by itself; a disk that has failed has to be mounted anew, for which the service is stopped.
"""

import re
import signal
import subprocess
import time

from campaign import FAILURES, Campaign, seconds_until
from capture import Records
from disks import Disk
from jobs import AllJobs
from ledger import Finding
from schedules import Ticks
from service import clean_environment
from uploads import Writes
from victim import PROBE, Victim

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
        log, variables = self.folder / "start.log", clean_environment() | self.victim.environment
        with log.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(self.victim.command, stdout=subprocess.DEVNULL, stderr=errors, env=variables)
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
        if status <= 0 or not SPACE.search(text):
            raise Finding(f"a start on a disk that cannot be written ended with status {status} and says {text[-500:]!r}")
        return False

    def is_alive(self) -> bool:
        try:
            self.victim.client("s3").list_buckets()
        except FAILURES:
            return False
        return True

    def mend(self) -> None:
        """The service goes on by itself."""
        super().mend()
        seconds = seconds_until(lambda: self.victim.write(100_000), SECONDS_TO_RECOVER, "the service has not recovered")
        self.recovery.append(seconds)

    def prepare(self) -> None:
        super().prepare()
        self.victim.make_bucket(PROBE)

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
