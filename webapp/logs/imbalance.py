"""Differences that stand, each with when it was first found: looked for by beat, read by page and metric.

A difference is kept as long as each look finds it again, and goes when one does not; one whose minute or
segment a look did not reach stands as it is. Looks reach back WINDOW_MINUTES, and at
OLDER_MINUTES of those before in which a difference stands, the longest unseen first.

Each worker tells what its own last look found; after SILENT_SECONDS without one it tells nothing, since the
next look may be another worker's. So alarm on the greatest value of all workers.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from prometheus_client import Gauge

from ingest.broker import speaking
from ingest.buffer import Buffer
from webapp.logs import balance, ledger, presence
from webapp.logs.ledger import Ledger, Lines, start_of
from webapp.logs.presence import Round

WINDOW_MINUTES = 30
OLDER_MINUTES = 20
ACCEPTED, STORED = "accepted", "stored"
SILENT_SECONDS = 180.0  # three looks

IMBALANCE = Gauge(
    "logboom_ledger_imbalance", "Absolute lines out of balance, settled, as this worker last found them"
)
_last: list[tuple[float, int]] = []  # when this process looked, and what it found


def told() -> float:
    return float(_last[0][1]) if _last and time.monotonic() - _last[0][0] < SILENT_SECONDS else float("nan")


IMBALANCE.set_function(told)

Row = tuple[str, int, int, str, datetime, int, int]  # book, place, source, dialect, time, lines, unheld


@dataclass(frozen=True, slots=True)
class Difference:
    book: str
    source: int
    dialect: str
    time: datetime
    lines: int
    unheld: int  # batches of it that the broker takes for spilled and no volume holds
    found: datetime
    age_seconds: int

    @property
    def age_ms(self) -> int:
        return self.age_seconds * 1000


@dataclass(frozen=True, slots=True)
class Standing:
    lines: int  # absolute, of every difference
    differences: int
    oldest_seconds: int
    looked_seconds: int | None  # ago; None: never
    unheld: int = 0  # batches


OLDER = """
SELECT place FROM log_imbalance WHERE book = 'accepted' AND place < %s AND place >= %s
GROUP BY place ORDER BY min(seen) LIMIT %s
"""


def look(conn: psycopg.Connection[Any], buffer: Buffer) -> Standing:
    """Copies the books, recounts, keeps what differs; returns what stands. Wants autocommit."""
    balance.copy_minutes(buffer, conn)
    with speaking():
        seconds, _ = buffer.client.time()
    end = seconds // 60 + 1
    start, oldest = end - WINDOW_MINUTES, end - ledger.MOST_DAYS * 1440
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        older = [place for (place,) in conn.execute(OLDER, [start, oldest, OLDER_MINUTES]).fetchall()]
        spans = [(start, end), *((minute, minute + 1) for minute in older)]
        read = ledger.read_spans(conn, buffer, spans)
        turn = presence.round_on(conn)
    with conn.transaction():
        keep(conn, read, turn, [*range(start, end), *older])
        conn.execute(TOO_OLD, [oldest])
    now = standing(conn)
    _last[:] = [(time.monotonic(), now.lines)]
    return now


FOUND = """
INSERT INTO log_imbalance (book, place, source, dialect, time, lines, unheld)
SELECT * FROM unnest(%s::text[], %s::int8[], %s::int4[], %s::text[], %s::timestamptz[], %s::int8[],
                     %s::int8[])
ON CONFLICT (book, place, source, dialect)
DO UPDATE SET lines = excluded.lines, unheld = excluded.unheld, seen = now()
"""
GONE = """
DELETE FROM log_imbalance WHERE book = 'accepted' AND place = ANY(%s) AND seen < now()
"""
RESTORED = """
DELETE FROM log_imbalance WHERE book = 'stored' AND place > %s AND place <= %s AND seen < now()
"""
TOO_OLD = "DELETE FROM log_imbalance WHERE book = 'accepted' AND place < %s"  # no longer to be recounted


def keep(conn: psycopg.Connection[Any], read: Ledger, turn: Round, minutes: list[int]) -> None:
    """`seen` is the transaction's time: what this look did not find has an older one."""
    rows: list[Row] = of_minutes(read.lines)
    rows += [(STORED, s.seg, s.source, "", s.time, s.lines, 0) for s in turn.short]
    if rows:
        conn.execute(FOUND, [list(column) for column in zip(*rows, strict=True)])
    moving = {place.minute for place, line in read.lines.items() if line.moving}
    conn.execute(GONE, [[minute for minute in minutes if minute not in moving]])
    conn.execute(RESTORED, [turn.after, turn.upto])
    conn.execute("UPDATE log_recount SET seg = %s, looked = now()", [0 if turn.ended else turn.upto])


def of_minutes(lines: Lines) -> list[Row]:
    return [
        (ACCEPTED, *place, start_of(place.minute), line.difference, line.unheld)
        for place, line in ledger.differences(lines).items()
    ]


# ---- who asks ----

STANDING = """
SELECT coalesce(sum(abs(lines)), 0)::bigint, count(*),
       coalesce(extract(epoch FROM now() - min(found)), 0)::bigint,
       (SELECT extract(epoch FROM now() - looked)::bigint FROM log_recount),
       coalesce(sum(unheld), 0)::bigint
FROM log_imbalance WHERE time < now() - %(settle)s * interval '1 second'
  AND (%(sources)s::int4[] IS NULL OR source = ANY(%(sources)s))
"""
LATEST = """
SELECT book, source, dialect, time, lines, unheld, found, extract(epoch FROM now() - found)::bigint
FROM log_imbalance WHERE %(sources)s::int4[] IS NULL OR source = ANY(%(sources)s)
ORDER BY found, book, place LIMIT %(most)s
"""


def standing(conn: psycopg.Connection[Any], sources: frozenset[int] | None = None) -> Standing:
    """Of all sources, or of those."""
    values = {"settle": ledger.SETTLE_SECONDS, "sources": None if sources is None else sorted(sources)}
    row = conn.execute(STANDING, values).fetchone()
    assert row is not None
    return Standing(*row)


def listed(conn: psycopg.Connection[Any], sources: frozenset[int] | None, most: int) -> list[Difference]:
    """Oldest first."""
    values = {"sources": None if sources is None else sorted(sources), "most": most}
    return [Difference(*row) for row in conn.execute(LATEST, values).fetchall()]
