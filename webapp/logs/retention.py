"""Retention: first the floor, then, one token's lifetime later, the days below it.

The floor is committed before anything is dropped and every query applies the one of its token, so no answer
ever changes because a day goes: the tokens that could see its lines have expired by then. What goes is
counted by source in the transaction that drops it (`log_expired`). Safe to kill anywhere and to run twice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from django.conf import settings
from psycopg import sql

from webapp.logs import editions
from webapp.logs.editions import DAY_LOCK, Edition
from webapp.logs.errors import classify

LEDGER_DAYS = 35  # an older spill file is set aside, never stored: the ledger no longer knows its batch
MINUTE_DAYS = 400
CHUNK = 5_000  # rows of one DELETE, so that none holds its locks for long

DUE = """
SELECT (extract(epoch FROM floor) / 86400)::int, raised < now() - %s * interval '1 second'
FROM log_class WHERE name = 'default'
"""
RAISE = """
UPDATE log_class SET floor = wanted.floor, raised = now()
FROM (
    SELECT name, date_trunc('day', now(), 'UTC') - days * interval '1 day' AS floor FROM log_class
) AS wanted
WHERE log_class.name = wanted.name AND log_class.floor < wanted.floor
"""
COUNT = """
INSERT INTO log_expired (class, day, source, rows)
SELECT 'default', {day}, source, count(*) FROM {table} GROUP BY source
ON CONFLICT (class, day, source) DO UPDATE SET rows = log_expired.rows + excluded.rows, dropped = now()
"""


def run(conn: psycopg.Connection[Any]) -> int:
    """Drops what is due, raises the floors, trims the ledger; returns how many days were dropped."""
    try:
        row = conn.execute(DUE, [settings.TOKEN_SECONDS]).fetchone()
        assert row is not None, "log_class is empty: migrate first"
        floor, due = row
        days = [day for day in stored_days(conn) if day < floor] if due else []
        for day in days:
            expire(conn, day)
        conn.execute(RAISE)
        trim(conn)
        return len(days)
    except psycopg.Error as error:
        raise classify(error) from error


def stored_days(conn: psycopg.Connection[Any]) -> list[int]:
    """Attached, half detached, or detached and not yet dropped."""
    if editions.kept(conn) is not Edition.PLAIN:
        return list(editions.partitions(conn))
    names = conn.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^log_p[0-9]{8}$'"
        " AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'log'::regclass)"
    ).fetchall()
    return sorted(editions.day_of(name) for (name,) in names)


def expire(conn: psycopg.Connection[Any], day: int) -> None:
    """One day goes for good."""
    with holding_days(conn):
        drop = drop_partition if editions.kept(conn) is Edition.PLAIN else drop_chunk
        drop(conn, day)
    editions.known_days(conn).discard(day)


@contextmanager
def holding_days(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Nobody makes a day meanwhile. A lock of the session, because DETACH CONCURRENTLY commits on its way."""
    conn.execute("SELECT pg_advisory_lock(%s)", [DAY_LOCK])
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("SELECT pg_advisory_unlock(%s)", [DAY_LOCK])


def drop_partition(conn: psycopg.Connection[Any], day: int) -> None:
    """Each step finds out what an interrupted run has done already."""
    name = editions.partition_name(day)
    table = sql.Identifier(name)
    pending = conn.execute(
        "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass(%s)", [name]
    ).fetchone()
    if pending is not None:
        how = sql.SQL("FINALIZE") if pending[0] else sql.SQL("CONCURRENTLY")
        conn.execute(sql.SQL("ALTER TABLE log DETACH PARTITION {} {}").format(table, how))
    with conn.transaction():
        conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
        conn.execute(counting(day, table))
        conn.execute(sql.SQL("DROP TABLE {}").format(table))


def drop_chunk(conn: psycopg.Connection[Any], day: int) -> None:
    start, end = editions.bounds(day)
    with conn.transaction():
        name = editions.partitions(conn).get(day)
        if name is None:
            return
        table = sql.Identifier(*name)
        conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
        conn.execute(counting(day, table))
        conn.execute(
            "SELECT drop_chunks('log', older_than => %s::timestamptz, newer_than => %s::timestamptz)",
            [end, start],
        )


def counting(day: int, table: sql.Identifier) -> sql.Composed:
    return sql.SQL(COUNT).format(day=sql.Literal(editions.bounds(day)[0].date()), table=table)


# ---- what is kept beside the lines ----

# In order of segment, and only the oldest: the first chunk without an expired row ends it.
OLD_BATCHES: LiteralString = """
WITH oldest AS (
    SELECT batch, committed FROM log_batch ORDER BY seg, first_pos LIMIT %(chunk)s
), gone AS (
    DELETE FROM log_batch USING oldest
    WHERE log_batch.batch = oldest.batch AND oldest.committed < now() - %(ledger)s * interval '1 day'
    RETURNING source, rows
), kept AS (
    INSERT INTO log_forgotten AS kept (source, rows) SELECT source, sum(rows) FROM gone GROUP BY source
    ON CONFLICT (source) DO UPDATE SET rows = kept.rows + excluded.rows
)
SELECT FROM gone
"""
OLD_QUARANTINE: LiteralString = """
DELETE FROM quarantine WHERE id = ANY(ARRAY(
    SELECT id FROM quarantine WHERE created < (SELECT min(floor) FROM log_class)
    ORDER BY created LIMIT %(chunk)s))
"""
OLD_SLOTS: LiteralString = """
DELETE FROM log_segment_slot WHERE (slot, seg) IN (
    SELECT slot, seg FROM log_segment_slot
    WHERE slot < (SELECT floor(extract(epoch FROM min(floor)) / 600) FROM log_class)
    ORDER BY slot LIMIT %(chunk)s)
"""
# Not the newest: the edge of every token is the highest segment there is.
OLD_SEGMENTS: LiteralString = """
WITH oldest AS (SELECT seg, time_max, committed FROM log_segment ORDER BY seg LIMIT %(chunk)s)
DELETE FROM log_segment USING oldest
WHERE log_segment.seg = oldest.seg AND oldest.committed < now() - %(ledger)s * interval '1 day'
  AND coalesce(oldest.time_max, 'epoch') < (SELECT min(floor) FROM log_class)
  AND oldest.seg < (SELECT max(seg) FROM log_segment)
"""
OLD_FIELDS: LiteralString = """
DELETE FROM log_field WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM log_field WHERE slot < (SELECT min(floor) FROM log_class) LIMIT %(chunk)s))
"""
OLD_STRETCHES: LiteralString = """
DELETE FROM log_stretch WHERE time IN (
    SELECT time FROM log_stretch WHERE time < now() - %(minutes)s * interval '1 day'
    ORDER BY time LIMIT %(chunk)s)
"""
OLD_MINUTES: LiteralString = """
DELETE FROM log_minute WHERE (time, source, dialect) IN (
    SELECT time, source, dialect FROM log_minute WHERE time < now() - %(minutes)s * interval '1 day'
    ORDER BY time LIMIT %(chunk)s)
"""


def trim(conn: psycopg.Connection[Any]) -> None:
    values = {"chunk": CHUNK, "ledger": LEDGER_DAYS, "minutes": MINUTE_DAYS}
    cleared = (OLD_QUARANTINE, OLD_SLOTS, OLD_FIELDS, OLD_SEGMENTS, OLD_MINUTES, OLD_STRETCHES)
    for statement in (OLD_BATCHES, *cleared):
        while conn.execute(statement, values).rowcount:
            pass
