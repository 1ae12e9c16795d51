"""`clock`: the service's clock jumps by an hour, forward and back, while everything is under way; now and then the service is
killed there, too. Clients go by the same clock, as those of one machine do.

Every tick that the clock has ever passed has one row. A job is not run again because its claim seems to have run out. What
was captured is there, in the hour that the clock showed.
"""

import datetime
import os
import time
from pathlib import Path

import botocore.auth

import data_directory
from campaign import Campaign
from capture import Records
from jobs import AllJobs
from ledger import Finding
from schedules import Ticks
from uploads import Writes
from victim import Victim

LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/local/lib/faketime")
HOUR = 3600
# The scheduler looks at the clock every second: a jump back and forth within that it need not see.
SEEN_SECONDS = 3.0


def library() -> Path | None:
    """libfaketime, for programs with threads; None where it is not installed."""
    paths = [Path(folder) / "libfaketimeMT.so.1" for folder in LIBRARIES]
    return next((path for path in paths if path.exists()), None)


class RareTicks(Ticks):
    """An hour has some hundred of them."""

    periods = {"count-a": 20, "count-b": 30, "data": 60, "quality": 90}
    moody_period = 30
    hours = (-3, -2, -1, 0, 1, 2, 3)
    campaign: "Clock"

    def check_ticks(self, name: str, period: int) -> None:
        """All ticks that the clock has come to or jumped over since the schedule was made."""
        passed = self.campaign.passed(self.first[name][1])
        latest = max(end for _, end in passed)
        surely = {tick for start, end in passed for tick in range(int(start) // period * period, int(end) + 1, period)}
        surely = {tick for tick in surely if any(start < tick <= end for start, end in passed)}
        if not surely:
            return
        self.all_over(name, max(surely))
        rows = self.rows_until(name, latest)
        times = [self.time_of(row) for row in rows]
        earliest = min(start for start, _ in passed) - HOUR / 10
        twice = sorted({time for time in times if times.count(time) > 1})
        lost = sorted(surely - set(times))
        strangers = [time for time in times if time % period or time < earliest]
        if twice or lost or strangers:
            raise Finding(f"schedule {name}: ticks {lost} have no row, {twice} have several, {strangers} are none")
        for row in rows:
            self.check_row(row)


class Clock(Campaign):
    name = "clock"
    parts = (Writes, AllJobs, Records, RareTicks)
    longest_seconds = 2.0

    @classmethod
    def lacks(cls) -> str | None:
        return None if library() is not None else "libfaketime is not installed: apt-get install faketime"

    def make_victim(self) -> Victim:
        victim = super().make_victim()
        self.clock_file = self.folder / "clock"
        self.offset = 0
        self.moments: list[tuple[float, float, float]] = []
        """What the clock showed before each jump and after it, and when the service had surely seen it."""
        self.offset_file(0)
        victim.environment |= {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock_file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }
        self.real = botocore.auth.get_current_datetime
        botocore.auth.get_current_datetime = self.client_clock
        return victim

    def client_clock(self, *arguments: bool, **options: bool) -> datetime.datetime:
        return self.real(*arguments, **options) + datetime.timedelta(seconds=self.offset)

    def now(self) -> float:
        return time.time() + self.offset

    def offset_file(self, seconds: int) -> None:
        new = self.clock_file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n", encoding="utf-8")
        os.rename(new, self.clock_file)

    def set_offset(self, seconds: int) -> None:
        before = self.now()
        self.offset_file(seconds)
        self.offset = seconds
        self.jump = (before, self.now())

    def passed(self, since: float) -> list[tuple[float, float]]:
        """The spans that the clock has gone through or jumped over, as far as the service must have seen it: not the moment
        before the clock was put back, nor the time after that until the service looked at the clock again."""
        spans, current = [], since
        for before, after, seen in self.moments:
            if current > before:
                continue
            if after > before:
                spans.append((current, after))
                current = after
            else:
                spans.append((current, before - SEEN_SECONDS))
                current = seen
        spans.append((current, self.now() - SEEN_SECONDS))
        return [(start, end) for start, end in spans if start < end] or [(since, since)]

    def fault(self) -> None:
        """The clock is an hour ahead or behind in turn with being right, at random."""
        choices = [offset for offset in (-HOUR, 0, HOUR) if offset != self.offset and abs(offset - self.offset) <= HOUR]
        self.set_offset(self.chance.choice(choices))
        self.ledger.note("clock", offset=self.offset)
        if self.chance.random() < 0.3:
            time.sleep(self.chance.uniform(0, 1))
            self.kill()
        else:
            time.sleep(SEEN_SECONDS + self.chance.uniform(0, 1))

    def mend(self) -> None:
        was_killed = self.victim.process is None
        super().mend()
        if was_killed:
            # It looks at the clock when it has started.
            time.sleep(SEEN_SECONDS)
        self.moments.append((*self.jump, self.now()))

    def check_data(self, everything: bool) -> None:
        super().check_data(everything)
        connection = data_directory.connect(self.victim.data / "metadata.db")
        try:
            rows = connection.execute("SELECT key, body ->> 'attempts' FROM processing_jobs")
            often = [(key, attempts) for key, attempts in rows if int(attempts) > 1 + len(self.kills)]
        finally:
            connection.close()
        if often:
            raise Finding(f"jobs were run again though nobody had ended: {often[:5]}")

    def clean_up(self) -> None:
        super().clean_up()
        botocore.auth.get_current_datetime = self.real
