"""Every batch that waits in the broker, read entry by entry: what the ledger recounts, not a counter."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import redis

from ingest.broker import Script
from ingest.buffer import STATES, State

WAITING = Script("waiting")
AT_ONCE = 250  # batches of each kind a call: two milliseconds of the broker for 250
FIELDS = 7
LARGEST = 2**53  # an acceptance is a score too, and a score is a double


@dataclass(frozen=True, slots=True)
class Waiting:
    """A batch that is queued or spilled, as the broker's entry of it says, not as any counter does."""

    batch: uuid.UUID
    acceptance: int
    state: State
    source: int
    dialect: str
    rows: int
    minute: int  # minutes since 1970


@dataclass(frozen=True, slots=True)
class Page:
    batches: list[Waiting]
    beyond: int | None  # every acceptance below it has been read; None: all of them


def pages(client: redis.Redis, low: int = 0, high: int = LARGEST) -> Iterator[Page]:
    """Acceptances from `low` to before `high`, in pages that rise. Batches move on meanwhile."""
    at: int | None = low
    while at is not None:
        beyond, *flat = WAITING.run(client, at, min(high, LARGEST), AT_ONCE)
        at = int(beyond) if beyond else None
        yield Page([entry_of(*flat[n : n + FIELDS]) for n in range(0, len(flat), FIELDS)], at)


def entry_of(
    batch: bytes, acceptance: bytes, state: bytes, source: bytes, dialect: bytes, rows: bytes, at_ms: bytes
) -> Waiting:
    minute = int(at_ms) // 60_000
    return Waiting(
        uuid.UUID(bytes=batch),
        int(acceptance),
        STATES[state],
        int(source),
        dialect.decode(),
        int(rows),
        minute,
    )
