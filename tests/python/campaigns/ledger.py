"""What clients were told: the other side of the comparison that every check makes.

A change is put down before it is asked for, and once more when its answer is there. Between the two, and for good where no
answer came, either outcome is right: the state before it, or the one after it. A third is a loss. The journal is a file of
its own, outside of all that a campaign harms, with a line for each of these moments, so that a finding can be followed.

One worker at a time changes a thing: what follows what is then known without clocks.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import ClientError


class Finding(AssertionError):
    """The service has broken a promise."""


@dataclass
class Known:
    """What may be found of a thing; a state of None is that it is not there."""

    settled: str | None = None
    possible: list[str | None] = field(default_factory=list)
    touched: bool = True

    def allows(self, state: str | None) -> bool:
        return state == self.settled or state in self.possible

    def __str__(self) -> str:
        return f"{self.settled!r}" + "".join(f" or {state!r}" for state in self.possible)


class Ledger:
    """Things by kind and name, and what clients know of them."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal.open("a", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        self._things: dict[str, dict[str, Known]] = {}
        self.acknowledged: Counter[str] = Counter()
        self.unanswered: Counter[str] = Counter()
        self.compared: Counter[str] = Counter()

    def note(self, event: str, **more: object) -> None:
        with self._lock:
            self._journal.write(json.dumps({"time": round(time.time(), 3), "event": event} | more) + "\n")

    @contextmanager
    def change(self, kind: str, name: str, state: str | None) -> Iterator[None]:
        """A request that brings a thing into a state. A refusal (4xx) changes nothing; any other failure says nothing."""
        with self._lock:
            known = self._things.setdefault(kind, {}).setdefault(name, Known())
            known.possible.append(state)
            known.touched = True
        self.note("asked", kind=kind, name=name, state=state)
        try:
            yield
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            if status < 500:
                with self._lock:
                    known.possible.remove(state)
            else:
                self.unanswered[kind] += 1
            self.note("refused", kind=kind, name=name, status=status)
            raise
        except BaseException:
            self.unanswered[kind] += 1
            self.note("unanswered", kind=kind, name=name)
            raise
        self.acknowledge(kind, name, state)

    @contextmanager
    def changes(self, changes: Iterable[tuple[str, str, str | None]]) -> Iterator[None]:
        """A request that changes several things."""
        with ExitStack() as stack:
            for change in changes:
                stack.enter_context(self.change(*change))
            yield

    def acknowledge(self, kind: str, name: str, state: str | None) -> None:
        """A state that a client was told of."""
        with self._lock:
            known = self._things.setdefault(kind, {}).setdefault(name, Known())
            known.settled, known.possible, known.touched = state, [], True
            self.acknowledged[kind] += 1
        self.note("acknowledged", kind=kind, name=name, state=state)

    def doubt(self, kind: str, name: str, state: str | None) -> None:
        """Allows a state beside what was acknowledged: a promise that is weaker than that."""
        with self._lock:
            self._things[kind][name].possible.append(state)
        self.note("doubted", kind=kind, name=name, state=state)

    def things(self, kind: str) -> dict[str, Known]:
        """All of a kind that a client ever asked for."""
        with self._lock:
            return dict(self._things.get(kind, {}))

    def present(self, kind: str, prefix: str = "") -> list[str]:
        """Names of those that are there for certain."""
        things = self.things(kind).items()
        return [n for n, known in things if n.startswith(prefix) and known.settled is not None and not known.possible]

    def compare(self, kind: str, name: str, state: str | None) -> None:
        """Holds what was found against what is known; from here on it is known."""
        known = self._things.get(kind, {}).get(name, Known())
        self.compared[kind] += 1
        if not known.allows(state):
            self.note("finding", kind=kind, name=name, state=state)
            raise Finding(f"{kind} {name}: found {state!r}, and clients were told {known}")
        if known.possible:
            self.note("settled", kind=kind, name=name, state=state)
        known.settled, known.possible, known.touched = state, [], False

    def compare_all(self, kind: str, found: dict[str, str]) -> None:
        """The same for everything of a kind; nothing else may be there."""
        for name in self.things(kind).keys() | found.keys():
            self.compare(kind, name, found.get(name))

    def forget(self, kind: str) -> None:
        """Takes out what is known to be gone, so that long campaigns do not carry it along."""
        with self._lock:
            things = self._things.get(kind, {})
            for name in [name for name, known in things.items() if known.settled is None and not known.possible]:
                del things[name]
