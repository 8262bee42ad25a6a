"""The second book: stored = to be found + expired + erased, recounted from the lines themselves.

`totals` counts every line there is, by source, against all that was ever stored: `audit` does it. `round_on`
is what beat can afford: it goes round the segments, so many lines a call, and holds each segment's lines
against those of its batches. Segments that reach below the floor, and what an erasure covers, are left to
`totals`: there single lines may be gone rightly. Wants a transaction of one snapshot.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from webapp.logs.ledger import MOST_DAYS

LINES_A_ROUND = 500_000


@dataclass(frozen=True, slots=True)
class Kept:
    """Of one source, of all time."""

    stored: int = 0
    present: int = 0
    expired: int = 0
    erased: int = 0

    @property
    def difference(self) -> int:
        return self.stored - self.present - self.expired - self.erased


class Short(NamedTuple):
    seg: int
    source: int
    time: Any  # of the commit
    lines: int


class Round(NamedTuple):
    after: int  # segments above this one
    upto: int  # and up to this one were looked at
    short: list[Short]
    ended: bool  # the next round begins with the oldest segment


STORED = """
SELECT source, sum(rows)::bigint FROM (
    SELECT source, rows::bigint FROM log_batch UNION ALL SELECT source, rows FROM log_forgotten
) AS ever GROUP BY source
"""
EXPIRED = "SELECT source, sum(rows)::bigint FROM log_expired GROUP BY source"
ERASED = "SELECT source, sum(lines)::bigint FROM log_erased GROUP BY source"
# A day that retention has detached and not yet dropped is in neither count of its own.
DETACHED = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^log_p[0-9]{8}$'
  AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'log'::regclass)
  AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = pg_class.oid AND NOT inhdetachpending)
"""


def totals(conn: psycopg.Connection[Any]) -> dict[int, Kept]:
    """Reads every line."""
    tables = ["log", *(name for (name,) in conn.execute(DETACHED).fetchall())]
    present: dict[int, int] = {}
    for name in tables:
        count = sql.SQL("SELECT source, count(*) FROM {} GROUP BY source").format(sql.Identifier(name))
        for source, lines in conn.execute(count).fetchall():
            present[source] = present.get(source, 0) + lines
    stored, (expired, erased) = sums(conn, STORED), gone(conn)
    every = sorted(stored.keys() | present.keys() | expired.keys() | erased.keys())
    return {s: Kept(*(book.get(s, 0) for book in (stored, present, expired, erased))) for s in every}


def gone(conn: psycopg.Connection[Any]) -> tuple[dict[int, int], dict[int, int]]:
    """Expired and erased lines by source, of all time."""
    return sums(conn, EXPIRED), sums(conn, ERASED)


def sums(conn: psycopg.Connection[Any], statement: str) -> dict[int, int]:
    return {source: int(lines) for source, lines in conn.execute(sql.SQL(statement)).fetchall()}


# ---- round and round ----

NEXT = """
SELECT max(seg), count(*) FROM (
    SELECT seg, sum(rows) OVER (ORDER BY seg) - rows AS before FROM (
        SELECT seg, rows FROM log_segment WHERE seg > %(after)s ORDER BY seg LIMIT 50000) AS next
) AS counted WHERE before < %(most)s
"""
RECOUNT = """
WITH segment AS MATERIALIZED (
    SELECT seg, time_min, time_max, committed FROM log_segment
    WHERE seg > %(after)s AND seg <= %(upto)s AND rows > 0
      AND time_min >= (SELECT max(floor) FROM log_class)
      AND committed > now() - %(days)s * interval '1 day'
), wanted AS (
    SELECT seg, source, sum(log_batch.rows) AS rows FROM log_batch JOIN segment USING (seg)
    WHERE %(sources)s::int4[] IS NULL OR source = ANY(%(sources)s) GROUP BY 1, 2
), there AS (
    SELECT seg, source, count(*) AS rows FROM log
    WHERE seg > %(after)s AND seg <= %(upto)s
      AND (%(sources)s::int4[] IS NULL OR source = ANY(%(sources)s))
      AND time >= (SELECT min(time_min) FROM segment) AND time <= (SELECT max(time_max) FROM segment)
    GROUP BY 1, 2
)
SELECT seg, coalesce(wanted.source, there.source), committed,
       (coalesce(wanted.rows, 0) - coalesce(there.rows, 0))::bigint
FROM wanted FULL JOIN there USING (seg, source) JOIN segment USING (seg)
WHERE coalesce(wanted.rows, 0) <> coalesce(there.rows, 0)
  AND NOT EXISTS (SELECT FROM log_erased WHERE upto >= seg
                  AND log_erased.source = coalesce(wanted.source, there.source))
ORDER BY seg LIMIT %(most)s
"""


def round_on(conn: psycopg.Connection[Any], most: int = LINES_A_ROUND) -> Round:
    row = conn.execute("SELECT seg FROM log_recount").fetchone()
    after = row[0] if row else 0
    found = conn.execute(NEXT, {"after": after, "most": most}).fetchone()
    upto = found[0] if found and found[0] is not None else newest(conn)
    short = short_of(conn, after, upto) if upto > after else []
    return Round(after, max(after, upto), short, ended=upto >= newest(conn))


def short_of(
    conn: psycopg.Connection[Any],
    after: int,
    upto: int,
    sources: list[int] | None = None,
    most: int | None = None,
) -> list[Short]:
    """Segments above `after` and up to `upto` whose lines are not as many as their batches had."""
    values = {"after": after, "upto": upto, "days": MOST_DAYS, "sources": sources, "most": most}
    return [Short(*row) for row in conn.execute(RECOUNT, values).fetchall()]


def newest(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute("SELECT coalesce(max(seg), 0) FROM log_segment").fetchone()
    return int(row[0]) if row else 0
