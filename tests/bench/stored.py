"""What the database says of a phase: when the last line was stored, that each was once, how big it is."""

import time
from typing import Any

import psycopg

PATIENCE = 120.0


class Lost(RuntimeError):
    """Lines that were accepted are not there, or are there twice."""


def connect(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url, autocommit=True)


def one(conn: psycopg.Connection[Any], query: str, *values: Any) -> tuple[Any, ...]:
    row = conn.execute(query, values).fetchone()
    assert row is not None
    return row


def newest(conn: psycopg.Connection[Any]) -> int:
    return int(one(conn, "SELECT coalesce(max(seg), 0) FROM log_segment")[0])


def wait(conn: psycopg.Connection[Any], after: int, lines: int) -> float:
    """Until so many lines are stored; the moment the last of them was."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        count, finished = one(
            conn,
            "SELECT coalesce(sum(rows), 0), extract(epoch FROM max(committed))::float8 "
            "FROM log_segment WHERE seg > %s",
            after,
        )
        if count >= lines:
            return float(finished)
        time.sleep(0.2)
    raise Lost(f"{count} of {lines} lines were stored within {PATIENCE:.0f} s")


def check(conn: psycopg.Connection[Any], after: int, lines: int, batches: int) -> None:
    rows, places = one(conn, "SELECT count(*), count(DISTINCT (seg, pos)) FROM log WHERE seg > %s", after)
    kept, sum_of = one(conn, "SELECT count(*), sum(rows) FROM log_batch WHERE seg > %s", after)
    found = (rows, places, kept, sum_of)
    if found != (lines, lines, batches, lines):
        raise Lost(f"sent {lines} lines in {batches} batches; lines, places, batches, their lines: {found}")


def size(conn: psycopg.Connection[Any]) -> int:
    """Bytes of the lines with their index, the ledger and the segments: all that grows with a line."""
    query = """
        SELECT sum(pg_total_relation_size(oid)) FROM pg_class
        WHERE relkind IN ('r', 'm') AND relnamespace NOT IN
              (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema'))
    """
    return int(one(conn, query)[0])
