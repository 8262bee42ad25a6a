"""Claims and leases: who gets what, in which order, and what becomes of it when a worker dies."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import redis

from ingest.buffer import Buffer
from ingest.directory import Directory, SourceEntry, publish
from tests.brokers import ids, let_leases_run_out, offer

# ---- claim ----


def test_a_group_is_bounded_by_batches(any_broker: redis.Redis) -> None:
    buffer = Buffer(any_broker, lease_seconds=60, group_batches=3, group_rows=10_000)
    for _ in range(4):
        buffer.accept(offer())
    assert [len(buffer.claim("w").batches) for _ in range(3)] == [3, 1, 0]


def test_a_group_is_bounded_by_rows(any_broker: redis.Redis) -> None:
    buffer = Buffer(any_broker, lease_seconds=60, group_batches=16, group_rows=25)
    for _ in range(3):
        buffer.accept(offer(rows=10))
    assert [len(buffer.claim("w").batches) for _ in range(2)] == [2, 1]


def test_a_group_is_bounded_by_bytes(any_broker: redis.Redis) -> None:
    buffer = Buffer(any_broker, lease_seconds=60, group_batches=16, group_rows=10_000, group_bytes=250)
    for _ in range(3):
        buffer.accept(offer(payload=b"x" * 100))
    assert [len(buffer.claim("w").batches) for _ in range(2)] == [2, 1]


def test_a_batch_over_every_bound_is_handed_out_alone(any_broker: redis.Redis) -> None:
    buffer = Buffer(any_broker, lease_seconds=60, group_batches=16, group_rows=5, group_bytes=5)
    buffer.accept(offer(rows=1000, payload=b"x" * 1000))
    assert len(buffer.claim("w").batches) == 1


def test_a_claim_goes_round_the_sources(buffer: Buffer) -> None:
    for source in (1, 1, 1, 2, 3):
        buffer.accept(offer(source=source))
    assert [batch.source for batch in buffer.claim("w").batches] == [1, 2, 3, 1, 1]


def test_a_noisy_source_delays_a_quiet_one_by_one_group_at_most(any_broker: redis.Redis) -> None:
    buffer = Buffer(any_broker, lease_seconds=60, group_batches=4, group_rows=10_000)
    for _ in range(200):
        buffer.accept(offer(source=1))
    buffer.claim("w")
    quiet = buffer.accept(offer(source=2))
    assert quiet.batch in ids(buffer.claim("w"))


def test_no_source_waits_longer_than_one_round(any_broker: redis.Redis) -> None:
    """Also while nothing new comes in, and with sources that are always at the head by their number."""
    buffer = Buffer(any_broker, lease_seconds=60, group_batches=2, group_rows=10_000)
    for _ in range(10):
        for source in range(1, 6):
            buffer.accept(offer(source=source))
    served = [batch.source for _ in range(25) for batch in buffer.claim("w").batches]
    assert len(served) == 50
    assert all(sorted(served[at : at + 5]) == [1, 2, 3, 4, 5] for at in range(0, 50, 5))


def served_rows(buffer: Buffer, claims: int) -> Counter[int]:
    rows: Counter[int] = Counter()
    for _ in range(claims):
        for batch in buffer.claim("w").batches:
            rows[batch.source] += batch.rows
    return rows


def test_sources_share_by_rows_not_by_batches(any_broker: redis.Redis) -> None:
    buffer = Buffer(any_broker, lease_seconds=60, group_batches=5, group_rows=10_000)
    for _ in range(20):
        buffer.accept(offer(source=1, rows=1000))
    for _ in range(200):
        buffer.accept(offer(source=2, rows=50))
    rows = served_rows(buffer, 21)
    assert abs(rows[1] - rows[2]) <= 1000


def test_a_heavier_source_gets_its_share(any_broker: redis.Redis) -> None:
    publish(any_broker, Directory(0, {}, {1: SourceEntry("plain"), 2: SourceEntry("heavy", weight=3)}))
    buffer = Buffer(any_broker, lease_seconds=60, group_batches=4, group_rows=10_000)
    for _ in range(50):
        buffer.accept(offer(source=1))
        buffer.accept(offer(source=2))
    assert served_rows(buffer, 10) == {1: 100, 2: 300}


def test_absence_earns_a_source_no_credit(any_broker: redis.Redis) -> None:
    buffer = Buffer(any_broker, lease_seconds=60, group_batches=4, group_rows=10_000)
    for _ in range(40):
        buffer.accept(offer(source=1))
    served_rows(buffer, 5)
    for _ in range(40):
        buffer.accept(offer(source=2))
    assert served_rows(buffer, 4) == {1: 80, 2: 80}


def test_emptying_its_line_wipes_nothing_out_for_a_source(any_broker: redis.Redis) -> None:
    """Source 2 has one large batch in line at a time, 1 has many small ones: each gets half of the rows."""
    buffer = Buffer(any_broker, lease_seconds=60, group_batches=1, group_rows=10_000)
    for _ in range(200):
        buffer.accept(offer(source=1, rows=10))
    rows: Counter[int] = Counter()
    for _ in range(60):
        if not buffer.client.exists("due:2"):
            buffer.accept(offer(source=2, rows=100))
        rows += served_rows(buffer, 1)
    assert abs(rows[1] - rows[2]) <= 100


def test_one_source_is_served_in_the_order_of_acceptance(buffer: Buffer) -> None:
    accepted = [buffer.accept(offer()).batch for _ in range(30)]
    assert [batch for _ in range(3) for batch in ids(buffer.claim("w"))] == accepted


def test_two_workers_never_hold_one_batch(buffer: Buffer) -> None:
    accepted = {buffer.accept(offer(source=at % 3)).batch for at in range(200)}

    def drain(owner: str) -> list[uuid.UUID]:
        return [batch for claim in iter(lambda: ids(buffer.claim(owner)), []) for batch in claim]

    with ThreadPoolExecutor(4) as pool:
        held = [batch for found in pool.map(drain, "abcd") for batch in found]
    assert len(held) == 200
    assert set(held) == accepted


# ---- leases and deaths ----


def test_a_lease_that_ran_out_is_a_death_and_the_batch_comes_alone(buffer: Buffer) -> None:
    first = buffer.accept(offer())
    buffer.claim("dead")
    buffer.accept(offer())
    let_leases_run_out(buffer.client)
    claim = buffer.claim("w")
    assert [(batch.batch, batch.deaths) for batch in claim.batches] == [(first.batch, 1)]
    assert claim.more
    assert [batch.deaths for batch in buffer.claim("w").batches] == [0]


def test_a_lease_runs_out_by_the_servers_clock(any_broker: redis.Redis) -> None:
    Buffer(any_broker).accept(offer())
    assert len(Buffer(any_broker, lease_seconds=0.0).claim("dead").batches) == 1
    assert [batch.deaths for batch in Buffer(any_broker, lease_seconds=60).claim("w").batches] == [1]
    assert Buffer(any_broker).claim("other").batches == []


def test_a_restarted_worker_frees_its_own_leases_and_no_others(buffer: Buffer) -> None:
    mine, other = buffer.accept(offer(source=1)), offer(source=2)
    buffer.claim("worker-0")
    buffer.accept(other)
    buffer.claim("worker-1")
    assert buffer.free("worker-0") == 1
    assert [(batch.batch, batch.deaths) for batch in buffer.claim("worker-0").batches] == [(mine.batch, 1)]
    assert buffer.depth().leased == 2


def test_deaths_are_counted_one_by_one(buffer: Buffer) -> None:
    buffer.accept(offer())
    for deaths in range(6):
        assert [batch.deaths for batch in buffer.claim("w").batches] == [deaths]
        buffer.free("w")


def test_handing_back_is_no_death(buffer: Buffer) -> None:
    buffer.accept(offer())
    buffer.accept(offer())
    claim = buffer.claim("w")
    assert buffer.release("w", ids(claim)) == 2
    assert buffer.claim("w") == claim


def test_handed_back_with_a_delay_it_is_due_later_and_has_not_died(buffer: Buffer) -> None:
    buffer.accept(offer())
    claim = buffer.claim("w")
    buffer.release("w", ids(claim), delay_ms=3_600_000)
    assert buffer.claim("w").batches == []
    assert buffer.free("w") == 0
    let_leases_run_out(buffer.client)
    assert buffer.claim("w").batches == claim.batches


def test_a_worker_hands_back_only_what_is_still_its_own(buffer: Buffer) -> None:
    buffer.accept(offer())
    claim = buffer.claim("slow")
    let_leases_run_out(buffer.client)
    assert ids(buffer.claim("other")) == ids(claim)
    assert buffer.release("slow", ids(claim)) == 0
    assert buffer.depth().leased == 1


def test_a_returned_batch_takes_its_old_place(buffer: Buffer) -> None:
    accepted = [buffer.accept(offer()).batch for _ in range(16)]
    claim = buffer.claim("w")
    late = buffer.accept(offer()).batch
    buffer.release("w", ids(claim))
    assert ids(buffer.claim("w")) == accepted
    assert ids(buffer.claim("w")) == [late]
