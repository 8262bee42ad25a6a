"""A whole installation turned by hand, with a volume a worker and a trap in every worker's way.

The broker and the database are real; the processes are objects that can be ended at any operation, and that
start again with nothing but what is on their volume, in the broker and in the database.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from ingest.buffer import Buffer
from ingest.errors import BrokerGone
from tests.brokers import let_leases_run_out
from tests.faults import Crash
from tests.recording import Disk, Inode, RecordedOs, RecordingFiles, finished
from tests.trapped import NOTHING, Line, Server, Trap, Trouble
from webapp.logs.errors import StoreError
from workers import pump, spill
from workers.breaker import Breaker
from workers.database import Database
from workers.deadline import Watchdog
from workers.errors import DirectoryTaken
from workers.flusher import Flusher
from workers.pump import Pump
from workers.spool import Files, Spool

LEASE_SECONDS = 3600  # by the server's clock: a test says when a lease has run out
GROUP = {"group_batches": 4, "group_rows": 60}
ROOMY, NARROW = 1024**2, 600  # bytes of a spool: all that a test writes, or a file or two


@dataclass(frozen=True)
class Parts:
    """What a worker is made of: a test may put a wrong one in."""

    files: type[Files] = Files
    pump: type[Pump] = Pump
    flusher: type[Flusher] = Flusher


class Clock:
    """The workers' clocks, turned by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.us = 1_800_000_000_000_000

    def go(self, seconds: float) -> None:
        self.seconds += seconds
        self.us += int(seconds * 1_000_000)


class Plant:
    def __init__(
        self, client: redis.Redis, server: Server, directory: Path, seen: RecordedOs, parts: Parts
    ) -> None:
        self.client, self.server, self.seen, self.parts = client, server, seen, parts
        self.clock = Clock()
        self.watchdog = shared_watchdog()
        self.broker_away = 0  # for so many turns
        self.patient = 0  # for so many turns what cannot be stored need not be spilled
        self.workers = [Worker(self, name, directory / name) for name in ("worker-0", "worker-1")]

    def line(self, trap: Trap) -> Any:
        return Line(self.client, trap, away=lambda: self.broker_away > 0)

    def other(self, worker: "Worker") -> "Worker":
        return next(one for one in self.workers if one is not worker)

    def leases_run_out(self) -> None:
        let_leases_run_out(self.client)

    def time_passes(self) -> None:
        """A turn: what is away comes back some time."""
        self.broker_away = max(0, self.broker_away - 1)
        self.patient = max(0, self.patient - 1)
        self.server.away = max(0, self.server.away - 1)
        for worker in self.workers:
            worker.disk.full = max(0, worker.disk.full - 1)

    def all_is_well(self) -> None:
        """Nothing fails any more, there is room, and every worker has just begun."""
        self.broker_away = self.server.away = 0
        while self.server.limbo:
            self.server.decide(commit=True)
        for worker in self.workers:
            worker.disk.full = 0
            worker.end()
            worker.start()

    def close(self) -> None:
        for worker in self.workers:
            worker.end()
        while self.server.limbo:
            self.server.decide(commit=False)


_watchdog = threading.local()


def shared_watchdog() -> Watchdog:
    """One for all: its thread never ends."""
    if not hasattr(_watchdog, "one"):
        _watchdog.one = Watchdog()
    return _watchdog.one  # type: ignore[no-any-return]


class Worker:
    def __init__(self, plant: Plant, name: str, directory: Path) -> None:
        self.plant, self.name, self.disk = plant, name, Disk(directory)
        self.trap = Trap()
        self.spool: Spool | None = None  # None: there is no such process
        self.busy = False

    @property
    def alive(self) -> bool:
        return self.spool is not None

    # ---- a life ----

    def start(self, most_bytes: int = ROOMY) -> None:
        """As lifecycle.py does. Raises what a start may fail for; then there is no process."""
        plant = self.plant
        self.trap.dead = False
        self.buffer = Buffer(plant.line(self.trap), lease_seconds=LEASE_SECONDS, **GROUP)
        self.breaker = Breaker(clock=lambda: plant.clock.seconds, dice=lambda: 0.5)
        self.database = Database(
            plant.server.url,
            seconds=30,
            watchdog=plant.watchdog,
            connect=lambda _: plant.server.connect(self.trap),  # type: ignore[return-value,arg-type]
        )
        self.spool = self.opened(self.disk, most_bytes)
        self.pump, self.spilling = (self.pumping(self.spool, always=always) for always in (False, True))
        self.flusher = self.flushing(self.spool)
        self.buffer.free(self.name)

    def opened(self, disk: Disk, most_bytes: int = ROOMY) -> Spool:
        files = RecordingFiles(disk, self.trap, self.plant.parts.files(), self.plant.seen)
        return Spool(disk.directory, most_bytes=most_bytes, files=files, now_us=lambda: self.plant.clock.us)

    def pumping(self, spool: Spool, *, always: bool) -> Pump:
        return self.plant.parts.pump(
            owner=self.name,
            buffer=self.buffer,
            database=self.database,
            breaker=self.breaker,
            spool=spool,
            hint=lambda: None,
            spill_always=always,
        )

    def flushing(self, spool: Spool) -> Flusher:
        return self.plant.parts.flusher(
            spool=spool,
            buffer=self.buffer,
            database=self.database,
            breaker=self.breaker,
            clock=lambda: self.plant.clock.seconds,
            **GROUP,
        )

    def end(self) -> None:
        """What the kernel does when a process has ended."""
        self.trap.disarm()
        if self.spool is not None:
            self.spool.close()
            self.spool = None
            self.database.close()

    def stop(self) -> None:
        """SIGTERM between two steps."""
        for one in (self.pump, self.spilling):
            one.stopping.set()
            assert one.step().outcome == "stopping"
            with suppress(BrokerGone):
                one.tell.again()
        self.end()

    @contextmanager
    def living(self, trouble: Trouble = NOTHING) -> Iterator[None]:
        """Its deeds, with a fault at one operation; a crash of it ends it and nobody else."""
        self.trap.arm(trouble)
        self.trap.meanwhile = lambda: self.plant.other(self).overtake()
        self.busy = True
        try:
            yield
        except Crash:
            assert self.trap.dead
            self.end()
        finally:
            self.busy = False
            self.trap.disarm()

    # ---- what it does, once ----

    def store(self) -> None:
        pump.SPILL_AGE_MS = 3_600_000 if self.plant.patient else -1
        with suppress(BrokerGone):  # as lifecycle.py
            self.pump.step()

    def spill(self) -> None:
        """As under SPILL_ALWAYS."""
        with suppress(BrokerGone):
            self.spilling.step()

    def flush(self) -> None:
        self.flusher.step()

    def tick(self) -> None:
        with suppress(BrokerGone):
            self.pump.tell.again()
            self.spilling.tell.again()
            self.buffer.want_hint()

    def drain(self, disk: Disk) -> None:
        """As `manage.py spill drain`."""
        try:
            spool = self.opened(disk)
        except DirectoryTaken:
            assert self.plant.other(self).alive
            return
        try:
            flusher = self.flushing(spool)
            with suppress(StoreError, BrokerGone, OSError):
                for path in spool.waiting():
                    flusher.flush(path)
        finally:
            spool.close()

    def overtake(self) -> None:
        if self.alive and not self.busy:
            self.plant.leases_run_out()
            with self.living():
                self.store()


# ---- what lies in a spill file ----

HEADER, FRAME, FIELDS, CHECKSUM = 20, 5, 40, 4  # bytes, as the head of workers/spill.py has it


@dataclass
class Layout:
    """Which bytes of a file are whose: told from the file before anything happened to it."""

    places: dict[bytes, range] = field(default_factory=dict)  # of each batch's record, by its id

    def readable(self, flips: set[int]) -> set[bytes]:
        """What must still be found: all but what was hit, and what lies behind a frame that was."""
        hit = {bit // 8 for bit in flips}
        found: set[bytes] = set()
        if any(byte < HEADER for byte in hit):
            return found
        for batch, place in self.places.items():
            if any(byte in place[:FRAME] for byte in hit):
                return found
            if not any(byte in place for byte in hit):
                found.add(batch)
        return found


def laid_out(data: bytes) -> Layout:
    layout, at = Layout(), HEADER
    for batch in spill.decode(data).batches:
        size = FRAME + FIELDS + len(batch.payload) + CHECKSUM
        layout.places[batch.batch.bytes] = range(at, at + size)
        at += size
    return layout


class Shelf:
    """The layouts of all files there were, each told while the file was as it had been written."""

    def __init__(self) -> None:
        self._known: dict[Inode, Layout] = {}

    def learn(self, disk: Disk) -> None:
        for inode in finished(disk.names):
            if inode not in self._known:
                self._known[inode] = laid_out(inode.data)

    def of(self, inode: Inode) -> Layout:
        return self._known[inode]
