"""The pump on a real broker and a real database: what is claimed is stored once, or kept."""

import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from ingest.buffer import Move, Offer, State
from ingest.envelope import unpack
from ingest.errors import BrokerGone
from tests.batches import offer
from tests.brokers import let_leases_run_out
from tests.faults import FaultyFiles, frozen, proxied
from tests.workbench import NOWHERE, OWNER, Bench, bench, crowded
from webapp.logs import store
from webapp.logs.errors import Outage
from workers import sift
from workers.database import Connection
from workers.pump import Step

__all__ = ["bench"]


def test_an_empty_queue_is_no_work(bench: Bench) -> None:
    assert bench.pump.step() == Step("idle")


def test_a_group_is_stored_in_one_transaction_and_the_broker_told(bench: Bench) -> None:
    offers = [offer("a", "b"), offer("c")]
    bench.accept(*offers)
    assert bench.pump.step() == Step("stored", batches=2, rows=3)
    assert bench.stored() == Counter(a=1, b=1, c=1)
    assert [bench.state(one) for one in offers] == [State.STORED] * 2
    with psycopg.connect(bench.url) as conn:
        assert conn.execute("SELECT count(*) FROM log_segment").fetchone() == (1,)


@pytest.mark.direct
def test_when_more_is_due_the_next_hint_goes_out_before_storing(bench: Bench) -> None:
    bench.accept(*(offer(str(n)) for n in range(20)))
    assert bench.pump.step().batches == 16
    assert bench.hints == 1
    assert bench.pump.step().batches == 4
    assert bench.hints == 1


@pytest.mark.direct
def test_a_step_waits_for_its_group_to_fill_only_when_the_last_one_took_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[bool] = []
    monkeypatch.setattr(bench.pump.stopping, "wait", lambda seconds: waits.append(seconds > 0))
    bench.accept(*(offer(str(n)) for n in range(20)))
    for _ in range(3):
        bench.pump.step()
    assert waits == [False, False, True]


def test_a_redelivery_after_a_lost_answer_is_stored_once(bench: Bench) -> None:
    one = offer("a")
    bench.accept(one)
    claim = bench.buffer.claim(OWNER)
    with store.connect(bench.url) as conn:
        unit = store.Unit(one.batch, claim.batches[0].acceptance, unpack(one.payload))
        store.store(conn, [unit])
    bench.buffer.free(OWNER)  # killed before it told the broker
    assert bench.pump.step() == Step("stored", batches=1, rows=1)
    assert bench.stored() == Counter(a=1)
    assert bench.state(one) is State.STORED


def test_a_batch_that_is_no_envelope_goes_to_quarantine_and_its_neighbour_is_stored(bench: Bench) -> None:
    bad, good = offer("x", payload=b"not an envelope"), offer("good")
    bench.accept(bad, good)
    bench.pump.step()
    assert bench.stored() == Counter(good=1)
    assert bench.quarantined() == {bad.batch: "unreadable"}
    assert (bench.state(bad), bench.state(good)) == (State.QUARANTINED, State.STORED)


def test_a_batch_that_killed_five_workers_is_put_away_unparsed(bench: Bench) -> None:
    deadly, good = offer("deadly"), offer("good")
    bench.accept(deadly)
    for _ in range(5):
        bench.buffer.claim(OWNER)
        bench.buffer.free(OWNER)
    bench.accept(good)
    bench.pump.step()
    bench.pump.step()
    assert bench.quarantined() == {deadly.batch: "deadly"}
    assert bench.stored() == Counter(good=1)


def test_a_batch_that_was_stored_before_its_fifth_death_counts_as_stored(bench: Bench) -> None:
    one = offer("a")
    bench.accept(one)
    acceptance = bench.buffer.claim(OWNER).batches[0].acceptance
    with store.connect(bench.url) as conn:
        store.store(conn, [store.Unit(one.batch, acceptance, unpack(one.payload))])
    bench.buffer.free(OWNER)
    for _ in range(4):
        bench.buffer.claim(OWNER)
        bench.buffer.free(OWNER)
    bench.pump.step()
    assert bench.state(one) is State.STORED
    assert bench.quarantined() == {}


def test_a_line_that_the_database_refuses_goes_to_quarantine_and_every_other_is_stored(bench: Bench) -> None:
    bad = offer("one", "two\0nul", "three")
    bench.accept(offer("before"), bad, offer("after"))
    bench.pump.step()
    assert bench.stored() == Counter(before=1, one=1, three=1, after=1)
    with psycopg.connect(bench.url) as conn:
        found = conn.execute("SELECT batch, line, reason FROM quarantine").fetchall()
    assert found == [(bad.batch, 2, "refused_by_database")]


@pytest.mark.direct
def test_a_batch_put_away_whole_is_found_so_where_nobody_was_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sift, "MOST", 0)
    one = offer("a", attributes=b"{")
    bench.accept(one)
    with monkeypatch.context() as broken:
        broken.setattr(bench.buffer, "finish", broker_gone)
        bench.pump.step()
    assert bench.state(one) is State.QUEUED and bench.quarantined() == {one.batch: "poison"}
    let_leases_run_out(bench.buffer.client)
    bench.pump.step()
    assert bench.state(one) is State.QUARANTINED


def broker_gone(*_: object) -> None:
    raise BrokerGone("connection lost")


def test_a_batch_with_nothing_but_refused_lines_is_quarantined_whole(bench: Bench) -> None:
    bad = offer(*(f"{n}\0" for n in range(40)))
    bench.accept(bad, offer("good"))
    bench.pump.step()
    assert bench.quarantined() == {bad.batch: "poison"}
    assert bench.stored() == Counter(good=1)


@pytest.mark.direct
def test_a_lock_hands_the_batch_back_without_opening_the_breaker(bench: Bench) -> None:
    one = offer("a")
    bench.accept(one)
    bench.connect_to(bench.url, connect=impatient)
    with psycopg.connect(bench.url) as other:
        other.execute("LOCK TABLE log_batch IN EXCLUSIVE MODE")
        assert bench.pump.step() == Step("returned", batches=1)
    assert bench.breaker.closed
    store_what_was_handed_back(bench, one)


def store_what_was_handed_back(bench: Bench, one: Offer) -> None:
    """It is due after a moment. Had its lease to run out, it would come back with a death."""
    while bench.state(one) is not State.STORED:
        bench.pump.step()
    assert deaths(bench, one) == 0


def impatient(url: str) -> Connection:
    connection = store.connect(url)
    connection.execute("SET lock_timeout = '50ms'")
    return connection


def deaths(bench: Bench, one: Offer) -> int:
    known = bench.buffer.known(one.batch)
    assert known is not None
    return known.deaths


@pytest.mark.direct
def test_a_gone_database_opens_the_breaker_and_the_broker_keeps_what_is_fresh(bench: Bench) -> None:
    bench.connect_to(NOWHERE)
    one = offer("a")
    bench.accept(one)
    assert bench.pump.step() == Step("returned", batches=1)
    assert not bench.breaker.closed
    assert bench.pump.step() == Step("waiting")
    assert bench.spool.waiting() == []
    assert (bench.state(one), deaths(bench, one)) == (State.QUEUED, 0)


@pytest.mark.direct
def test_in_an_outage_a_crowded_broker_spills_and_the_flusher_stores_it_afterwards(
    bench: Bench, broker: redis.Redis
) -> None:
    offers = [offer(f"{n}") for n in range(40)]
    bench.accept(*offers)
    bench.connect_to(NOWHERE)
    with crowded(broker):
        assert bench.pump.step() == Step("spilled", batches=16, rows=16)
        assert bench.pump.step() == Step("spilled", batches=24, rows=24)
    assert {bench.state(one) for one in offers} == {State.SPILLED}
    bench.connect_to(bench.url)
    bench.wait_for_probe()
    while bench.flusher.step():
        pass
    assert bench.stored() == Counter({f"{n}": 1 for n in range(40)})
    assert {bench.state(one) for one in offers} == {State.STORED}
    assert bench.spool.waiting() == []


def test_always_spilling_stores_everything_once(bench: Bench) -> None:
    bench.connect_to(bench.url, spill_always=True)
    bench.accept(offer("a"), offer("b"))
    assert bench.pump.step() == Step("spilled", batches=2, rows=2)
    assert bench.stored() == Counter()
    assert bench.flusher.step()
    assert bench.stored() == Counter(a=1, b=1)


def test_a_full_volume_leaves_the_batches_in_the_broker_and_the_breaker_alone(
    broker: redis.Redis, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "spill").mkdir()
    full = FaultyFiles(tmp_path / "spill", fail_at=1, failure=OSError(28, "No space left on device"))
    with closing(Bench(broker, database_url, tmp_path / "spill", full)) as bench:
        bench.connect_to(database_url, spill_always=True)
        one = offer("a")
        bench.accept(one)
        assert bench.pump.step() == Step("returned", batches=1)
        assert bench.state(one) is State.QUEUED
        assert bench.breaker.closed


@pytest.mark.direct
def test_a_hung_database_costs_the_deadline_and_no_more(bench: Bench, broker: redis.Redis) -> None:
    one = offer("a")
    bench.accept(one)
    bench.connect_to(bench.url, seconds=0.5)
    bench.database.call(lambda connection: None)
    with frozen(backend(bench)), crowded(broker):
        assert bench.pump.step() == Step("spilled", batches=1, rows=1)
        assert bench.breaker.reason == "cut off after 0.5 s"
    bench.connect_to(bench.url)
    bench.wait_for_probe()
    bench.flusher.step()
    assert bench.stored() == Counter(a=1)


def backend(bench: Bench) -> int:
    return bench.database.call(lambda connection: connection.info.backend_pid)


@pytest.mark.direct
def test_a_black_hole_between_us_and_the_database_is_an_outage_that_heals(bench: Bench) -> None:
    parts = urlsplit(bench.url)
    assert parts.port is not None
    with proxied(parts.port) as proxy:
        bench.connect_to(bench.url.replace(f":{parts.port}/", f":{proxy.port}/"), seconds=0.5)
        bench.accept(offer("a"))
        bench.database.call(lambda connection: None)
        proxy.swallow()
        assert bench.pump.step() == Step("returned", batches=1)
        assert not bench.breaker.closed
        proxy.mend()
        bench.wait_for_probe()
        while bench.pump.step() != Step("stored", batches=1, rows=1):
            pass
        bench.database.close()
    assert bench.stored() == Counter(a=1)


def test_a_database_that_only_reads_keeps_the_breaker_open(bench: Bench) -> None:
    bench.breaker.fail("gone")
    bench.connect_to(bench.url, connect=read_only)
    while bench.breaker.reason == "gone":
        bench.flusher.step()
    assert "read-only" in bench.breaker.reason
    assert not bench.breaker.closed


def read_only(url: str) -> Connection:
    connection = store.connect(url)
    connection.execute("SET default_transaction_read_only = on")
    return connection


@pytest.mark.direct
def test_a_foreign_cluster_stores_nothing_and_keeps_everything(bench: Bench) -> None:
    with psycopg.connect(bench.url) as conn:
        conn.execute("UPDATE log_origin SET system_identifier = '1'")
    one = offer("a")
    bench.accept(one)
    assert bench.pump.step() == Step("returned", batches=1)
    assert "rebase" in bench.breaker.reason
    assert bench.stored() == Counter()
    assert bench.state(one) is State.QUEUED


@pytest.mark.direct
def test_what_the_broker_could_not_hear_is_told_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    one = offer("a")
    bench.accept(one)

    def deaf(moves: list[Move]) -> int:
        raise BrokerGone("restarting")

    with monkeypatch.context() as patched:
        patched.setattr(bench.buffer, "finish", deaf)
        assert bench.pump.step() == Step("stored", batches=1, rows=1)
    assert bench.state(one) is State.QUEUED
    bench.pump.tell.again()
    assert bench.state(one) is State.STORED


@pytest.mark.direct
def test_an_unforeseen_error_hands_the_batches_back(bench: Bench) -> None:
    def broken(url: str) -> Connection:
        raise RuntimeError("a bug")

    one = offer("a")
    bench.accept(one)
    bench.connect_to(bench.url, connect=broken)
    with pytest.raises(RuntimeError):
        bench.pump.step()
    assert bench.buffer.depth().due == 0  # delayed: no hot loop
    bench.connect_to(bench.url)
    store_what_was_handed_back(bench, one)


def test_a_stopping_pump_claims_nothing(bench: Bench) -> None:
    bench.accept(offer("a"))
    bench.pump.stopping.set()
    assert bench.pump.step() == Step("stopping")
    assert bench.buffer.depth().leased == 0


@pytest.mark.direct
def test_at_the_last_word_what_still_runs_is_handed_back(bench: Bench) -> None:
    began, go_on = threading.Event(), threading.Event()

    def stuck(url: str) -> Connection:
        began.set()
        go_on.wait(30)
        raise Outage("at last")

    one = offer("a")
    bench.accept(one)
    bench.connect_to(bench.url, connect=stuck)
    step = threading.Thread(target=bench.pump.step)
    step.start()
    began.wait(30)
    bench.pump.stopping.set()
    bench.pump.abandon()
    assert (bench.buffer.depth().leased, bench.buffer.depth().due, deaths(bench, one)) == (0, 1, 0)
    go_on.set()
    step.join()
