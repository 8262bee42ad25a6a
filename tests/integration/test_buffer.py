"""The buffer's verbs on a real Valkey and a real Redis 7.0: each test is one sentence of the contract."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from ingest.buffer import BATCH_BYTES, Accepted, Buffer, Claim, Claimed, Held, Move, State
from ingest.errors import BrokerFull, KeyConflict
from tests.brokers import ids, let_leases_run_out, moves, offer

FINAL = (State.STORED, State.DUPLICATE, State.QUARANTINED)


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


def test_the_bytes_that_a_source_holds_come_and_go_with_its_batches(buffer: Buffer) -> None:
    for _ in range(3):
        buffer.accept(offer(source=4, payload=b"x" * 1000))
    assert buffer.depth().by_source[4].queued_memory == 3 * (1000 + BATCH_BYTES)
    first, *rest = buffer.claim("w").batches
    buffer.finish(moves([first], State.STORED))
    assert buffer.depth().by_source[4].queued_bytes == 2000
    buffer.finish(moves(rest, State.SPILLED))
    assert buffer.depth().by_source[4].queued_memory == 0


def test_bytes_that_an_older_version_did_not_count_are_forgotten_with_its_last_batch(buffer: Buffer) -> None:
    buffer.accept(offer(source=4, payload=b"x" * 1000))
    buffer.client.hdel("held", "qn:4")
    buffer.finish(moves(buffer.claim("w").batches, State.STORED))
    buffer.accept(offer(source=4, payload=b"x" * 1000))
    assert buffer.depth().by_source[4].queued_bytes == 1000


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
    assert buffer.depth().drain_rate == 0
    for _ in range(5):
        buffer.accept(offer(rows=100))
    buffer.finish(moves(buffer.claim("w").batches, State.STORED))
    assert 0 < buffer.depth().drain_rate <= 500


def test_scripts_are_loaded_again_after_the_server_forgot_them(buffer: Buffer) -> None:
    buffer.accept(offer())
    buffer.client.script_flush()
    assert len(buffer.claim("w").batches) == 1
