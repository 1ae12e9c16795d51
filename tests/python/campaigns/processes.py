"""`processes`: two processes of the service on one PostgreSQL and one outside S3. One of them is killed, or its network is
cut, while both have work; the other goes on, takes up what the first had, and nothing is done twice or lost.
"""

import random
import time
from typing import Any

from campaign import seconds_until
from jobs import AllJobs
from namespaces import Namespace, lack_of_namespaces
from outages import Outage
from resources import wait_until
from schedules import Ticks
from uploads import Writes
from victim import Victim

MASTER_KEY = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
SECONDS_TO_GO_ON = 30.0
KILL, CUT = "kill", "cut"


class Either:
    """A client of two processes: each call goes to one of them, to the one that is there if the other is not."""

    def __init__(self, campaign: "Processes", name: str) -> None:
        self._campaign, self._name = campaign, name
        self._chance = random.Random(name)

    def __getattr__(self, member: str) -> Any:
        reachable = self._campaign.reachable
        return getattr(self._chance.choice(reachable).client(self._name), member)


class EitherVictim:
    """The first process, but for clients, who know both."""

    def __init__(self, campaign: "Processes") -> None:
        self._campaign = campaign
        self._clients: dict[str, Either] = {}

    def client(self, name: str) -> Either:
        return self._clients.setdefault(name, Either(self._campaign, name))

    def __getattr__(self, member: str) -> Any:
        return getattr(self._campaign.first, member)


class Processes(Outage):
    name = "processes"
    parts = (Writes, AllJobs, Ticks)
    has_database = True
    has_outside_s3 = True
    longest_seconds = 5.0

    @classmethod
    def lacks(cls) -> str | None:
        return super().lacks() or lack_of_namespaces()

    def make_victim(self) -> Victim:
        self.namespace = Namespace()
        self.first = super().make_victim()
        settings = self.settings()
        for port in (self.database.port, self.outside.gate.port):
            settings = settings.replace(f"127.0.0.1:{port}", f"{self.namespace.host}:{port}")
        self.second = Victim(self.folder / "second", settings, address=self.namespace.inside)
        self.second.prefix = self.namespace.prefix
        self.both = [self.first, self.second]
        self.reachable = list(self.both)
        for victim in self.both:
            victim.environment["WATCHKEEPER_MASTER_KEY"] = MASTER_KEY
        self.outcomes: dict[str, int] = {}
        return EitherVictim(self)  # type: ignore[return-value]

    def prepare(self) -> None:
        self.second.start()
        super().prepare()

    def fault(self) -> None:
        """The one that goes is either; only the second has a cable of its own."""
        kind = self.chance.choice((KILL, CUT))
        gone = self.second if kind == CUT else self.chance.choice(self.both)
        stays = self.first if gone is self.second else self.second
        self.outcomes[kind] = self.outcomes.get(kind, 0) + 1
        self.ledger.note(kind, process="first" if gone is self.first else "second")
        self.kills.append(time.time())
        if kind == KILL:
            gone.kill()
        else:
            self.namespace.cut()
        self.reachable = [stays]
        # Longer than a claim lasts, or not.
        longest = self.chance.uniform(0, 3) if self.is_brief else self.chance.uniform(15, 25)
        until = time.monotonic() + self.chance.choice((self.chance.uniform(0, 3), longest))
        self.goes_on(stays)
        time.sleep(max(0.0, until - time.monotonic()))
        if kind == CUT:
            self.namespace.heal()
        self.gone = gone

    def goes_on(self, stays: Victim) -> None:
        self.recovery.append(seconds_until(stays.write_and_read, SECONDS_TO_GO_ON, "the process does not go on"))

    def mend(self) -> None:
        for victim in self.both:
            victim.start_if_killed()
        self.goes_on(self.gone)
        self.reachable = list(self.both)

    def check_data(self, everything: bool) -> None:
        for victim in self.both:
            victim.must_be_alone()
            # Jobs of schedules come and go; a folder that stays is too many.
            there = victim.job_folders()
            wait_until(
                lambda victim=victim, there=there: not set(there).intersection(victim.job_folders()),
                f"the removal of folders among {there}",
            )
        self.check_documents()

    def end(self) -> None:
        for part in self.working:
            part.end()
        for victim in self.both:
            victim.end()

    def clean_up(self) -> None:
        self.second.remove()
        self.namespace.remove()
        super().clean_up()

    def summary(self, seconds: float) -> str:
        return f"{super().summary(seconds)}; {self.outcomes}"
