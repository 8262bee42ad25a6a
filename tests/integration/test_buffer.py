"""The buffer's verbs on a real Valkey and a real Redis 7.0: each test is one sentence of the contract."""

import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from ingest.buffer import Accepted, Buffer, Claim, Claimed, Held, Move, State
from ingest.directory import Directory, SourceEntry, publish
from ingest.errors import BrokerFull, KeyConflict
from tests.brokers import let_leases_run_out, offer

FINAL = (State.STORED, State.DUPLICATE, State.QUARANTINED)


def ids(claim: Claim) -> list[uuid.UUID]:
    return [batch.batch for batch in claim.batches]


def moves(batches: list[Claimed], to: State) -> list[Move]:
    return [Move(batch.batch, batch.acceptance, to) for batch in batches]


# ---- accept ----


def test_an_accepted_batch_is_claimed_with_its_payload_and_number(buffer: Buffer) -> None:
    given = offer(source=7, rows=3, payload=bytes(range(256)))
    accepted = buffer.accept(given)
    assert accepted == Accepted(given.batch, accepted.acceptance, 3, 0, duplicate=False, hint=True)
    assert buffer.claim("w").batches == [Claimed(given.batch, accepted.acceptance, 7, 3, 0, given.payload)]


def test_acceptance_numbers_rise(buffer: Buffer) -> None:
    numbers = [buffer.accept(offer()).acceptance for _ in range(50)]
    assert numbers == sorted(set(numbers))


def test_a_broker_that_lost_its_volume_gives_no_number_twice(buffer: Buffer) -> None:
    before = [buffer.accept(offer()).acceptance for _ in range(20)]
    buffer.client.flushall()
    assert buffer.accept(offer()).acceptance > max(before)


def test_the_same_id_again_is_one_acceptance(buffer: Buffer) -> None:
    given = offer(rejects={"bad_json": 2})
    first, second = buffer.accept(given), buffer.accept(given)
    assert (second.acceptance, second.rows, second.rejected) == (first.acceptance, 10, 2)
    assert not second.duplicate, "no client knows the id: it was ingest that came again"
    assert not second.hint
    assert buffer.depth().due == 1


def test_the_same_id_again_while_spilled_is_one_acceptance(buffer: Buffer) -> None:
    given = offer()
    first = buffer.accept(given)
    buffer.finish([Move(given.batch, first.acceptance, State.SPILLED)])
    assert buffer.accept(given).acceptance == first.acceptance
    assert buffer.depth().due == 0


def test_one_key_and_content_is_answered_as_the_first_time_even_when_stored(buffer: Buffer) -> None:
    first = buffer.accept(offer(key=b"k", rejects={"too_old": 1}))
    buffer.finish([Move(first.batch, first.acceptance, State.STORED)])
    buffer.client.delete(b"m:" + first.batch.bytes)  # as after its minute
    second = buffer.accept(offer(key=b"k", rejects={"too_old": 1}))
    assert (second.batch, second.acceptance) == (first.batch, first.acceptance)
    assert (second.rows, second.rejected, second.duplicate) == (10, 1, True)
    assert buffer.depth().due == 0


def test_one_key_with_other_content_is_a_conflict_and_takes_nothing_in(buffer: Buffer) -> None:
    buffer.accept(offer(key=b"k", body=b"one"))
    with pytest.raises(KeyConflict):
        buffer.accept(offer(key=b"k", body=b"two"))
    assert buffer.depth().queued_rows == 10


def test_one_key_from_two_sources_is_two_batches(buffer: Buffer) -> None:
    assert not buffer.accept(offer(source=1, key=b"k")).duplicate
    assert not buffer.accept(offer(source=2, key=b"k", body=b"other")).duplicate


def test_a_key_is_free_again_when_its_hour_is_over(buffer: Buffer) -> None:
    buffer.accept(offer(key=b"k", body=b"one"))
    (tombstone,) = buffer.client.keys("k:*")
    assert 3_590_000 < buffer.client.pttl(tombstone) <= 3_600_000
    buffer.client.delete(tombstone)
    assert not buffer.accept(offer(key=b"k", body=b"two")).duplicate


def test_an_unkeyed_batch_leaves_no_tombstone(buffer: Buffer) -> None:
    buffer.accept(offer())
    assert buffer.client.keys("k:*") == []


def test_a_stored_batch_that_comes_again_later_is_a_new_acceptance(buffer: Buffer) -> None:
    given = offer()
    first = buffer.accept(given)
    buffer.finish([Move(given.batch, first.acceptance, State.STORED)])
    buffer.client.delete(b"m:" + given.batch.bytes)  # as after its minute
    second = buffer.accept(given)
    assert second.acceptance > first.acceptance
    assert not second.duplicate


def test_many_threads_with_one_key_make_one_acceptance(buffer: Buffer) -> None:
    start = threading.Barrier(8)

    def send() -> Accepted:
        start.wait()
        return buffer.accept(offer(key=b"k"))

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(send) for _ in range(8)]]
    assert len({answer.acceptance for answer in answers}) == 1
    assert sorted(answer.duplicate for answer in answers) == [False] + [True] * 7


def test_a_broker_at_its_bound_refuses_whole_and_still_hands_out_and_finishes(buffer: Buffer) -> None:
    accepted = buffer.accept(offer(key=b"k"))
    buffer.client.config_set("maxmemory", "100kb")
    try:
        before = buffer.client.dbsize()
        with pytest.raises(BrokerFull):
            buffer.accept(offer(key=b"other", rejects={"bad_json": 1}))
        assert buffer.client.dbsize() == before
        claim = buffer.claim("w")
        assert ids(claim) == [accepted.batch]
        assert buffer.release("w", ids(claim)) == 1
        assert buffer.finish(moves(buffer.claim("w").batches, State.SPILLED)) == 1
    finally:
        buffer.client.config_set("maxmemory", "256mb")
    assert buffer.depth().spilled == 1


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


# ---- finish ----


@pytest.mark.parametrize("to", FINAL)
def test_a_final_move_deletes_the_payload_and_the_place_in_line(buffer: Buffer, to: State) -> None:
    accepted = buffer.accept(offer())
    assert buffer.finish([Move(accepted.batch, accepted.acceptance, to)]) == 1
    assert buffer.state(accepted.batch) is to
    assert buffer.client.exists(b"b:" + accepted.batch.bytes) == 0
    assert buffer.claim("w").batches == []


def test_a_spilled_batch_leaves_the_broker_and_stays_in_the_books(buffer: Buffer) -> None:
    accepted = buffer.accept(offer(source=4))
    buffer.finish(moves(buffer.claim("w").batches, State.SPILLED))
    assert buffer.client.exists(b"b:" + accepted.batch.bytes) == 0
    assert buffer.depth().by_source[4] == Held(0, 0, 1, 10)
    buffer.finish([Move(accepted.batch, accepted.acceptance, State.STORED)])
    assert buffer.depth().by_source[4] == Held()


@pytest.mark.parametrize("again", [State.SPILLED, *FINAL])
@pytest.mark.parametrize("made", FINAL)
def test_a_move_already_made_changes_nothing(buffer: Buffer, made: State, again: State) -> None:
    accepted = buffer.accept(offer())
    buffer.finish([Move(accepted.batch, accepted.acceptance, made)])
    before = buffer.minutes(), buffer.depth().by_source
    assert buffer.finish([Move(accepted.batch, accepted.acceptance, again)]) == 0
    assert (buffer.minutes(), buffer.depth().by_source) == before
    assert buffer.state(accepted.batch) is made


def test_a_worker_whose_lease_ran_out_may_still_finish(buffer: Buffer) -> None:
    buffer.accept(offer())
    slow = buffer.claim("slow").batches
    let_leases_run_out(buffer.client)
    fast = buffer.claim("fast").batches
    assert buffer.finish(moves(slow, State.STORED)) == 1
    assert buffer.finish(moves(fast, State.STORED)) == 0
    assert buffer.release("fast", [batch.batch for batch in fast]) == 0
    assert buffer.claim("w").batches == []
    (minute,) = buffer.minutes()
    assert (minute.accepted, minute.stored, minute.queued) == (10, 10, 0)


def test_a_late_finish_of_an_old_acceptance_leaves_the_new_one_alone(buffer: Buffer) -> None:
    given = offer()
    old = buffer.accept(given)
    buffer.finish([Move(given.batch, old.acceptance, State.STORED)])
    buffer.client.delete(b"m:" + given.batch.bytes)  # as after its minute
    new = buffer.accept(given)
    assert buffer.finish([Move(given.batch, old.acceptance, State.STORED)]) == 0
    assert buffer.state(given.batch) is State.QUEUED
    assert buffer.finish([Move(given.batch, new.acceptance, State.DUPLICATE)]) == 1


def test_a_final_batch_is_forgotten_after_a_minute_and_a_spilled_one_never(buffer: Buffer) -> None:
    accepted = buffer.accept(offer())
    known = b"m:" + accepted.batch.bytes
    buffer.finish([Move(accepted.batch, accepted.acceptance, State.SPILLED)])
    assert buffer.client.pttl(known) == -1
    buffer.finish([Move(accepted.batch, accepted.acceptance, State.STORED)])
    assert 0 < buffer.client.pttl(known) <= 60_000


def test_an_unknown_batch_has_no_state(buffer: Buffer) -> None:
    assert buffer.state(uuid.uuid4()) is None
    assert buffer.finish([Move(uuid.uuid4(), 1, State.STORED)]) == 0


# ---- hints ----


def test_one_hint_is_under_way_at_a_time(buffer: Buffer) -> None:
    assert [buffer.accept(offer()).hint for _ in range(3)] == [True, False, False]
    assert not buffer.want_hint()


def test_a_claim_clears_the_hint(buffer: Buffer) -> None:
    buffer.accept(offer())
    assert not buffer.claim("w").more
    assert buffer.accept(offer()).hint


def test_with_more_due_the_claimer_owes_the_hint_and_nobody_else_sends_one(any_broker: redis.Redis) -> None:
    buffer = Buffer(any_broker, lease_seconds=60, group_batches=1, group_rows=10)
    buffer.accept(offer())
    buffer.accept(offer())
    assert buffer.claim("w").more
    assert not buffer.want_hint()
    assert not buffer.accept(offer()).hint


def test_a_lost_hint_is_sent_again_by_the_ticker(buffer: Buffer) -> None:
    buffer.accept(offer())
    assert 0 < buffer.client.pttl("hinted") <= 1000
    buffer.client.delete("hinted")  # as after a second
    assert buffer.want_hint()
    assert not buffer.want_hint()


def test_nothing_due_wants_no_hint_and_a_lease_that_ran_out_does(buffer: Buffer) -> None:
    assert not buffer.want_hint()
    buffer.accept(offer())
    buffer.claim("dead")
    assert not buffer.want_hint()
    let_leases_run_out(buffer.client)
    assert buffer.want_hint()


def test_hints_do_not_pile_up_while_no_worker_reads_them(buffer: Buffer) -> None:
    buffer.client.rpush("ingest", *range(32))
    assert not buffer.accept(offer()).hint
    assert not buffer.want_hint()


# ---- books ----


def test_a_minutes_books_balance_and_are_those_of_acceptance(buffer: Buffer) -> None:
    states = (State.STORED, State.DUPLICATE, State.QUARANTINED, State.SPILLED)
    for rows, to in enumerate(states, start=1):
        accepted = buffer.accept(offer(rows=rows, rejects={"bad_json": 1, "too_old": 2}))
        buffer.finish([Move(accepted.batch, accepted.acceptance, to)])
    buffer.accept(offer(rows=100))
    books = buffer.minutes()  # two when the test straddles a minute
    total = {
        name: sum(getattr(minute, name) for minute in books)
        for name in ("received", "accepted", "stored", "duplicate", "quarantined", "spilled", "queued")
    }
    assert total == {
        "received": 122,
        "accepted": 110,
        "stored": 1,
        "duplicate": 2,
        "quarantined": 3,
        "spilled": 4,
        "queued": 100,
    }
    assert sum(minute.refused["bad_json"] for minute in books if minute.refused) == 4


def test_a_batch_without_one_good_line_is_taken_in_for_its_rejects(buffer: Buffer) -> None:
    buffer.accept(offer(rows=0, rejects={"bad_json": 5}))
    (minute,) = buffer.minutes()
    assert (minute.received, minute.accepted) == (5, 0)
    assert len(buffer.claim("w").batches) == 1


def test_a_repeat_is_in_no_balance(buffer: Buffer) -> None:
    for _ in range(3):
        buffer.accept(offer(key=b"k"))
    assert sum(minute.accepted for minute in buffer.minutes()) == 10
    assert sum(minute.repeated for minute in buffer.minutes()) == 20


def test_a_minute_is_kept_while_a_batch_of_it_is_open_and_a_day_longer(buffer: Buffer) -> None:
    accepted = buffer.accept(offer())
    (books,) = buffer.client.keys("c:*")
    assert buffer.client.ttl(books) == -1
    buffer.finish([Move(accepted.batch, accepted.acceptance, State.SPILLED)])
    assert buffer.client.ttl(books) == -1
    buffer.finish([Move(accepted.batch, accepted.acceptance, State.STORED)])
    assert 86_000 < buffer.client.ttl(books) <= 86_400


def test_minutes_can_be_asked_for_what_changed(buffer: Buffer) -> None:
    buffer.accept(offer())
    changed = int(buffer.client.zrange("minutes", 0, 0, withscores=True)[0][1])
    assert buffer.minutes(since_ms=changed) == buffer.minutes()
    assert buffer.minutes(since_ms=changed + 60_000) == []


def test_a_minute_whose_books_expired_is_no_longer_listed(buffer: Buffer) -> None:
    buffer.accept(offer())
    buffer.client.delete(*buffer.client.keys("c:*"))
    assert buffer.minutes() == []
    assert buffer.client.zcard("minutes") == 0


def test_depth_counts_what_is_in_line_in_hands_and_spilled(any_broker: redis.Redis) -> None:
    buffer = Buffer(any_broker, lease_seconds=60, group_batches=2, group_rows=10_000)
    for source in (1, 1, 1, 2):
        buffer.accept(offer(source=source, rows=5))
    buffer.claim("w")
    spilled = buffer.claim("w").batches[:1]
    buffer.release("w", ids(Claim(spilled, False)))
    buffer.finish(moves(spilled, State.SPILLED))
    depth = buffer.depth()
    assert (depth.due, depth.leased, depth.queued_rows) == (0, 3, 15)
    assert (depth.spilled, depth.spilled_rows) == (1, 5)
    assert 0 < depth.memory_share < 1


def test_the_drain_rate_is_of_rows_that_left_the_queue(buffer: Buffer) -> None:
    assert buffer.drain_rate() == 0
    for _ in range(5):
        buffer.accept(offer(rows=100))
    buffer.finish(moves(buffer.claim("w").batches, State.STORED))
    assert 0 < buffer.drain_rate() <= 500


def test_scripts_are_loaded_again_after_the_server_forgot_them(buffer: Buffer) -> None:
    buffer.accept(offer())
    buffer.client.script_flush()
    assert len(buffer.claim("w").batches) == 1
