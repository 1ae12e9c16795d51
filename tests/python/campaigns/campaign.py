"""What all campaigns share: rounds of work, a fault, a restart, and a look at everything.

A round: workers change things and put each answer down in the ledger; at a moment that the seed says the fault comes; the
service is started again; the campaign compares what is there with the ledger. At the end the service is stopped as an
operator stops it, and nothing of it may remain.

The seed says what is done and when the fault comes, to the millisecond; which instruction of the service that meets, no
seed can say. So a finding comes again in most cases, and in the others its journal says what was asked.
"""

import math
import random
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

import data_directory
from disks import lack_of_disks
from ledger import Finding, Ledger
from victim import Victim

Work = Callable[[random.Random], None]
"""A few requests of one worker; called until the round is over."""
FAILURES = (BotoCoreError, ClientError)
KILLED_THRICE = "the service ended 3 times while it ran this job"


class Workers:
    """Threads that each do their work again and again, until they are told to stop."""

    def __init__(self, works: list[Work], seed: str) -> None:
        self._stop = threading.Event()
        self._unexpected: list[BaseException] = []
        self.rounds = 0
        chance = [random.Random(f"{seed}/{number}") for number in range(len(works))]
        self._threads = [
            threading.Thread(target=self._repeat, args=pair, daemon=True) for pair in zip(works, chance, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def _repeat(self, work: Work, chance: random.Random) -> None:
        while not self._stop.is_set():
            try:
                work(chance)
                self.rounds += 1
            except FAILURES:
                # The service is away, or has no room: the ledger has it.
                self._stop.wait(0.02)
            except BaseException as error:  # noqa: BLE001 - told by `stop`
                self._unexpected.append(error)
                return

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=150)
            if thread.is_alive():
                raise Finding("a request has had no answer for 150 s")
        if self._unexpected:
            raise self._unexpected[0]


class Part:
    """A kind of work, and what must hold of it whatever the fault."""

    configuration: ClassVar[str] = ""

    def __init__(self, campaign: "Campaign") -> None:
        self.campaign = campaign
        self.victim, self.ledger, self.chance = campaign.victim, campaign.ledger, campaign.chance

    def client(self, name: str) -> Any:
        return self.victim.client(name)

    def prepare(self) -> None:
        """Makes what the work needs, once."""

    def works(self) -> list[Work]:
        """The workers' work of a round."""
        raise NotImplementedError

    def check(self, everything: bool) -> None:
        """Compares; `everything` once at the end, and now and then."""
        raise NotImplementedError

    def look(self) -> None:
        """Reads while the fault lasts: what was acknowledged is there, whatever cannot be written."""

    def end(self) -> None:
        """Ends what would go on."""

    def figures(self) -> str:
        """What is worth knowing beside the counts of the ledger."""
        return ""


class Campaign:
    """Kinds of work and a kind of fault; what differs between campaigns is overridden."""

    name: ClassVar[str]
    parts: ClassVar[tuple[type[Part], ...]]
    configuration: ClassVar[str] = ""
    needs_disk: ClassVar[bool] = False
    longest_seconds: ClassVar[float] = 2.0
    """The fault comes so long after the first answers, at most."""

    def __init__(self, folder: Path, seed: int, is_brief: bool = False) -> None:
        self.folder, self.seed = folder, seed
        self.is_brief = is_brief
        """Whether what lasts a minute in earnest is to last seconds."""
        self.chance = random.Random(f"{self.name}/{seed}")
        folder.mkdir(parents=True, exist_ok=True)
        self.ledger = Ledger(folder / "journal.jsonl")
        self.victim = self.make_victim()
        self.round = 0
        self.kills: list[float] = []
        self.first_kill = math.inf
        """When the service was killed first in this round, by `time.monotonic`."""
        self.working = [part(self) for part in self.parts]

    def make_victim(self) -> Victim:
        return Victim(self.folder, self.settings())

    # What a campaign says.

    def settings(self) -> str:
        """Of the service."""
        return self.configuration + "".join(part.configuration for part in self.parts)

    @classmethod
    def lacks(cls) -> str | None:
        """What this machine lacks for it, or None."""
        return lack_of_disks() if cls.needs_disk else None

    def excuses(self, reason: str, began: float, ended: float) -> bool:
        """Whether a job may have failed for that reason, between these moments."""
        kills = sum(began - 1 <= kill <= ended + 1 for kill in self.kills)
        return KILLED_THRICE in reason and kills >= 3

    def may_drop(self, moment: float) -> bool:
        """Whether what was captured at a moment (of `time.monotonic`) may be dropped and counted."""
        return False

    def fault(self) -> None:
        """`kill -9`; now and then once more while the service is starting."""
        self.kill()
        while self.chance.random() < 0.25:
            seconds = self.chance.uniform(0.0, 0.6)
            self.ledger.note("killed while starting", seconds=round(seconds, 3))
            self.kills.append(self.now())
            self.victim.kill_while_starting(seconds)

    def mend(self) -> None:
        """Ends what the fault began, where that is more than to start the service."""
        self.victim.start_if_killed()

    # What all do.

    def kill(self) -> None:
        self.ledger.note("killed")
        self.first_kill = min(self.first_kill, time.monotonic())
        self.kills.append(self.now())
        self.victim.kill()

    def now(self) -> float:
        """By the service's clock."""
        return time.time()

    def prepare(self) -> None:
        for part in self.working:
            part.prepare()

    def run(self, times: int, say: Callable[[str], None] = print) -> None:
        """So many rounds, and the end.

        Raises:
            Finding: a promise was broken; the folder is as it was then.
        """
        began = time.monotonic()
        self.victim.start()
        self.prepare()
        for self.round in range(1, times + 1):
            self.run_round(everything=self.round % 20 == 0)
            if self.round % 10 == 0 or self.round == times:
                say(f"  {self.round} of {times} rounds, {time.monotonic() - began:.0f} s; {self.figures()}")
        self.check(everything=True)
        self.check_data(everything=True)
        self.end()
        say(f"  {self.summary(time.monotonic() - began)}")

    def run_round(self, everything: bool) -> None:
        self.first_kill = math.inf
        works = [work for part in self.working for work in part.works()]
        workers = Workers(works, f"{self.name}/{self.seed}/{self.round}")
        try:
            self.wait_for_work(workers)
            time.sleep(self.chance.uniform(0, self.longest_seconds))
            self.fault()
        finally:
            workers.stop()
        self.mend()
        self.check(everything)
        self.check_data(everything)

    def wait_for_work(self, workers: Workers) -> None:
        deadline = time.monotonic() + 60
        while workers.rounds == 0:
            if time.monotonic() > deadline:
                raise Finding(f"nothing was acknowledged for 60 s; the log: {self.victim.log_text()[-2000:]}")
            time.sleep(0.005)

    def check(self, everything: bool) -> None:
        for part in self.working:
            part.check(everything)

    def check_data(self, everything: bool) -> None:
        """Processes and the data directory."""
        self.victim.must_be_alone()
        data_directory.check(self.victim.data, everything)

    def end(self) -> None:
        for part in self.working:
            part.end()
        self.victim.end()

    def clean_up(self) -> None:
        """Leaves nothing running and nothing mounted, whatever has happened."""
        self.victim.remove()

    def figures(self) -> str:
        ledger = self.ledger
        kinds = sorted(ledger.acknowledged)
        counted = ", ".join(
            f"{kind} {ledger.acknowledged[kind]}+{ledger.unanswered[kind]}/{ledger.compared[kind]}" for kind in kinds
        )
        more = "".join(f"; {text}" for part in self.working if (text := part.figures()))
        return f"acknowledged+unanswered/compared: {counted}{more}"

    def summary(self, seconds: float) -> str:
        starts = self.victim.seconds_to_start
        return (
            f"{self.name}: {len(self.kills)} kills in {self.round} rounds, {seconds:.0f} s, no finding; "
            f"{sum(self.ledger.acknowledged.values())} answers kept, {sum(self.ledger.unanswered.values())} requests without "
            f"one, {sum(self.ledger.compared.values())} comparisons; ready again after {statistics.median(starts):.2f} s "
            f"at the median, {max(starts):.2f} s at most" + "".join(f"; {text}" for p in self.working if (text := p.figures()))
        )


def pause(chance: random.Random, least: float, most: float) -> None:
    """Lets a worker do nothing for as long as the seed says: what it does takes moments, what it starts takes longer, and
    without pauses that would only pile up."""
    time.sleep(chance.uniform(least, most))


def seconds_until(works: Callable[[], object], most: float, otherwise: str) -> float:
    """Tries until it works, and gives how long that took.

    Raises:
        Finding: it does not work within so many seconds.
    """
    began = time.monotonic()
    while True:
        try:
            works()
            return time.monotonic() - began
        except FAILURES as error:
            if time.monotonic() - began > most:
                raise Finding(f"{otherwise} after {most} s: {error}") from error
            # Nobody tells a client when the service works again; asked without a pause it would do nothing but refuse.
            time.sleep(0.1)
