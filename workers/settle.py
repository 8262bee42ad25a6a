"""From batches to final moves: what the pump does with a claim and the flusher with a spill file.

One transaction a group. A batch that killed five workers is not even parsed; bytes that are no envelope, and
a batch that the database refuses by itself, go to quarantine in a transaction of their own.
"""

import logging
import struct
import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import Counter, Histogram

from ingest import envelope
from ingest.buffer import Claimed, Move, State
from ingest.record import LogRecord
from webapp.logs import copy, quarantine, store
from webapp.logs.errors import Poison
from webapp.logs.store import Unit
from workers import poison
from workers.database import Connection, Database
from workers.sift import sift

log = logging.getLogger(__name__)

DEATHS = 5  # workers a batch may kill before it is put away unparsed

ROWS = Counter("logboom_stored_rows_total", "Rows of batches stored by this worker")
BATCHES = Counter("logboom_settled_batches_total", "Batches that reached a final state", ["state"])
GROUP_SECONDS = Histogram(
    "logboom_group_seconds",
    "Unpacking and storing one group",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
QUARANTINED = Counter("logboom_quarantined_batches_total", "Batches put into quarantine whole", ["reason"])


def settle(database: Database, batches: Sequence[Claimed]) -> Iterator[Sequence[Move]]:
    """Yields the moves of each transaction once it is committed.

    Raises Outage, Busy or ForeignCluster at the first that is not; nothing is tried after it.
    """
    readable: list[tuple[Claimed, Unit]] = []
    for batch in batches:
        if batch.deaths >= DEATHS:
            yield [put_away(database, batch, "deadly", f"{batch.deaths} workers died over this batch")]
            continue
        try:
            readable.append((batch, Unit(batch.batch, batch.acceptance, envelope.unpack(batch.payload))))
        except envelope.UnreadableEnvelope as error:
            yield [put_away(database, batch, "unreadable", str(error))]
    with GROUP_SECONDS.time():
        store_group = _storing(database)
        yield from poison.bisect(readable, store_group, _refusing(database, store_group))


def _storing(database: Database) -> Callable[[Sequence[tuple[Claimed, Unit]]], list[Move]]:
    def store_group(group: Sequence[tuple[Claimed, Unit]]) -> list[Move]:
        units = [unit for _, unit in group]
        try:
            outcomes = database.call(lambda connection: store.store(connection, units))
        except (
            ValueError,
            OverflowError,
            struct.error,
        ) as error:  # a value that its column's bytes cannot hold
            database.close()
            raise Poison(f"{type(error).__name__}: {error}") from error
        ROWS.inc(sum(batch.rows for batch, _ in group))
        states = {outcome.batch: _state(outcome) for outcome in outcomes}
        return [_move(batch, states[batch.batch]) for batch, _ in group]

    return store_group


def _state(outcome: store.Outcome) -> State:
    if not outcome.stored:
        return State.DUPLICATE
    return State.QUARANTINED if outcome.put_away else State.STORED


def _refusing(
    database: Database, store_group: Callable[[Sequence[tuple[Claimed, Unit]]], list[Move]]
) -> Callable[[tuple[Claimed, Unit], Poison], Move]:
    def refuse(pair: tuple[Claimed, Unit], error: Poison) -> Move:
        batch, unit = pair
        try:
            sifted = sift(unit, lambda records: database.call(lambda connection: _try(connection, records)))
            return store_group([(batch, sifted)])[0]
        except Poison:
            envelope = unit.envelope
            return put_away(database, batch, "poison", str(error), envelope.dialect, envelope.received_us)

    return refuse


def _try(connection: Connection, records: list[LogRecord]) -> None:
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        copy.copy_rows(cursor, records, source=0, seg=0, first_pos=0)


def put_away(
    database: Database, batch: Claimed, reason: str, detail: str, dialect: str = "", received_us: int = 0
) -> Move:
    """A batch that was stored before, by a worker that died before it told, is found so in the ledger."""
    received_us = received_us or time.time_ns() // 1000

    def put(connection: Connection) -> State:
        outcome = store.quarantine_batch(
            connection,
            batch.batch,
            batch.acceptance,
            batch.source,
            dialect,
            received_us,
            reason,
            detail,
            batch.payload,
            batch.rows,
        )
        if not outcome.stored:
            return State.DUPLICATE
        return State.STORED if quarantine.stored_before(connection, batch.batch) else State.QUARANTINED

    state = database.call(put)
    if state is State.QUARANTINED:
        log.error("batch %s of source %d is in quarantine: %s: %s", batch.batch, batch.source, reason, detail)
        QUARANTINED.labels(reason).inc()
    return _move(batch, state)


def _move(batch: Claimed, state: State) -> Move:
    BATCHES.labels(state.value).inc()
    return Move(batch.batch, batch.acceptance, state)
