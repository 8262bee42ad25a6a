"""Entries of the quarantine go to ingest's accept again, each exactly once, and remember it.

In this order: decode; note that it begins; accept, durable in the broker; note as which batch. A crash before
the last note leaves an entry that began: the next try makes the same batch id, which the broker, or the
ledger, knows. Only beyond the ledger's memory nobody could tell, and then nothing is sent. What is refused
again was never sent, so it may be tried as often as one likes.

Notes are statements of their own: nothing is locked while the broker is asked.
"""

import time
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from django.conf import settings
from prometheus_client import Counter

from ingest import replay as ingest
from ingest import stage as stages
from ingest.errors import KeyConflict, Transient
from ingest.replay import Again, StillBad
from ingest.stage import Stage
from webapp.access.models import Source
from webapp.access.scope import Scope
from webapp.logs import quarantine, store, times
from webapp.logs.errors import classify
from webapp.logs.refusals import within
from webapp.logs.retention import LEDGER_DAYS

MOST = 1_000  # entries at once
SECONDS = 20.0  # beyond, the rest is left for the next time
LARGEST = 2**63 - 1

OUTCOMES = Counter("logboom_replays_total", "Entries of the quarantine sent again, by outcome", ["outcome"])

Verdict = Literal["replayed", "already", "refused", "unknown"]
Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    id: int
    outcome: Verdict  # unknown: there is no such entry, or it is not the caller's to see
    batch: str | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    entries: list[Outcome]
    left: int  # not tried
    stopped: str | None  # why they were not

    def count(self, outcome: Verdict) -> int:
        return sum(entry.outcome == outcome for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Held:
    """An entry as it lies there."""

    id: int
    source: int
    received: datetime
    batch: uuid.UUID | None
    line: int | None
    reason: str
    dropped: int
    raw: bytes
    began: datetime | None
    replayed: datetime | None
    replay_batch: uuid.UUID | None


def replay(ids: Sequence[int], scope: Scope, text: str | None = None, stage: Stage | None = None) -> Report:
    """`text` stands in for what one entry holds. Raises StoreError, or Transient if not one was tried."""
    stage = stage or stages.of_settings()
    days = dict(Source.objects.values_list("pk", "retention_days"))
    wanted, done = list(dict.fromkeys(ids))[:MOST], []
    deadline = time.monotonic() + SECONDS
    stopped: str | None = None
    with closing(store.connect(settings.DATABASE_URL)) as conn:
        for number in wanted:
            if time.monotonic() > deadline:
                stopped = f"{SECONDS:.0f} seconds were up."
                break
            try:
                done.append(one(conn, stage, number, scope, days, text))
            except Transient as error:
                if not done:
                    raise
                stopped = error.detail
                break
            except psycopg.Error as error:
                raise classify(error) from error
    for outcome in done:
        OUTCOMES.labels(outcome.outcome).inc()
    left = len(set(ids)) - len(done)
    return Report(done, left, stopped or (f"{MOST:,} entries at once." if left else None))


def one(
    conn: Connection, stage: Stage, number: int, scope: Scope, days: dict[int, int], text: str | None
) -> Outcome:
    """Raises IngestError, psycopg.Error: then the entry is as it was, or began."""
    held = fetch(conn, number, scope)
    if held is None:
        return Outcome(number, "unknown")
    if held.replayed:
        return Outcome(number, "already", str(held.replay_batch))
    try:
        again = again_of(held, days, text)
        if held.began:
            if in_ledger(conn, again.batch):
                return mark(conn, held, again.batch, "already")
            refuse_forgotten(held)
        offer = ingest.prepare(again, stage.limits, stage.clock_ns() // 1000)
    except StillBad as bad:
        return refused(conn, held, bad)
    if not conn.execute(BEGIN, [number]).rowcount:
        return one(conn, stage, number, scope, days, text)  # meanwhile replayed by another, or gone
    try:
        duplicate = ingest.accept(stage, offer).duplicate
    except KeyConflict:  # within the hour, with other text
        duplicate = True
    return mark(conn, held, again.batch, "already" if duplicate else "replayed")


FETCH = """
SELECT id, source, received, batch, line, reason, dropped, raw, replay_began, replayed, replay_batch
FROM quarantine WHERE id = %(id)s AND (%(scope)s::int4[] IS NULL OR source = ANY(%(scope)s))
"""
BEGIN = """
UPDATE quarantine SET replay_began = coalesce(replay_began, clock_timestamp())
WHERE id = %s AND replayed IS NULL
"""
MARK = """
UPDATE quarantine
SET replayed = clock_timestamp(), replay_batch = %s, replay_reason = NULL, replay_detail = NULL
WHERE id = %s AND replayed IS NULL
"""
REFUSED = """
UPDATE quarantine SET replay_reason = %s, replay_detail = %s WHERE id = %s AND replayed IS NULL
"""


def fetch(conn: Connection, number: int, scope: Scope) -> Held | None:
    if not 0 < number <= LARGEST:
        return None
    row = conn.execute(FETCH, {"id": number, "scope": within(scope)}).fetchone()
    return Held(*row) if row else None


def again_of(held: Held, days: dict[int, int], text: str | None) -> Again:
    """Raises StillBad for what cannot be sent as it lies there."""
    if held.source not in days:
        raise StillBad("no_source", "Its source is not there any more.")
    if text is not None and held.line is None:
        raise StillBad("whole_batch", "A whole batch is sent again as it is; text stands in for a line.")
    if text is None and held.dropped:
        raise StillBad("cut", f"{held.dropped:,} bytes of it were not kept: give its whole text.")
    return Again(
        # Not by its number alone: that is given out a second time after a restore to a point in time.
        key=f"{held.id}:{held.batch}:{held.line}",
        source=held.source,
        retention_days=days[held.source],
        received_us=times.nanoseconds(held.received) // 1000,
        raw=bytes(held.raw) if text is None else text.encode("utf-8", "replace"),
        whole=held.line is None,
    )


def in_ledger(conn: Connection, batch: uuid.UUID) -> bool:
    return conn.execute("SELECT FROM log_batch WHERE batch = %s", [batch]).rowcount > 0


def refuse_forgotten(held: Held) -> None:
    assert held.began is not None
    if times.nanoseconds(held.began) < time.time_ns() - (LEDGER_DAYS - 1) * 86_400 * times.SECOND:
        raise StillBad(
            "forgotten",
            "Sending it again was cut off longer ago than the ledger remembers: it may be stored. "
            "Search for it; if it is not there, send it as a line of its own.",
        )


def refused(conn: Connection, held: Held, bad: StillBad) -> Outcome:
    detail = quarantine.storable(bad.detail)
    conn.execute(REFUSED, [bad.reason, detail, held.id])
    return Outcome(held.id, "refused", reason=bad.reason, detail=detail)


def mark(conn: Connection, held: Held, batch: uuid.UUID, outcome: Verdict) -> Outcome:
    conn.execute(MARK, [batch, held.id])
    return Outcome(held.id, outcome, str(batch))
