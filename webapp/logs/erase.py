"""Erasure: all lines of one source go on request, for readers at once, and every one of them is counted.

First a row of `log_erased` is committed. From then on each fresh token hides what the source had up to that
transaction, and a token given out before is answered 410: no list disagrees with a histogram of the same
as_of, however long the deleting takes. Reads under way keep their snapshot. Then the lines are deleted, an
hour of them a transaction, which also counts them; a run killed anywhere is finished by the next one. What
is stored meanwhile, for this source or another, is in later segments and stays.

The ledger keeps the ids of the batches: a batch that comes again, from a spill file or from a sender whose
answer was lost, must not bring its lines back. So stored = to be found + expired + erased (I4).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg

from webapp.logs import catalogue, editions
from webapp.logs.errors import Busy, classify

ERASE_LOCK = 0x10_6B0E  # advisory lock: one eraser at a time
SLICE = timedelta(hours=1)
QUARANTINE_CHUNK = 5_000
OLDER_SECONDS = 30.0  # for transactions that began before the erasure; a worker's end within 8 s
TRIES, PAUSE_SECONDS = 5, 1.0


class Work(NamedTuple):
    id: int
    source: int
    upto: int


@dataclass(frozen=True, slots=True)
class Erased:
    lines: int
    quarantined: int  # entries of the quarantine

    def __add__(self, other: "Erased") -> "Erased":
        return Erased(self.lines + other.lines, self.quarantined + other.quarantined)


def erase(conn: psycopg.Connection[Any], source: int) -> Erased:
    """Everything of the source that is committed now. Wants autocommit. Raises Busy, Outage: run it again."""
    try:
        with alone(conn):
            done = Erased(0, 0)
            if begun := unfinished(conn, source):
                done += carry_out(conn, begun)
            if anything(conn, source):
                done += carry_out(conn, begin(conn, source))
            return done
    except psycopg.Error as error:
        raise classify(error) from error


@contextmanager
def alone(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """A lock of the session: an erasure is many transactions."""
    row = conn.execute("SELECT pg_try_advisory_lock(%s)", [ERASE_LOCK]).fetchone()
    if not row or not row[0]:
        raise Busy("lines are being removed by another run")
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("SELECT pg_advisory_unlock(%s)", [ERASE_LOCK])


def unfinished(conn: psycopg.Connection[Any], source: int) -> Work | None:
    row = conn.execute(
        "SELECT id, source, upto FROM log_erased WHERE source = %s AND finished IS NULL", [source]
    ).fetchone()
    return Work(*row) if row else None


# The ledger answers at once for what came within its 35 days; only without it the lines are looked through.
SINCE = """
WITH last AS (SELECT coalesce(max(upto), -1) AS upto FROM log_erased WHERE source = %(source)s)
SELECT CASE
    WHEN EXISTS (SELECT FROM log_batch WHERE source = %(source)s AND seg > (SELECT upto FROM last)) THEN true
    ELSE EXISTS (SELECT FROM log WHERE source = %(source)s AND seg > (SELECT upto FROM last)) END
"""


def anything(conn: psycopg.Connection[Any], source: int) -> bool:
    """Whether there is a line, or a batch, that no erasure has covered yet."""
    row = conn.execute(SINCE, {"source": source}).fetchone()
    return bool(row and row[0])


BEGIN = """
INSERT INTO log_erased (source, upto) SELECT %s, base + pg_current_xact_id()::text::bigint FROM log_origin
RETURNING id, source, upto
"""


def begin(conn: psycopg.Connection[Any], source: int) -> Work:
    """Committed: no reader sees the lines any more."""
    row = conn.execute(BEGIN, [source]).fetchone()
    assert row is not None, "log_origin is empty: migrate first"
    return Work(*row)


def carry_out(conn: psycopg.Connection[Any], work: Work) -> Erased:
    wait_for_older(conn, work)
    patiently(lambda: catalogue.forget(conn, work.source))
    for start in hours(conn):
        delete_slice(conn, work, start)
    delete_quarantine(conn, work)
    row = conn.execute(
        "UPDATE log_erased SET finished = now() WHERE id = %s RETURNING lines, quarantined", [work.id]
    ).fetchone()
    assert row is not None
    return Erased(*row)


OLDER = """
SELECT base + pg_snapshot_xmin(pg_current_snapshot())::text::bigint <= %s FROM log_origin
"""


def wait_for_older(conn: psycopg.Connection[Any], work: Work) -> None:
    """A writer that began before may still commit lines of a segment that is to go. Raises Busy."""
    deadline = time.monotonic() + OLDER_SECONDS
    while (row := conn.execute(OLDER, [work.upto]).fetchone()) and row[0]:
        if time.monotonic() > deadline:
            raise Busy(
                f"a transaction has been open for more than {OLDER_SECONDS:.0f} s; the lines are hidden"
            )
        time.sleep(0.05)


def hours(conn: psycopg.Connection[Any]) -> Iterator[datetime]:
    """Of every day there is, the newest first: that is where most lines of a demo are."""
    for day in reversed(editions.partitions(conn)):
        start, end = editions.bounds(day)
        while start < end:
            yield start
            start += SLICE


DELETE = """
WITH gone AS (
    DELETE FROM log WHERE time >= %(start)s AND time < %(end)s AND source = %(source)s AND seg <= %(upto)s
    RETURNING 1
)
UPDATE log_erased SET lines = lines + (SELECT count(*) FROM gone) WHERE id = %(id)s
"""


def delete_slice(conn: psycopg.Connection[Any], work: Work, start: datetime) -> None:
    """One statement, so one transaction: what is gone is counted. Raises psycopg's errors."""
    params = {**work._asdict(), "start": start, "end": start + SLICE}
    patiently(lambda: conn.execute(DELETE, params))


def patiently(act: Callable[[], object]) -> None:
    """Another may hold a row or a day for a moment: the catalogue a step long, retention while it drops."""
    for left in reversed(range(TRIES)):
        try:
            act()
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if not left:
                raise
            time.sleep(PAUSE_SECONDS)


QUARANTINE = """
WITH gone AS (
    DELETE FROM quarantine WHERE id = ANY(ARRAY(
        SELECT id FROM quarantine WHERE source = %(source)s AND seg <= %(upto)s LIMIT %(chunk)s))
    RETURNING 1
), counted AS (SELECT count(*) AS entries FROM gone)
UPDATE log_erased SET quarantined = quarantined + entries FROM counted WHERE id = %(id)s RETURNING entries
"""


def delete_quarantine(conn: psycopg.Connection[Any], work: Work) -> None:
    params = {**work._asdict(), "chunk": QUARANTINE_CHUNK}
    while (row := conn.execute(QUARANTINE, params).fetchone()) and row[0]:
        pass
