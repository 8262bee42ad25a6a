"""The pump: claim a group -> store it, or spill it -> tell the broker. One call of `step` is one task and one
commit.

A batch is claimed, never taken: until the broker is told it is stored or safe in a spill file, a killed
worker's lease runs out and another one stores it; the ledger makes that harmless. What a step could not
settle it hands back, which is no death.
"""

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import Counter

from ingest.buffer import Buffer, Claimed, Move, State
from ingest.errors import BrokerGone
from webapp.logs.errors import Busy, DiskFull, ForeignCluster, Outage, Poison
from workers.breaker import Breaker
from workers.database import Database
from workers.errors import SpillFailed
from workers.settle import settle
from workers.spool import Spool

log = logging.getLogger(__name__)

# While the database is away, the broker holds what fits and is fresh; beyond these it goes to the volume.
SPILL_SHARE = 0.4
SPILL_AGE_MS = 30_000
SPILL_FILE_BYTES = 8 * 1024**2  # in a long outage: one file for several claims, not thousands of small ones
# A group begins no sooner than this after the last one that took all there was: in a steady stream of small
# batches groups then fill, and the price of a transaction is shared. An idle worker starts at once.
PACE_SECONDS = 0.05
AGAIN_MS = 1_000  # handed back: due again after this, varied so that workers do not return in step

GROUPS = Counter("logboom_groups_total", "Steps of the pump, by what became of the group", ["outcome"])


@dataclass(frozen=True)
class Step:
    """What one step did, as Flower shows it."""

    outcome: str  # stored, spilled, returned, idle, waiting, stopping
    batches: int = 0
    rows: int = 0


class Tell:
    """Tells the broker; what it could not hear is kept and told again by the ticker, within the lease."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._lock = threading.Lock()
        self._untold: list[Move] = []

    def finish(self, moves: Sequence[Move]) -> None:
        try:
            self._buffer.finish(moves)
        except BrokerGone as error:
            log.warning("%d batches are done but the broker is away: %s", len(moves), error)
            with self._lock:
                self._untold += moves

    def again(self) -> None:
        """Raises BrokerGone with everything kept."""
        with self._lock:
            if self._untold:
                self._buffer.finish(self._untold)
                self._untold = []


class Pump:
    def __init__(
        self,
        *,
        owner: str,
        buffer: Buffer,
        database: Database,
        breaker: Breaker,
        spool: Spool,
        hint: Callable[[], None],
        spill_always: bool = False,
        spilled: Callable[[], None] = lambda: None,
    ) -> None:
        self.stopping = threading.Event()
        self.tell = Tell(buffer)
        self._owner = owner
        self._buffer = buffer
        self._database = database
        self._breaker = breaker
        self._spool = spool
        self._hint = hint
        self._spill_always = spill_always
        self._spilled = spilled
        self._in_flight: set[Group] = set()
        self._not_before = 0.0

    def step(self) -> Step:
        step = self._step()
        GROUPS.labels(step.outcome).inc()
        return step

    def _step(self) -> Step:
        if self.stopping.is_set():
            return Step("stopping")
        if self._spill_always or (not self._breaker.closed and self._must_spill()):
            return self._spill_claims()
        if not self._breaker.closed:
            return Step("waiting")
        self.stopping.wait(self._not_before - time.monotonic())
        with self._claim() as group:
            return self._store(group) if group.left else Step("idle")

    def _must_spill(self) -> bool:
        depth = self._buffer.depth()
        return depth.memory_share > SPILL_SHARE or depth.oldest_ms > SPILL_AGE_MS

    @contextmanager
    def _claim(self) -> Iterator["Group"]:
        """A group; whatever of it is not settled at the end is handed back."""
        claim = self._buffer.claim(self._owner)
        self._not_before = 0.0 if claim.more else time.monotonic() + PACE_SECONDS
        if claim.more:
            self._hint()  # before storing: another thread or worker takes the next group meanwhile
        with self._holding(claim.batches) as group:
            yield group

    @contextmanager
    def _holding(self, batches: Sequence[Claimed]) -> Iterator["Group"]:
        group = Group(batches, self.tell)
        self._in_flight.add(group)
        try:
            yield group
        finally:
            self._hand_back(group)
            self._in_flight.discard(group)

    def abandon(self) -> None:
        """The process ends with steps still running: what they hold goes back; settled twice is no harm."""
        for group in list(self._in_flight):
            self._hand_back(group)

    def _hand_back(self, group: "Group") -> None:
        if not group.left:
            return
        # Others take them at once if this worker ends; otherwise the reason may need a moment to pass.
        delay_ms = 0 if self.stopping.is_set() else int(AGAIN_MS * random.uniform(0.7, 1.3))
        try:
            self._buffer.release(self._owner, list(group.left), delay_ms=delay_ms)
        except BrokerGone as error:
            log.warning("%d batches stay leased until the lease runs out: %s", len(group.left), error)

    def _store(self, group: "Group") -> Step:
        try:
            for moves in settle(self._database, list(group.left.values())):
                group.settled(moves)
        except DiskFull as error:  # may last as long as an outage; the breaker's probe might still find room
            self._breaker.note_full(str(error))
            log.warning("the database does not write: %s", error)
            return self._spill(group) if self._must_spill() else Step("returned", len(group.left))
        except (Busy, Poison) as error:
            # Poison here: the quarantine itself was refused. Nothing is lost; it is tried again, loudly.
            log.warning("%d batches handed back: %s", len(group.left), error)
            return Step("returned", len(group.left))
        except (Outage, ForeignCluster) as error:
            self._breaker.fail(str(error))
            log.warning("the database is away: %s", error)
            return self._spill(group) if self._must_spill() else Step("returned", len(group.left))
        self._breaker.note_full("")
        return Step("stored", group.batches, group.rows)

    def _spill_claims(self) -> Step:
        """Claims until one file is full or nothing more is due, and spills them together."""
        more = True
        with self._holding([]) as group:  # from the first claim on: the second may fail, or the process end
            while more and sum(len(batch.payload) for batch in group.left.values()) < SPILL_FILE_BYTES:
                claim = self._buffer.claim(self._owner)
                group.take(claim.batches)
                more = claim.more and bool(claim.batches)
            if more:
                self._hint()
            return self._spill(group) if group.left else Step("idle")

    def _spill(self, group: "Group") -> Step:
        """Never the breaker's business: a full volume says nothing about the database."""
        batches = list(group.left.values())
        try:
            self._spool.write(batches)
        except SpillFailed as error:
            log.error("cannot spill, the batches stay in the broker: %s", error)
            return Step("returned", len(batches))
        group.settled([Move(batch.batch, batch.acceptance, State.SPILLED) for batch in batches])
        self._spilled()
        return Step("spilled", len(batches), sum(batch.rows for batch in batches))


class Group:
    """The batches of one step: those left to settle, and what is done."""

    def __init__(self, batches: Sequence[Claimed], tell: Tell) -> None:
        self.left: dict[uuid.UUID, Claimed] = {}
        self.batches = 0
        self.rows = 0
        self._tell = tell
        self.take(batches)

    def take(self, batches: Sequence[Claimed]) -> None:
        self.left |= {batch.batch: batch for batch in batches}

    def settled(self, moves: Sequence[Move]) -> None:
        """Committed or synced: the broker may forget them."""
        for move in moves:
            self.rows += self.left.pop(move.batch).rows
        self.batches += len(moves)
        self._tell.finish(moves)
