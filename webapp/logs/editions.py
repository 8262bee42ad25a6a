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
        "INSERT INTO log_class (name, table_name, days) VALUES ('default', 'log', %s)", [retention_days]
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


def ensure(conn: psycopg.Connection[Any], days: Iterable[int]) -> None:
    """Makes the partition or chunk of each day that lacks one. Wants autocommit: each is a transaction."""
    known = known_days(conn)
    missing = sorted(set(days) - known)
    if not missing:
        return
    make = make_partition if kept(conn) is Edition.PLAIN else make_chunk
    for day in missing:
        make(conn, day)
        known.add(day)


def ensure_ahead(conn: psycopg.Connection[Any]) -> None:
    """Yesterday to three days ahead: the days of nearly every line."""
    today = (datetime.now(UTC).date() - EPOCH).days
    ensure(conn, range(today - 1, today + AHEAD_DAYS + 1))


def bounds(day: int) -> tuple[datetime, datetime]:
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    return start, start + timedelta(days=1)


def partition_name(day: int) -> str:
    return f"log_p{bounds(day)[0]:%Y%m%d}"


def partitions(conn: psycopg.Connection[Any]) -> dict[int, str]:
    """Every attached day of `log` and the table that holds it, oldest first."""
    named = partition_rows(conn) if kept(conn) is Edition.PLAIN else chunk_rows(conn)
    return dict(sorted(named))


def partition_rows(conn: psycopg.Connection[Any]) -> list[tuple[int, str]]:
    rows = conn.execute(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
        " WHERE inhparent = 'log'::regclass AND NOT inhdetachpending"
    ).fetchall()
    return [(day_of(name), name) for (name,) in rows]


def chunk_rows(conn: psycopg.Connection[Any]) -> list[tuple[int, str]]:
    rows = conn.execute(
        "SELECT (extract(epoch FROM range_start) / 86400)::int, format('%%I.%%I', chunk_schema, chunk_name)"
        " FROM timescaledb_information.chunks WHERE hypertable_name = 'log' AND hypertable_schema = 'public'",
        prepare=False,
    ).fetchall()
    return [(day, name) for day, name in rows]


def day_of(name: str) -> int:
    return (datetime.strptime(name, "log_p%Y%m%d").date() - EPOCH).days


def make_partition(conn: psycopg.Connection[Any], day: int) -> None:
    """LIKE and ATTACH: CREATE TABLE ... PARTITION OF would wait for every reader of `log`."""
    start, end = bounds(day)
    name = sql.Identifier(partition_name(day))
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [DAY_LOCK])
        attached = conn.execute(
            "SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(%s) AND inhparent = 'log'::regclass"
            " AND NOT inhdetachpending",
            [partition_name(day)],
        ).fetchone()
        if attached:
            return
        conn.execute(sql.SQL("CREATE TABLE {} (LIKE log INCLUDING ALL)").format(name))
        conn.execute(
            sql.SQL("ALTER TABLE log ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                name, sql.Literal(start), sql.Literal(end)
            )
        )


MAKE_CHUNK = """
INSERT INTO log (time, observed, seg, pos, source, flags, nanos, service, host, message, attributes)
VALUES (%s, now(), 0, 0, 0, 0, 0, '', '', '', '{}')
"""


def make_chunk(conn: psycopg.Connection[Any], day: int) -> None:
    """The Apache edition makes a chunk only for a row: one is put in and taken out, seen by nobody."""
    start, end = bounds(day)
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [DAY_LOCK])
        there = conn.execute(
            "SELECT 1 FROM timescaledb_information.chunks WHERE hypertable_name = 'log'"
            " AND range_start <= %s AND range_end > %s",
            [start, start],
        ).fetchone()
        if there:
            return
        conn.execute(MAKE_CHUNK, [start])
        conn.execute("DELETE FROM log WHERE time >= %s AND time < %s AND seg = 0", [start, end])
