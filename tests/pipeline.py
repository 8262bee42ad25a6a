"""Deeds and faults of an installation in any order, for hypothesis to choose from: a machine of rules.

Two workers of the product's own parts, on a real broker, a real database and volumes that remember what a
power cut leaves (recording.py), may be ended, cut off or overtaken at any operation (trapped.py). What they
must keep is told in accepted.py.
"""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import redis
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from ingest.buffer import Buffer
from ingest.errors import BrokerGone
from tests.accepted import RESET, Accepted, Kind, Sent, forget, make
from tests.plant import NARROW, ROOMY, Parts, Plant, Worker
from tests.recording import RecordedOs
from tests.trapped import Fault, Server, Trap, Trouble

HOUR_US = 3_600_000_000
MONTH_US = 35 * 24 * HOUR_US  # more than the ledger remembers

WHICH = st.integers(0, 1)
KIND = st.builds(
    Kind,
    lines=st.integers(0, 4),
    bad=st.sampled_from([frozenset()] * 9 + [frozenset({1}), frozenset({2, 3}), frozenset({1, 2, 3})]),
    refused=st.sampled_from([0, 0, 0, 1, 2]),
    readable=st.sampled_from([True] * 9 + [False]),
    keyed=st.booleans(),
)
KINDS = st.lists(KIND, min_size=1, max_size=3)
PLAIN = Kind(lines=1, bad=frozenset(), refused=0, readable=True, keyed=True)
ANSWER = st.sampled_from([Fault.NONE, Fault.NONE, Fault.FAIL_BEFORE, Fault.FAIL_AFTER])
# Sometimes without one: what a fault leaves must also be gone on with. A step has about 14 operations, or 60
# where a batch is refused.
TROUBLES = st.builds(
    Trouble,
    fault=st.sampled_from([Fault.NONE, Fault.NONE, *Fault]),
    at=st.one_of(st.integers(1, 14), st.integers(1, 6), st.integers(1, 60)),
    of=st.sampled_from(["", "", "file", "broker", "statement", "commit"]),
)
Deed = Callable[[Worker], None]
DEED = st.sampled_from([Worker.store, Worker.spill, Worker.flush, Worker.tick])
SURROUNDINGS = st.sampled_from(
    ("database", "database", "broker", "volume", "patience", "leases", "leases", "hung", "pause", "month")
    + ("clock back", "deaths", "deaths")
)


@dataclass
class Setting:
    """What all examples share."""

    client: redis.Redis
    server: Server
    conn: psycopg.Connection[Any]
    seen: RecordedOs
    directory: Path
    parts: Parts = Parts()
    looks_at_disks: bool = True


class PipelineMachine(RuleBasedStateMachine):
    setting: Setting  # set by the test

    sent = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self.under_way = sys.exc_info()[1]
        one = self.setting
        one.client.flushall()
        one.conn.execute(RESET)
        self.directory = TemporaryDirectory(dir=one.directory)
        self.plant = Plant(one.client, one.server, Path(self.directory.name), one.seen, one.parts)
        self.accepted = Accepted(self.plant, one.conn)
        self.accepted.looks_at_disks = one.looks_at_disks
        self.made = 0

    @initialize(target=sent, kinds=KINDS)
    def begin(self, kinds: list[Kind]) -> MultipleResults[Sent]:
        for worker in self.plant.workers:
            self.start(worker)
        return self.offer(1, kinds, Fault.NONE)

    def worker(self, which: int) -> Worker:
        return self.plant.workers[which]

    # ---- senders ----

    @rule(target=sent, source=st.integers(1, 2), kinds=KINDS, fault=ANSWER)
    def offers(self, source: int, kinds: list[Kind], fault: Fault) -> MultipleResults[Sent]:
        return self.offer(source, kinds, fault)

    def offer(self, source: int, kinds: list[Kind], fault: Fault) -> MultipleResults[Sent]:
        first = self.made + 1
        self.made += len(kinds)
        made = [make(number, source, kind) for number, kind in enumerate(kinds, first)]
        for sent in made:
            self.send(sent, fault)
        return multiple(*made)

    @rule(sent=sent, fault=ANSWER, late=st.booleans())
    def repeat(self, sent: Sent, fault: Fault, late: bool) -> None:
        """Under its key at any time; without one, only ingest itself asks again, and soon."""
        if late and sent.acceptances and sent.final:
            forget(self.plant.client, sent)
        if sent.offer.key or not sent.forgotten:
            self.send(sent, fault)

    def send(self, sent: Sent, fault: Fault) -> None:
        trap = Trap()
        trap.arm(Trouble(fault))
        try:
            acceptance = Buffer(self.plant.line(trap)).accept(sent.offer).acceptance
        except BrokerGone:
            known = self.accepted.buffer.known(sent.id)
            if known is None:
                return
            acceptance = known.acceptance
        self.accepted.took(sent, acceptance)

    # ---- workers ----

    @rule(which=WHICH, trouble=TROUBLES)
    def store(self, which: int, trouble: Trouble) -> None:
        self.turn(which, [Worker.store], trouble)

    @rule(which=WHICH, trouble=TROUBLES)
    def spill(self, which: int, trouble: Trouble) -> None:
        self.turn(which, [Worker.spill], trouble)

    @rule(which=WHICH, trouble=TROUBLES)
    def flush(self, which: int, trouble: Trouble) -> None:
        self.turn(which, [Worker.flush], trouble)

    @rule(which=WHICH, deeds=st.lists(DEED, min_size=2, max_size=4), trouble=TROUBLES)
    def work(self, which: int, deeds: list[Deed], trouble: Trouble) -> None:
        """A stretch of life with a fault somewhere in it."""
        self.turn(which, deeds, trouble)

    def turn(self, which: int, deeds: list[Deed], trouble: Trouble) -> None:
        worker = self.worker(which)
        if not worker.alive:
            self.start(worker)
        with worker.living(trouble):
            for deed in deeds:
                if worker.alive:
                    self.plant.clock.go(3)
                    self.give(worker, deed)
                    deed(worker)
        self.plant.time_passes()

    def give(self, worker: Worker, deed: Deed) -> None:
        """Something to do, that no turn is idle for want of it."""
        assert worker.spool
        if deed is Worker.flush and not worker.spool.waiting():
            self.give(worker, Worker.spill)
            worker.spill()
        if deed in (Worker.store, Worker.spill) and not self.plant.client.exists("ring"):
            self.offer(1, [PLAIN], Fault.NONE)

    def start(self, worker: Worker, most_bytes: int = ROOMY) -> None:
        """With the broker away or its volume failing it does not start."""
        try:
            worker.start(most_bytes)
        except (BrokerGone, OSError):
            worker.end()

    @rule(
        which=WHICH,
        how=st.sampled_from(["stop", "kill", "cut", "cut"]),
        kept=st.integers(0, 6),
        seed=st.integers(0, 99),
        heir=st.sampled_from(["itself", "the other", "nobody yet"]),
        trouble=TROUBLES,
        most_bytes=st.sampled_from([ROOMY, NARROW]),
    )
    def end(
        self,
        which: int,
        how: str,
        kept: int,
        seed: int,
        heir: str,
        trouble: Trouble,
        most_bytes: int,
    ) -> None:
        """A worker ends, its volume's power perhaps with it; then somebody opens its directory."""
        worker = self.worker(which)
        other = self.plant.other(worker)
        if how == "stop" and worker.alive:
            worker.stop()
        worker.end()
        if how == "cut":
            worker.disk.cut_power(kept, random.Random(seed))
        if heir == "itself":
            with worker.living(trouble):
                self.start(worker, most_bytes)
        elif heir == "the other" and other.alive:
            with other.living(trouble):
                other.drain(worker.disk)

    # ---- what surrounds them ----

    @rule(what=SURROUNDINGS, turns=st.integers(1, 4), which=WHICH)
    def around(self, what: str, turns: int, which: int) -> None:
        """For some turns of a worker the database or the broker is away, or a volume is full."""
        plant = self.plant
        match what:
            case "database":
                plant.server.away = turns
            case "broker":
                plant.broker_away = turns
            case "volume":
                self.worker(which).disk.full = turns
            case "patience":
                plant.patient = turns
            case "leases":
                plant.leases_run_out()
            case "hung":
                plant.server.decide(commit=turns > 2)
            case "pause":
                plant.clock.go(100)
            case "month":
                plant.clock.us += MONTH_US
            case "deaths":
                for _ in range(turns):
                    self.accepted.buffer.claim("nobody")
                    plant.leases_run_out()
            case "clock back":
                plant.clock.us -= HOUR_US

    @rule(which=WHICH, place=st.integers(0, 20), bit=st.integers(0, 9999))
    def rot(self, which: int, place: int, bit: int) -> None:
        disk = self.worker(which).disk
        names = sorted(name for name in disk.names if name.endswith(".spill"))
        if names:
            name = names[place % len(names)]
            disk.flip(name, bit % (8 * len(disk.names[name].data)))

    # ---- what must hold ----

    @invariant()
    def everything_is_where_it_should_be(self) -> None:
        self.accepted.look()

    @invariant()
    def a_spool_knows_what_it_holds(self) -> None:
        for worker in self.plant.workers:
            if worker.spool:
                paths = worker.spool.waiting()
                sizes = sum(path.stat().st_size for path in paths)
                held = worker.spool.holds()
                assert held == (len(paths), sizes), f"it says {held}, there are {len(paths)} of {sizes} bytes"

    def teardown(self) -> None:
        try:
            if sys.exc_info()[1] is self.under_way:
                self.heal()
                self.accepted.look()
                self.accepted.settle_accounts()
        finally:
            self.plant.close()
            self.plant.server.away = 0
            self.directory.cleanup()

    def heal(self) -> None:
        """No more faults: everything that is not damaged gets to its end."""
        self.plant.all_is_well()
        for _ in range(100):
            if self.at_rest():
                return
            self.plant.leases_run_out()
            self.plant.clock.go(100)
            for which in (0, 1):
                for deed in (Worker.tick, Worker.flush, Worker.store):
                    deed(self.worker(which))
        raise AssertionError("it does not come to rest")

    def at_rest(self) -> bool:
        depth = self.accepted.buffer.depth()
        return depth.due == depth.leased == 0 and not any(
            worker.spool is None or worker.spool.waiting() for worker in self.plant.workers
        )
