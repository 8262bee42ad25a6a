"""Where the pipeline stands: what is stored, as far as a reader may see it, and what still waits.

Asked every few seconds by every open page, so each part is one cheap look, bounded in time. The broker and
the database are asked apart: what waits is told most of all while the database is away.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import psycopg
from django.conf import settings
from psycopg import sql

from ingest.buffer import Buffer, connect
from ingest.errors import Transient
from webapp.access.scope import Scope
from webapp.logs import imbalance, times
from webapp.logs.asking import Ask
from webapp.logs.errors import OutOfTime, classify
from webapp.logs.search import search
from webapp.logs.snapshot import Reader, reading

BROKER_SECONDS = 1.0
LOOK_MS = 400


@dataclass(frozen=True, slots=True)
class Stored:
    as_of_time: str
    newest: str | None  # of the lines the reader may see; None, too, where it lies too deep to be found
    any_lines: bool
    last_commit: str | None
    edition: str
    retention_days: int
    imbalance: int  # lines that the ledger finds missing, or too many
    unheld: int  # batches of them that are said to be spilled, and that no volume holds


@dataclass(frozen=True, slots=True)
class Queued:
    batches: int
    rows: int
    oldest_ms: int | None


@dataclass(frozen=True, slots=True)
class Spilled:
    batches: int
    rows: int


@dataclass(frozen=True, slots=True)
class Waiting:
    queued: Queued | None  # both None while the broker is away
    spilled: Spilled | None
    broker: Literal["ok", "full", "away"]


# ---- what is stored ----

FACTS = """
SELECT (SELECT committed FROM log_segment WHERE rows > 0 ORDER BY seg DESC LIMIT 1),
       (SELECT edition FROM log_origin), (SELECT days FROM log_class WHERE name = 'default')
"""
# By the ledger: a source whose last line lies under a million of others still has lines.
EVER = sql.SQL(
    "SELECT EXISTS (SELECT FROM log_batch WHERE rows > 0 AND source = ANY(%s) AND NOT EXISTS"
    " (SELECT FROM log_erased WHERE log_erased.source = log_batch.source AND log_batch.seg <= upto))"
)


def stored(scope: Scope) -> Stored:
    """Raises StoreError."""
    newest = newest_of(scope)
    try:
        with reading(timeout_ms=LOOK_MS) as reader:
            row = reader.conn.execute(FACTS).fetchone()
            assert row is not None
            committed, edition, days = row
            balance = imbalance.standing(reader.conn, scope.sources)
            return Stored(
                as_of_time=times.rfc3339(reader.token.time_us * 1000),
                newest=newest,
                any_lines=newest is not None or ever(reader, scope),
                last_commit=committed and times.rfc3339(times.nanoseconds(committed)),
                edition=edition,
                retention_days=days,
                imbalance=balance.lines,
                unheld=balance.unheld,
            )
    except psycopg.Error as error:
        raise classify(error) from error


def newest_of(scope: Scope) -> str | None:
    try:
        found = search(Ask(timeout_ms=LOOK_MS), scope, limit=1, count="none").logs
    except OutOfTime:
        return None
    return found[0].time if found else None


def ever(reader: Reader, scope: Scope) -> bool:
    if scope.sources is None:
        return False  # the newest of all lines is found at once where there is one
    row: Any = reader.conn.execute(EVER, [sorted(scope.sources)]).fetchone()
    return bool(row[0])


# ---- what waits ----


def waiting() -> Waiting:
    try:
        depth = buffer(settings.BROKER_URL).depth()
    except Transient:
        return Waiting(None, None, "away")
    batches = depth.due + depth.leased
    full = depth.memory_share >= settings.ADMISSION_SHARE
    return Waiting(
        Queued(batches, depth.queued_rows, depth.oldest_ms if batches else None),
        Spilled(depth.spilled, depth.spilled_rows),
        "full" if full else "ok",
    )


@cache
def buffer(url: str) -> Buffer:
    return Buffer(connect(url, timeout=BROKER_SECONDS))
