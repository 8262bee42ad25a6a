"""The buffer against a model of it in plain Python: any order of verbs, two workers, leases that run out.

The model has the whole rule book in a dictionary of batches; after every step the real broker must hold the
same batches in the same states, in the same lines, with the same books. Nothing lost, nothing twice.
"""

import uuid
from dataclasses import dataclass

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ingest.buffer import Buffer, Move, Offer, State
from ingest.errors import KeyConflict
from tests.brokers import let_leases_run_out, offer

OWNERS = st.sampled_from(["worker-0", "worker-1"])
GROUP_BATCHES, GROUP_ROWS = 4, 60
RANK = {State.QUEUED: 0, State.SPILLED: 1, State.STORED: 2, State.DUPLICATE: 2, State.QUARANTINED: 2}
WEIGHTS = {2: 3}  # as published with the directory
KEYS = [None, b"one", b"two"]


@dataclass
class Batch:
    offer: Offer
    acceptance: int
    state: State = State.QUEUED
    owner: str | None = None
    away: bool = False  # leased, or handed back with a delay
    deaths: int = 0

    @property
    def due(self) -> bool:
        return self.state is State.QUEUED and not self.away


class Model:
    def __init__(self) -> None:
        self.batches: dict[uuid.UUID, Batch] = {}  # the newest acceptance of each
        self.keys: dict[tuple[int, bytes], Batch] = {}
        self.ring: dict[int, int] = {}  # source with somebody in line -> how much it has been served
        self.tags: dict[int, int] = {}  # the same at its last turn
        self.served = 0  # the same of the source served last
        self.counts: dict[tuple[int, State], int] = {}  # rows at their end, and spilled
        self.accepted: dict[int, int] = {}

    def settle_ring(self) -> None:
        """Sources whose line emptied leave the ring; newcomers join where the others are."""
        due = {batch.offer.source for batch in self.batches.values() if batch.due}
        self.ring = {
            source: self.ring.get(source, max(self.served, self.tags.get(source, 0))) for source in due
        }

    def turns(self) -> list[int]:
        return sorted(self.ring, key=lambda source: (self.ring[source], str(source)))

    def line(self, source: int) -> list[Batch]:
        due = [batch for batch in self.batches.values() if batch.due and batch.offer.source == source]
        return sorted(due, key=lambda batch: batch.acceptance)

    def claim(self, owner: str) -> list[Batch]:
        group: list[Batch] = []
        while self.ring and len(group) < GROUP_BATCHES:
            source = self.turns()[0]
            batch = self.line(source)[0]
            rows = sum(taken.offer.rows for taken in group) + batch.offer.rows
            if group and (batch.deaths or rows > GROUP_ROWS):
                break
            batch.away, batch.owner = True, owner
            group.append(batch)
            self.served = self.ring[source]
            cost = 100 * max(1, batch.offer.rows) // WEIGHTS.get(source, 1)
            self.ring[source] = self.tags[source] = self.served + cost
            self.settle_ring()
            if batch.deaths:
                break
        return group

    def come_back(self, batch: Batch, *, died: bool) -> None:
        batch.deaths += died and batch.owner is not None
        batch.away, batch.owner = False, None
        self.settle_ring()

    def move(self, batch: Batch, to: State) -> bool:
        if RANK[to] <= RANK[batch.state]:
            return False
        source, rows = batch.offer.source, batch.offer.rows
        if batch.state is State.SPILLED:
            self.counts[source, State.SPILLED] -= rows
        self.counts[source, to] = self.counts.get((source, to), 0) + rows
        batch.state, batch.away, batch.owner = to, False, None
        self.settle_ring()
        return True


class BufferMachine(RuleBasedStateMachine):
    client: redis.Redis  # set by the test

    offers = Bundle("offers")

    def __init__(self) -> None:
        super().__init__()
        self.client.flushall()
        self.client.hset("weights", mapping=WEIGHTS)
        self.buffer = Buffer(
            self.client, lease_seconds=3600, group_batches=GROUP_BATCHES, group_rows=GROUP_ROWS
        )
        self.model = Model()
        self.old: list[Move] = []  # acceptances that a later one of the same batch has replaced

    @rule(
        target=offers,
        source=st.integers(1, 3),
        rows=st.integers(0, 40),
        rejects=st.dictionaries(st.sampled_from(["bad_json", "too_old"]), st.integers(1, 3)),
        key=st.sampled_from(KEYS),
        body=st.sampled_from([b"first", b"second"]),
    )
    def make(self, source: int, rows: int, rejects: dict[str, int], key: bytes | None, body: bytes) -> Offer:
        return offer(source, rows, rejects=rejects, key=key, body=body)

    @rule(given=offers)
    def accept(self, given: Offer) -> None:
        first = self.model.keys.get((given.source, given.key)) if given.key else None
        if first and first.offer.content_hash != given.content_hash:
            with pytest.raises(KeyConflict):
                self.buffer.accept(given)
            return
        known = first or self.model.batches.get(given.batch)
        answer = self.buffer.accept(given)
        if known:
            assert answer.duplicate == (given.key is not None)
            assert (answer.batch, answer.acceptance) == (known.offer.batch, known.acceptance)
            assert (answer.rows, answer.rejected) == (known.offer.rows, sum(known.offer.rejects.values()))
            return
        assert not answer.duplicate
        batch = Batch(given, answer.acceptance)
        self.model.batches[given.batch] = batch
        if given.key:
            self.model.keys[given.source, given.key] = batch
        self.model.accepted[given.source] = self.model.accepted.get(given.source, 0) + given.rows
        self.model.settle_ring()

    @rule(owner=OWNERS)
    def claim(self, owner: str) -> None:
        claim = self.buffer.claim(owner)
        expected = self.model.claim(owner)
        assert [(got.batch, got.acceptance, got.deaths) for got in claim.batches] == [
            (batch.offer.batch, batch.acceptance, batch.deaths) for batch in expected
        ]
        assert [got.payload for got in claim.batches] == [batch.offer.payload for batch in expected]
        assert claim.more == bool(self.model.ring)

    @rule(owner=OWNERS, some=st.lists(offers), delay_ms=st.sampled_from([0, 3_600_000]))
    def release(self, owner: str, some: list[Offer], delay_ms: int) -> None:
        self._release(owner, list({given.batch for given in some}), delay_ms)

    @rule(owner=OWNERS, delay_ms=st.sampled_from([0, 3_600_000]))
    def release_all(self, owner: str, delay_ms: int) -> None:
        self._release(owner, list(self.model.batches), delay_ms)

    def _release(self, owner: str, named: list[uuid.UUID], delay_ms: int) -> None:
        held = [
            batch
            for batch in (self.model.batches.get(name) for name in named)
            if batch and batch.owner == owner
        ]
        assert self.buffer.release(owner, named, delay_ms=delay_ms) == len(held)
        for batch in held:
            if delay_ms:
                batch.owner = None
            else:
                self.model.come_back(batch, died=False)

    @rule(owner=OWNERS)
    def restart(self, owner: str) -> None:
        held = [batch for batch in self._in_order_of_leases() if batch.owner == owner]
        assert self.buffer.free(owner) == len(held)
        for batch in held:
            self.model.come_back(batch, died=True)

    @rule()
    def time_passes(self) -> None:
        """All that is away comes back at the next claim, here one that takes nothing."""
        let_leases_run_out(self.client)
        for batch in self._in_order_of_leases():
            self.model.come_back(batch, died=True)
        claim = Buffer(self.client, lease_seconds=3600, group_batches=0).claim("nobody")
        assert claim.batches == []

    def _in_order_of_leases(self) -> list[Batch]:
        names = self.client.zrange("leases", 0, -1)
        return [self.model.batches[uuid.UUID(bytes=name)] for name in names]

    @rule(some=st.lists(offers, max_size=4), to=st.sampled_from(State))
    def finish(self, some: list[Offer], to: State) -> None:
        batches = [self.model.batches[given.batch] for given in some if given.batch in self.model.batches]
        moves = [Move(batch.offer.batch, batch.acceptance, to) for batch in batches]
        assert self.buffer.finish([*moves, *self.old]) == sum(self.model.move(batch, to) for batch in batches)

    @rule(given=offers)
    def forget(self, given: Offer) -> None:
        """A minute after a batch's end, and an hour after it was accepted."""
        batch = self.model.batches.get(given.batch)
        if batch is None or RANK[batch.state] < 2:
            return
        assert 0 < self.client.pttl(b"m:" + given.batch.bytes) <= 60_000
        self.client.delete(b"m:" + given.batch.bytes, *self.client.keys("k:*"))
        self.old.append(Move(given.batch, batch.acceptance, State.STORED))
        del self.model.batches[given.batch]
        self.model.keys.clear()

    @invariant()
    def every_batch_is_where_it_should_be(self) -> None:
        pipe = self.client.pipeline()
        names = list(self.model.batches)
        for name in names:
            pipe.hmget(b"m:" + name.bytes, "a", "s")
            pipe.exists(b"b:" + name.bytes)
        answers = pipe.execute()
        for at, name in enumerate(names):
            batch = self.model.batches[name]
            assert int(answers[2 * at][0]) == batch.acceptance
            assert answers[2 * at + 1] == (batch.state is State.QUEUED)
            assert self.buffer.state(name) is batch.state

    @invariant()
    def the_ring_holds_the_sources_with_somebody_in_line(self) -> None:
        assert [int(source) for source in self.client.zrange("ring", 0, -1)] == self.model.turns()
        for source in self.model.ring:
            line = [batch.offer.batch.bytes for batch in self.model.line(source)]
            assert self.client.zrange(f"due:{source}", 0, -1) == line

    @invariant()
    def depth_agrees(self) -> None:
        depth = self.buffer.depth()
        queued = [batch for batch in self.model.batches.values() if batch.state is State.QUEUED]
        assert depth.due == sum(batch.due for batch in queued)
        assert depth.leased == sum(batch.away for batch in queued)
        assert depth.queued_rows == sum(batch.offer.rows for batch in queued)

    @invariant()
    def the_books_balance(self) -> None:
        held = self.buffer.depth().by_source
        books: dict[int, dict[str, int]] = {}
        for minute in self.buffer.minutes():
            mine = books.setdefault(minute.source, {})
            for name in ("accepted", "stored", "duplicate", "quarantined", "spilled", "queued"):
                mine[name] = mine.get(name, 0) + getattr(minute, name)
        for source, mine in books.items():
            assert mine["accepted"] == self.model.accepted.get(source, 0)
            for state in RANK.keys() - {State.QUEUED}:
                assert mine[state] == self.model.counts.get((source, state), 0)
            assert (held[source].queued_rows, held[source].spilled_rows) == (mine["queued"], mine["spilled"])


def test_no_order_of_verbs_loses_a_batch_or_unbalances_the_books(any_broker: redis.Redis) -> None:
    machine = type("Machine", (BufferMachine,), {"client": any_broker})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
