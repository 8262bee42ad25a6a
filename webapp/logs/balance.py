"""The broker's counters per minute, source and dialect, copied into `log_minute` while they change.

The broker is the only one who counts (a move counts once, however often it is made); the table keeps what it
counted for longer, and lets SQL add it up. Copying again changes nothing.
"""

import weakref
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from ingest.broker import speaking
from ingest.buffer import Buffer, Minute

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OVERLAP_MS = 5_000  # a change stamped just before the last copy began may have been applied just after

# Counts only grow, but that of lines in spill files: a broker begun anew does not take anything back.
UPSERT = """
INSERT INTO log_minute (time, source, dialect, received, refused, accepted, duplicate, stored, quarantined,
                        spilled)
SELECT * FROM unnest(%s::timestamptz[], %s::int4[], %s::text[], %s::int8[], %s::jsonb[], %s::int8[],
                     %s::int8[], %s::int8[], %s::int8[], %s::int8[])
ON CONFLICT (time, source, dialect) DO UPDATE SET
    received = greatest(log_minute.received, excluded.received),
    refused = log_minute.refused || excluded.refused,
    accepted = greatest(log_minute.accepted, excluded.accepted),
    duplicate = greatest(log_minute.duplicate, excluded.duplicate),
    stored = greatest(log_minute.stored, excluded.stored),
    quarantined = greatest(log_minute.quarantined, excluded.quarantined),
    spilled = excluded.spilled
"""

# Which acceptances were given in each minute. After a broker was lost in mid-minute its numbers begin higher.
STRETCHES = """
INSERT INTO log_stretch (time, first, last)
SELECT time, min(first), max(last)
FROM unnest(%s::timestamptz[], %s::int8[], %s::int8[]) AS given (time, first, last) GROUP BY time
ON CONFLICT (time) DO UPDATE SET
    first = least(log_stretch.first, excluded.first), last = greatest(log_stretch.last, excluded.last)
"""

# Up to when this process has copied each broker's changes, by the broker's clock. A new process copies all.
_copied_ms: "weakref.WeakKeyDictionary[Buffer, int]" = weakref.WeakKeyDictionary()


def copy_minutes(buffer: Buffer, conn: psycopg.Connection[Any]) -> int:
    """Copies what changed since the last time; returns how many minutes that were."""
    with speaking():
        seconds, micros = buffer.client.time()
    minutes = buffer.minutes(since_ms=max(0, _copied_ms.get(buffer, 0) - OVERLAP_MS))
    if minutes:
        conn.execute(UPSERT, columns(minutes))
    if numbered := [(EPOCH + timedelta(minutes=m.minute), m.first, m.last) for m in minutes if m.first]:
        conn.execute(STRETCHES, [list(column) for column in zip(*numbered, strict=True)])
    _copied_ms[buffer] = seconds * 1000 + micros // 1000
    return len(minutes)


def columns(minutes: list[Minute]) -> list[list[Any]]:
    rows = [
        (
            EPOCH + timedelta(minutes=line.minute),
            line.source,
            line.dialect,
            line.received,
            Jsonb(dict(line.refused)),
            line.accepted,
            line.duplicate,
            line.stored,
            line.quarantined,
            line.spilled,
        )
        for line in minutes
    ]
    return [list(column) for column in zip(*rows, strict=True)]
