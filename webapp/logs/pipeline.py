"""What the admin's health page reads from the database: small, bounded looks, each a short transaction.

No look counts a large table: lines come from PostgreSQL's own estimates, usage from the counters per minute,
and what could be long is read up to a bound and then told as "at least".
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import psycopg

from webapp.logs import editions
from webapp.logs.errors import classify
from webapp.logs.snapshot import reading

Connection = psycopg.Connection[Any]
Answer = TypeVar("Answer")

LOOK_MS = 1_000
MINUTES = 60
MOST_SEGMENTS = 30_000  # an hour at eight transactions a second; beyond, the chart begins later
MOST_REFUSED = 50_000
UNTOLD_BYTES = 256 * 1024  # a table that large and never looked at by PostgreSQL has rows nobody can estimate


def look(work: Callable[[Connection], Answer]) -> Answer:
    """Raises StoreError."""
    try:
        with reading(timeout_ms=LOOK_MS) as reader:
            return work(reader.conn)
    except psycopg.Error as error:
        raise classify(error) from error


# ---- the database itself ----


@dataclass(frozen=True)
class Facts:
    edition: str
    server: str
    size: int  # bytes, of everything
    retention_days: int
    last_commit: datetime | None


FACTS = """
SELECT edition, current_setting('server_version'), pg_database_size(current_database()),
       (SELECT days FROM log_class WHERE name = 'default'),
       (SELECT committed FROM log_segment ORDER BY seg DESC LIMIT 1)
FROM log_origin
"""


def facts(conn: Connection) -> Facts:
    row = conn.execute(FACTS).fetchone()
    assert row is not None, "log_origin is empty: migrate first"
    edition, server, size, days, last_commit = row
    return Facts(edition, server.split()[0], size, days, last_commit)


# ---- transactions a minute ----


@dataclass(frozen=True)
class Minute:
    start: datetime
    segments: int
    rows: int


@dataclass(frozen=True)
class Recent:
    minutes: list[Minute]  # every one of the last hour, oldest first
    since: datetime | None  # None: all of the hour was read

    @property
    def segments(self) -> int:
        return sum(minute.segments for minute in self.minutes)

    @property
    def rows(self) -> int:
        return sum(minute.rows for minute in self.minutes)


# By number, for nothing else is indexed; numbers rise nearly as commits do.
RECENT = """
WITH last AS (SELECT committed, rows FROM log_segment ORDER BY seg DESC LIMIT %(most)s)
SELECT date_trunc('minute', committed), count(*), sum(rows)::bigint, (SELECT count(*) = %(most)s FROM last)
FROM last WHERE committed >= date_trunc('minute', now()) - %(minutes)s * interval '1 minute' GROUP BY 1
"""


def recent(conn: Connection, most: int = MOST_SEGMENTS) -> Recent:
    rows = conn.execute(RECENT, {"most": most, "minutes": MINUTES - 1}).fetchall()
    found = {
        start.astimezone(UTC): Minute(start.astimezone(UTC), count, lines) for start, count, lines, _ in rows
    }
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    starts = [end - timedelta(minutes=back) for back in reversed(range(MINUTES))]
    cut = bool(rows) and rows[0][3] and starts[0] < min(found)
    return Recent([found.get(start, Minute(start, 0, 0)) for start in starts], min(found) if cut else None)


# ---- what was refused ----


@dataclass(frozen=True)
class Refused:
    reasons: list[tuple[str, int]]  # most first
    bounded: bool  # there are more


REFUSED = """
SELECT reason, count(*) FROM (
    SELECT reason FROM quarantine WHERE created > now() - interval '1 day' LIMIT %s
) AS latest GROUP BY 1 ORDER BY 2 DESC, 1
"""


def refused(conn: Connection, most: int = MOST_REFUSED) -> Refused:
    reasons = conn.execute(REFUSED, [most]).fetchall()
    return Refused(reasons, sum(count for _, count in reasons) >= most)


# ---- the volume by day ----


@dataclass(frozen=True)
class Day:
    day: str
    rows: int | None  # an estimate; None: PostgreSQL has not looked at the table yet
    size: int  # bytes, with indexes


SIZES = """
SELECT given.day, pg_class.reltuples::bigint, coalesce(pg_stat_get_live_tuples(pg_class.oid), 0),
       pg_total_relation_size(pg_class.oid)
FROM unnest(%s::int4[], %s::text[], %s::text[]) AS given (day, schema, name)
JOIN pg_class ON pg_class.oid = to_regclass(format('%%I.%%I', given.schema, given.name))
ORDER BY given.day DESC
"""


def days(conn: Connection) -> list[Day]:
    """Newest first."""
    tables = editions.partitions(conn)
    names = [list(tables), [schema for schema, _ in tables.values()], [name for _, name in tables.values()]]
    return [
        Day(f"{editions.EPOCH + timedelta(days=day):%Y-%m-%d}", estimate(analysed, live, size), size)
        for day, analysed, live, size in conn.execute(SIZES, names).fetchall()
    ]


def estimate(analysed: int, live: int, size: int) -> int | None:
    if analysed < 0 and not live and size > UNTOLD_BYTES:
        return None
    return max(analysed, live, 0)


# ---- who sends ----


@dataclass(frozen=True)
class Use:
    """Of one source, in the last 24 hours."""

    lines: int
    refused: int
    duplicate: int
    last: datetime


USE = """
SELECT source, sum(accepted)::bigint, sum(received - accepted)::bigint, sum(duplicate)::bigint, max(time)
FROM log_minute WHERE time > now() - interval '1 day' GROUP BY source
"""


def use(conn: Connection) -> dict[int, Use]:
    """By source; those that sent nothing are not in it."""
    return {source: Use(*rest) for source, *rest in conn.execute(USE).fetchall()}
