"""The sender's own account: one JSON value a line, fsynced before a body is sent and after its answer.

    {"head": {...}}                                            the run: seed, addresses, when it began
    {"run", "batch", "n", "sha256", "outcome", ...}            a batch, first as "sending"
    {"event": {"at", "what"}}                                  a fault, for the timeline

The last word on a batch counts. One that is still "sending" belongs to a sender that was killed: its outcome
is unknown, like that of one whose answer was lost; an unknown batch is there as a whole or not at all.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any, Literal

import msgspec

from ingest.journal import Journal
from webapp.logs import times

SPARE_SECONDS = 3600  # for what was sent last: a body may be tried for a while

Outcome = Literal["sending", "accepted", "refused", "unknown"]


class BadJournal(Exception):
    """Permanent: this file is no journal of a challenge."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    run: str
    seed: int
    ingest_url: str
    web_url: str
    source: str
    opened: str  # by the server's clock: nothing of the run is older


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    run: str
    batch: int
    n: int  # lines that are to be stored
    sha256: str  # of the body
    outcome: Outcome
    poison: int = 0  # lines that are to be refused
    way: str = "plain"  # how it was sent
    id: str = ""  # of the batch, as it was answered
    why: str = ""  # of a refusal or an unknown outcome
    odd: str = ""  # what in an answer was not as promised
    at: float = 0.0
    ms: float = 0.0  # from the request to its 2xx
    again: int = 0  # tries beyond the first
    duplicates: int = 0  # answers that called it a repeat

    @property
    def resting(self) -> bool:
        """Nothing of it could be taken, and it was answered so: its lines rest in quarantine."""
        return self.outcome == "refused" and bool(self.id)


class Event(msgspec.Struct, frozen=True):
    at: float
    what: str


@dataclass(frozen=True)
class Account:
    """What a journal says."""

    head: Head
    batches: dict[int, Entry]
    events: list[Event] = field(default_factory=list)

    def of(self, *outcomes: Outcome) -> list[Entry]:
        return [entry for entry in self.batches.values() if entry.outcome in outcomes]

    @property
    def span(self) -> tuple[str, str]:
        """By the server's clock, when it was accepted: from the opening until well after the last answer."""
        times_of = [entry.at for entry in self.batches.values()]
        seconds = int(max(times_of) - min(times_of)) if times_of else 0
        opened = times.instant(self.head.opened, 0, UTC)
        return self.head.opened, times.rfc3339(opened + (seconds + SPARE_SECONDS) * times.SECOND)

    @property
    def beyond(self) -> int:
        """The first batch number that was never used."""
        return max(self.batches, default=-1) + 1


@dataclass
class Book:
    """Written by many threads; on return of `note` the entry outlives a power cut."""

    journal: Journal
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, head: Head) -> None:
        self.append({"head": msgspec.to_builtins(head)})

    def note(self, entry: Entry) -> None:
        self.append(msgspec.to_builtins(entry))

    def event(self, what: str) -> None:
        self.append({"event": {"at": time.time(), "what": what}})

    def append(self, value: Any) -> None:
        with self.lock:
            self.journal.append(value)

    def account(self) -> Account:
        with self.lock:
            return account(list(self.journal.entries))


def read(path: Path) -> Account:
    """Raises BadJournal, JournalBusy while its run goes on, and OSError."""
    if not path.is_file():
        raise BadJournal(f"there is no journal {path}.")
    with Journal(path) as journal:
        return account(journal.entries)


def account(values: Iterable[Any]) -> Account:
    head: Head | None = None
    batches: dict[int, Entry] = {}
    events: list[Event] = []
    try:
        for value in values:
            if "head" in value:
                head = msgspec.convert(value["head"], Head)
            elif "event" in value:
                events.append(msgspec.convert(value["event"], Event))
            else:
                entry = msgspec.convert(value, Entry)
                batches[entry.batch] = entry
    except (msgspec.ValidationError, TypeError) as error:
        raise BadJournal(f"this is no journal of a challenge: {error}") from error
    if head is None:
        raise BadJournal("this is no journal of a challenge: nothing says which run it is of.")
    return Account(head, {number: settled(batches[number]) for number in sorted(batches)}, events)


def settled(entry: Entry) -> Entry:
    """Nobody is sending any more."""
    if entry.outcome != "sending":
        return entry
    return msgspec.structs.replace(entry, outcome="unknown", why=entry.why or "the sender was killed")
