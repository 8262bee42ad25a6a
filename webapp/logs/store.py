"""A group of batches becomes one transaction: ledger, lines, segment, slots and refused lines, or nothing.

Exactly once (I2) rests on the ledger: a batch's id is inserted in the transaction that copies its lines. A
conflict with the same acceptance number is a redelivery of what is stored already; with another number it is
the client's repeat. Ids are inserted sorted, so that two writers of overlapping groups wait instead of
deadlocking. Days are made before the transaction (editions.py). Three round trips: ledger, COPY, the rest
with COMMIT.
"""

import contextlib
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import psycopg

from ingest.envelope import Envelope
from ingest.record import LogRecord
from webapp.logs import copy, editions
from webapp.logs.errors import (
    Busy,
    ForeignCluster,
    Outage,
    Poison,
    StoreError,
    classify,
    missing_partition,
)
from webapp.logs.origin import check_origin
from webapp.logs.quarantine import REJECTS, quarantine_batch, reject_columns

__all__ = [
    "Busy", "ForeignCluster", "Outage", "Outcome", "Poison", "StoreError", "Unit",
    "check_origin", "connect", "quarantine_batch", "store",
]  # fmt: skip

DAY_US = 86_400_000_000
SLOT_US = 600_000_000

# All off by default in PostgreSQL: a frozen worker would hold its ledger keys and stall its peers.
SESSION = {
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "5s",
    "client_connection_check_interval": "1s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "timezone": "UTC",
}


class Unit(msgspec.Struct, frozen=True):
    batch: uuid.UUID
    acceptance: int
    envelope: Envelope
    quarantined: int = 0  # accepted lines that a bisection moved from the records to the rejects


class Outcome(NamedTuple):
    batch: uuid.UUID
    acceptance: int
    stored: bool  # False: the ledger knew it with another acceptance
    put_away: bool = False  # whole, by an earlier delivery


def connect(url: str, kind: type[psycopg.Connection[Any]] = psycopg.Connection) -> psycopg.Connection[Any]:
    """A writer's session. Raises Outage."""
    try:
        return kind.connect(
            url,
            autocommit=True,
            application_name="logboom",
            connect_timeout=5,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            options=" ".join(f"-c {name}={value}" for name, value in SESSION.items()),
        )
    except psycopg.Error as error:
        raise classify(error) from error


def store(conn: psycopg.Connection[Any], units: Sequence[Unit]) -> list[Outcome]:
    """Raises Outage, Busy or Poison: then nothing is stored, or (Outage) nobody knows; a repeat is safe."""
    ordered = sorted(units, key=lambda unit: unit.batch)
    days = touched([unit.envelope.records for unit in ordered], DAY_US)
    try:
        editions.ensure(conn, days)
        try:
            return store_once(conn, ordered)
        except psycopg.Error as error:
            if not missing_partition(error):
                raise
            editions.forget(conn)
            editions.ensure(conn, days)
            return store_once(conn, ordered)
    except psycopg.Error as error:
        raise classify(error) from error
    except (UnicodeEncodeError, OverflowError) as error:  # a value that the wire cannot carry
        raise Poison(str(error)) from error


def store_once(conn: psycopg.Connection[Any], units: list[Unit]) -> list[Outcome]:
    try:
        conn.execute("BEGIN")
        ledger = enter_ledger(conn, units)
        if ledger.fresh:
            copy_units(conn, ledger)
            close_segment(conn, ledger)
        else:
            conn.execute("COMMIT")
    except BaseException:
        roll_back(conn)
        raise
    return [
        Outcome(u.batch, u.acceptance, ledger.kept.get(u.batch) == u.acceptance, u.batch in ledger.put_away)
        for u in units
    ]


def roll_back(conn: psycopg.Connection[Any]) -> None:
    if not conn.closed and conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        with contextlib.suppress(psycopg.Error):  # the first error is the one to tell
            conn.rollback()


# ---- the ledger ----

LEDGER = """
INSERT INTO log_batch (batch, acceptance, seg, received, committed, source, first_pos, rows, rejected,
                       quarantined, dialect, content_hash)
SELECT batch, acceptance, base + pg_current_xact_id()::text::bigint,
       'epoch'::timestamptz + received_us * interval '1 microsecond', clock_timestamp(), source, first_pos,
       rows, rejected, quarantined, dialect, content_hash
FROM unnest(%s::uuid[], %s::int8[], %s::int8[], %s::int4[], %s::int4[], %s::int4[], %s::int4[], %s::int4[],
            %s::text[], %s::bytea[])
     WITH ORDINALITY AS given (batch, acceptance, received_us, source, first_pos, rows, rejected,
                               quarantined, dialect, content_hash, place), log_origin
ORDER BY place
ON CONFLICT (batch) DO NOTHING
RETURNING seg, batch
"""

# A statement of its own: what a conflict waited for became visible only after the INSERT's snapshot.
KNOWN = "SELECT batch, acceptance, content_hash = '' FROM log_batch WHERE batch = ANY(%s)"


class Fresh(NamedTuple):
    unit: Unit
    first_pos: int


class Ledger(NamedTuple):
    seg: int
    fresh: list[Fresh]  # what is to be stored now
    kept: dict[uuid.UUID, int]  # the acceptance under which each batch is in the ledger
    put_away: frozenset[uuid.UUID] = frozenset()  # those that are there as quarantined whole


def enter_ledger(conn: psycopg.Connection[Any], units: list[Unit]) -> Ledger:
    first = {unit.batch: unit for unit in reversed(units)}  # a batch given twice is stored once
    placed, end = [], 0
    for unit in reversed(first.values()):
        placed.append(Fresh(unit, end))
        end += len(unit.envelope.records)
    entered = conn.execute(LEDGER, ledger_columns(placed)).fetchall()
    new = {batch for _, batch in entered}
    kept = {batch: first[batch].acceptance for batch in new}
    put_away: frozenset[uuid.UUID] = frozenset()
    if len(new) < len(first):
        known = conn.execute(KNOWN, [[batch for batch in first if batch not in new]]).fetchall()
        kept |= {batch: acceptance for batch, acceptance, _ in known}
        put_away = frozenset(batch for batch, _, whole in known if whole)
    fresh = [f for f in placed if f.unit.batch in new]
    return Ledger(entered[0][0] if entered else 0, fresh, kept, put_away)


def ledger_columns(placed: list[Fresh]) -> list[list[Any]]:
    rows = [
        (
            unit.batch,
            unit.acceptance,
            unit.envelope.received_us,
            unit.envelope.source,
            first_pos,
            len(unit.envelope.records),
            len(unit.envelope.rejects) - unit.quarantined,
            unit.quarantined,
            unit.envelope.dialect,
            unit.envelope.content_hash,
        )
        for unit, first_pos in placed
    ]
    return [list(column) for column in zip(*rows, strict=True)]


# ---- the lines and what is written about them ----


def copy_units(conn: psycopg.Connection[Any], ledger: Ledger) -> None:
    if not any(unit.envelope.records for unit, _ in ledger.fresh):
        return
    with conn.cursor() as cursor, copy.copying(cursor) as out:
        for unit, first_pos in ledger.fresh:
            copy.write_rows(out, unit.envelope.records, unit.envelope.source, ledger.seg, first_pos)


SEGMENT = """
WITH slots AS (
    INSERT INTO log_segment_slot (slot, seg) SELECT slot, %(seg)s FROM unnest(%(slots)s::int8[]) AS slot
)
INSERT INTO log_segment (seg, rows, committed, time_min, time_max)
VALUES (%(seg)s, %(rows)s, clock_timestamp(),
        'epoch'::timestamptz + %(first)s::int8 * interval '1 microsecond',
        'epoch'::timestamptz + %(last)s::int8 * interval '1 microsecond')
"""


def close_segment(conn: psycopg.Connection[Any], ledger: Ledger) -> None:
    """The segment, its slots, the refused lines and COMMIT, in one round trip."""
    batches = [unit.envelope.records for unit, _ in ledger.fresh]
    bounds = [(min(times), max(times)) for records in batches if (times := times_of(records))]
    values = {
        "seg": ledger.seg,
        "slots": sorted(touched(batches, SLOT_US)),
        "rows": sum(map(len, batches)),
        "first": min((first for first, _ in bounds), default=None),
        "last": max((last for _, last in bounds), default=None),
    }
    rejects = [
        (unit.batch, unit.acceptance, unit.envelope) for unit, _ in ledger.fresh if unit.envelope.rejects
    ]
    with conn.pipeline():
        conn.execute(SEGMENT, values)
        if rejects:
            conn.execute(REJECTS, reject_columns(ledger.seg, rejects))
        conn.execute("COMMIT")


def times_of(records: list[LogRecord]) -> list[int]:
    return [record.time_us for record in records]


def touched(batches: Iterable[list[LogRecord]], width_us: int) -> set[int]:
    """Which days, or slots, the lines lie in."""
    found: set[int] = set()
    for records in batches:
        if not records:
            continue
        times = times_of(records)
        first, last = min(times) // width_us, max(times) // width_us
        found.update((first,) if first == last else {time // width_us for time in times})
    return found
