"""The receipt of a batch: the broker knows it until it is stored, the ledger from then on.

The ledger has the last word: a batch is stored once, however often it was sent. Lines of a repeat that the
ledger suppressed count as duplicate while the broker still remembers the repeat.
"""

import contextlib
import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import psycopg
from django.conf import settings

from ingest.buffer import Buffer, Known, State, connect
from ingest.errors import Transient
from webapp.access.scope import Scope
from webapp.logs import times
from webapp.logs.asking import sources
from webapp.logs.errors import classify
from webapp.logs.snapshot import reading

MAX_WAIT = 30.0
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5
UNDER_WAY = frozenset({State.QUEUED.value, State.SPILLED.value})
LEDGER = """
SELECT source, rows, quarantined, rejected, received, committed FROM log_batch WHERE batch = %s
"""


@dataclass(frozen=True, slots=True)
class Receipt:
    batch: str
    state: str  # queued, spilled, stored, quarantined or mixed
    accepted: int
    stored: int
    duplicate: int
    quarantined: int
    rejected: int
    received_at: str
    stored_at: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Entry:
    """The ledger's row."""

    source: int
    rows: int
    quarantined: int
    rejected: int
    received: datetime
    committed: datetime


def receipt(batch: uuid.UUID, scope: Scope, wait: float = 0.0) -> Receipt | None:
    """None for a batch nobody knows, or that this scope may not see. Waits until it is at its end.

    Raises StoreError when the database does not answer; without the broker the ledger alone speaks.
    """
    deadline = time.monotonic() + min(wait, MAX_WAIT)
    pause = FIRST_PAUSE
    while True:
        found = look(batch, scope)
        left = deadline - time.monotonic()
        if found is None or found.state not in UNDER_WAY or left <= 0:
            return found
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE)


def look(batch: uuid.UUID, scope: Scope) -> Receipt | None:
    # The broker first: a batch that is stored between the two looks is then in one of them at least.
    known = in_broker(batch)
    try:
        with reading() as reader:
            row = reader.conn.execute(LEDGER, [batch]).fetchone()
            names = {number: name for name, number in sources(reader.conn).items()}
    except psycopg.Error as error:
        raise classify(error) from error
    entry = Entry(*row) if row else None
    source = entry.source if entry else known.source if known else None
    if source is None or not scope.allows(source):
        return None
    name = names.get(source, str(source))
    return stored(batch, entry, known, name) if entry else waiting(batch, known, name) if known else None


def in_broker(batch: uuid.UUID) -> Known | None:
    with contextlib.suppress(Transient):
        return buffer(settings.BROKER_URL).known(batch)
    return None


@cache
def buffer(url: str) -> Buffer:
    return Buffer(connect(url))


def stored(batch: uuid.UUID, entry: Entry, known: Known | None, source: str) -> Receipt:
    state = "stored" if not entry.quarantined else "mixed" if entry.rows else "quarantined"
    return Receipt(
        batch=str(batch),
        state=state,
        accepted=entry.rows + entry.quarantined,
        stored=entry.rows,
        duplicate=known.rows if known and known.state is State.DUPLICATE else 0,
        quarantined=entry.quarantined,
        rejected=entry.rejected,
        received_at=times.rfc3339(times.nanoseconds(entry.received)),
        stored_at=times.rfc3339(times.nanoseconds(entry.committed)),
        source=source,
    )


def waiting(batch: uuid.UUID, known: Known, source: str) -> Receipt:
    """Only the broker has it. A final state seen here is ahead of a replica, or the ledger's row expired."""
    final = known.state not in (State.QUEUED, State.SPILLED)
    quarantined = known.state is State.QUARANTINED
    return Receipt(
        batch=str(batch),
        state="quarantined" if quarantined else "stored" if final else known.state.value,
        accepted=known.rows,
        stored=known.rows if known.state is State.STORED else 0,
        duplicate=known.rows if known.state is State.DUPLICATE else 0,
        quarantined=known.rows if quarantined else 0,
        rejected=known.rejected,
        received_at=times.rfc3339(known.accepted_ms * 1_000_000),
        stored_at=None,
        source=source,
    )
