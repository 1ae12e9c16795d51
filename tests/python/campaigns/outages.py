"""`postgresql-restart` and `s3-outage`: the state is on a PostgreSQL server and an outside S3, which go away for a while in
the middle of everything. Now and then the service is killed meanwhile, too.

While a server is away its callers are refused in time; what was acknowledged is there when it is back, the service goes on
without a restart, and ticks, jobs and captures are as they would have been.
"""

import contextlib
import threading
import time

import data_directory
from campaign import FAILURES, Campaign, seconds_until
from capture import Records
from jobs import AllJobs
from ledger import Finding
from schedules import Ticks
from servers import OutsideS3, PostgreSQL, postgresql_programs
from uploads import Writes
from victim import KEY, PROBE, Victim

# An outside S3 is asked again for 75 seconds, the last attempt has ten of its own, and machines are slow.
LONGEST_REFUSAL = 110.0
SECONDS_TO_RECOVER = 60


class Outage(Campaign):
    """On servers of its own, one of which is away for a while."""

    parts = (Writes, AllJobs, Records, Ticks)
    has_database = False
    has_outside_s3 = False
    reasons: tuple[str, ...] = ()

    @classmethod
    def lacks(cls) -> str | None:
        if cls.has_database and postgresql_programs() is None:
            return "PostgreSQL is not installed: apt-get install postgresql"
        return None

    def make_victim(self) -> Victim:
        self.recovery: list[float] = []
        self.longest = 0.0
        """The longest that a request was held up."""
        self.away: list[tuple[float, float]] = []
        """From when to when, by the clock."""
        if self.has_database:
            self.database = PostgreSQL(self.folder / "postgresql")
        if self.has_outside_s3:
            self.outside = OutsideS3(self.folder / "outside")
        return super().make_victim()

    def settings(self) -> str:
        settings = super().settings()
        if self.has_database:
            settings += f'database.url = "{self.database.url}"\n'
        if self.has_outside_s3:
            settings += f'objects.endpoint_url = "http://127.0.0.1:{self.outside.gate.port}"\nobjects.region = "eu-west-1"\n'
            settings += f'objects.access_key_id = "{KEY["WATCHKEEPER_ACCESS_KEY_ID"]}"\n'
            settings += f'objects.secret_access_key = "{KEY["WATCHKEEPER_SECRET_ACCESS_KEY"]}"\n'
        return settings

    def excuses(self, reason: str, began: float, ended: float) -> bool:
        meanwhile = any(began <= end + 5 and ended >= start - 5 for start, end in self.away)
        return (meanwhile and any(text in reason for text in self.reasons)) or super().excuses(reason, began, ended)

    def take_away(self) -> None:
        raise NotImplementedError

    def bring_back(self) -> None:
        raise NotImplementedError

    def fault(self) -> None:
        self.away.append((time.time(), float("inf")))
        self.take_away()
        self.ledger.note("away")
        asked = threading.Thread(target=self.ask)
        asked.start()
        time.sleep(self.seconds_away())
        if self.chance.random() < 0.25:
            self.kill()
        self.bring_back()
        self.away[-1] = (self.away[-1][0], time.time())
        self.ledger.note("back")
        asked.join()
        if self.longest > LONGEST_REFUSAL:
            raise Finding(f"a request was held up for {self.longest:.1f} s while the server was away")

    def seconds_away(self) -> float:
        return self.chance.uniform(0.2, 8)

    def ask(self) -> None:
        """A request is not held up for ever, whatever comes of it."""
        began = time.monotonic()
        with contextlib.suppress(*FAILURES):
            self.victim.write()
        self.longest = max(self.longest, time.monotonic() - began)

    def prepare(self) -> None:
        super().prepare()
        self.victim.make_bucket(PROBE)
        if self.has_outside_s3:
            buckets = self.outside.service.client("s3").list_buckets()["Buckets"]
            if PROBE not in {bucket["Name"] for bucket in buckets}:
                raise Finding("objects are not kept in the outside S3, whose outage would harm nothing")

    def mend(self) -> None:
        super().mend()
        seconds = seconds_until(self.victim.write_and_read, SECONDS_TO_RECOVER, "the service has not recovered")
        self.recovery.append(seconds)

    def end(self) -> None:
        super().end()
        if not self.ledger.unanswered and not self.is_brief:
            raise Finding("a server was away, and every request was answered: the campaign harms nothing")

    def check_data(self, everything: bool) -> None:
        """The data directory holds no documents or no bodies; what is left of jobs the parts look at."""
        self.victim.must_be_alone()
        self.check_documents()

    def check_documents(self) -> None:
        if self.has_database:
            data_directory.references(self.database.documents(data_directory.KINDS))

    def clean_up(self) -> None:
        super().clean_up()
        if self.has_database:
            self.database.remove()
        if self.has_outside_s3:
            self.outside.remove()

    def summary(self, seconds: float) -> str:
        most = max(self.recovery, default=0.0)
        return f"{super().summary(seconds)}; {len(self.away)} outages, answers again after {most:.1f} s at most, a request held up for {self.longest:.0f} s at most"


class DatabaseRestart(Outage):
    name = "postgresql-restart"
    has_database = True

    def take_away(self) -> None:
        self.database.stop(self.chance.choice(("immediate", "fast")))

    def bring_back(self) -> None:
        self.database.start()


class S3Outage(Outage):
    """503, no connection, or silence, for up to a minute."""

    name = "s3-outage"
    has_outside_s3 = True
    reasons = ("503", "SlowDown", "S3", "connect", "timed out", "time")

    def seconds_away(self) -> float:
        if self.is_brief:
            return self.chance.uniform(1, 5)
        return self.chance.choice((self.chance.uniform(0.2, 5), self.chance.uniform(5, 20), 60.0))

    def take_away(self) -> None:
        self.outside.gate.shut(self.chance.choice(("unavailable", "unavailable", "closed", "silent")))

    def bring_back(self) -> None:
        self.outside.gate.open()
