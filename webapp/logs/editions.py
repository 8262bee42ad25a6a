"""The three editions: what the server can do decides how `log` is cut into days, and nothing else.

Found out when the database is first initialised, kept in log_origin, never guessed again. Days are made
before the transaction that needs them, each in one of its own, under an advisory lock: two workers that made
the same day inside their data transactions would deadlock. Every day is a UTC day, counted from 1970-01-01.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from webapp.logs import origin

SQL_DIR = Path(__file__).resolve().parent / "sql"
EPOCH = date(1970, 1, 1)
AHEAD_DAYS = 3  # made before midnight needs them
DAY_LOCK = 0x10_6B00  # advisory lock: one maker of days at a time, in any process


class Edition(StrEnum):
    COMMUNITY = "community"  # TimescaleDB with everything under its own licence
    APACHE = "apache"  # TimescaleDB's Apache-licensed part: hypertables and drop_chunks
    PLAIN = "plain"  # PostgreSQL alone: native partitions


def detect(conn: psycopg.Connection[Any]) -> Edition:
    """What this database can be. The extension is made by `migrate`, the image or the operator, not here."""
    row = conn.execute(
        "SELECT count(*), current_setting('timescaledb.license', true) FROM pg_extension"
        " WHERE extname = 'timescaledb'"
    ).fetchone()
    assert row is not None
    installed, license = row
    if not installed:
        return Edition.PLAIN
    return Edition.COMMUNITY if license == "timescale" else Edition.APACHE


def kept(conn: psycopg.Connection[Any]) -> Edition:
    row = conn.execute("SELECT edition FROM log_origin").fetchone()
    assert row is not None, "log_origin is empty: migrate first"
    return Edition(row[0])


def initialise(conn: psycopg.Connection[Any], retention_days: int) -> Edition:
    """Once in a database's life, from the first migration: `log` in the form this server can do."""
    edition = detect(conn)
    kind = "plain" if edition is Edition.PLAIN else "timescale"
    conn.execute((SQL_DIR / f"0001_log_{kind}.sql").read_bytes())
    conn.execute(
        "INSERT INTO log_origin (edition, system_identifier, timeline) VALUES (%s, %s, %s)",
        [edition.value, *origin.identity(conn)],
    )
    conn.execute(
        "INSERT INTO log_class (name, table_name, days, floor)"
        " VALUES ('default', 'log', %s, date_trunc('day', now(), 'UTC') - %s * interval '1 day')",
        [retention_days, retention_days],
    )
    return edition


# ---- days ----

# Days known to be there, by database: asked once a process, not once a transaction.
_known: dict[tuple[str, int, str], set[int]] = {}


def known_days(conn: psycopg.Connection[Any]) -> set[int]:
    return _known.setdefault((conn.info.host, conn.info.port, conn.info.dbname), set())


def forget(conn: psycopg.Connection[Any]) -> None:
    """A day that was known turned out to be gone."""
    known_days(conn).clear()


def ensure(conn: psycopg.Connection[Any], days: Iterable[int]) -> int:
    """Makes the partition or chunk of each day that lacks one. Wants autocommit: each is a transaction."""
    known = known_days(conn)
    unknown = sorted(set(days) - known)
    if not unknown:
        return 0
    make = make_partition if kept(conn) is Edition.PLAIN else make_chunk
    made = 0
    for day in unknown:
        made += make(conn, day)
        known.add(day)
    return made


def ensure_ahead(conn: psycopg.Connection[Any]) -> int:
    """Yesterday to three days ahead: the days of nearly every line. Returns how many were made."""
    today = (datetime.now(UTC).date() - EPOCH).days
    return ensure(conn, range(today - 1, today + AHEAD_DAYS + 1))


def bounds(day: int) -> tuple[datetime, datetime]:
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    return start, start + timedelta(days=1)


def partition_name(day: int) -> str:
    return f"log_p{bounds(day)[0]:%Y%m%d}"


def day_of(name: str) -> int:
    return (datetime.strptime(name, "log_p%Y%m%d").date() - EPOCH).days


def partitions(conn: psycopg.Connection[Any]) -> dict[int, tuple[str, str]]:
    """Every attached day of `log`, oldest first, and the schema and name of its table."""
    rows = conn.execute(PARTITIONS if kept(conn) is Edition.PLAIN else CHUNKS).fetchall()
    return {day: (schema, name) for day, schema, name in rows}


PARTITIONS = """
SELECT to_date(substr(relname, 6), 'YYYYMMDD') - date '1970-01-01', relnamespace::regnamespace::text, relname
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'log'::regclass AND NOT inhdetachpending ORDER BY 1
"""
CHUNKS = """
SELECT (extract(epoch FROM range_start) / 86400)::int, chunk_schema, chunk_name
FROM timescaledb_information.chunks
WHERE hypertable_name = 'log' AND hypertable_schema = current_schema ORDER BY 1
"""


def make_partition(conn: psycopg.Connection[Any], day: int) -> bool:
    """LIKE and ATTACH: CREATE TABLE ... PARTITION OF would wait for every reader of `log`."""
    start, end = bounds(day)
    name = partition_name(day)
    table = sql.Identifier(name)
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [DAY_LOCK])
        there, attached = partition_state(conn, name)
        if attached:
            return False
        if not there:  # there and not attached: retention was killed between detaching and dropping it
            conn.execute(sql.SQL("CREATE TABLE {} (LIKE log INCLUDING ALL)").format(table))
        conn.execute(
            sql.SQL("ALTER TABLE log ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                table, sql.Literal(start), sql.Literal(end)
            )
        )
        return True


def partition_state(conn: psycopg.Connection[Any], name: str) -> tuple[bool, bool]:
    """Whether the table is there, and whether it is a partition that rows can go to."""
    row = conn.execute(
        "SELECT to_regclass(%s) IS NOT NULL, EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(%s)"
        " AND inhparent = 'log'::regclass AND NOT inhdetachpending)",
        [name, name],
    ).fetchone()
    assert row is not None
    return row[0], row[1]


MAKE_CHUNK = """
INSERT INTO log (time, observed, seg, pos, source, flags, nanos, service, host, message, attributes)
VALUES (%s, now(), 0, 0, 0, 0, 0, '', '', '', '{}')
"""


def make_chunk(conn: psycopg.Connection[Any], day: int) -> bool:
    """The Apache edition makes a chunk only for a row: one is put in and taken out, seen by nobody."""
    start, end = bounds(day)
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [DAY_LOCK])
        if day in partitions(conn):
            return False
        conn.execute(MAKE_CHUNK, [start])
        conn.execute("DELETE FROM log WHERE time >= %s AND time < %s AND seg = 0", [start, end])
        return True
