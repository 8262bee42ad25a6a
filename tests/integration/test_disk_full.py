"""A database that reads and does not write: as long as an outage perhaps, and handled like one by itself."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import redis

from ingest.buffer import State
from tests.batches import offer
from tests.workbench import Bench, bench, crowded
from workers.flusher import REST_SECONDS
from workers.pump import Step

__all__ = ["bench"]

REFUSE = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER no_room BEFORE INSERT ON log_batch EXECUTE FUNCTION no_room();
"""


@contextmanager
def full_disk(bench: Bench) -> Iterator[None]:
    """The server's own error, in the transaction of whoever stores."""
    with psycopg.connect(bench.url, autocommit=True) as conn:
        conn.execute(REFUSE)
        yield
        conn.execute("DROP FUNCTION no_room CASCADE")


def test_what_is_fresh_waits_in_the_broker_and_the_breaker_stays_closed(bench: Bench) -> None:
    one = offer("a")
    bench.accept(one)
    with full_disk(bench):
        assert bench.pump.step() == Step("returned", batches=1)
        assert (bench.state(one), bench.breaker.closed) == (State.QUEUED, True)
        assert "No space left on device" in bench.breaker.full


def test_what_the_broker_cannot_hold_goes_to_the_volume_and_comes_back_by_itself(
    bench: Bench, broker: redis.Redis
) -> None:
    offers = [offer(f"{n}") for n in range(40)]
    bench.accept(*offers)
    with full_disk(bench):
        with crowded(broker):
            while (step := bench.pump.step()).outcome == "spilled":
                pass
        assert step == Step("idle")
        assert {bench.state(one) for one in offers} == {State.SPILLED}
    drain(bench)
    assert bench.stored() == Counter({f"{n}": 1 for n in range(40)})
    assert {bench.state(one) for one in offers} == {State.STORED}
    assert bench.breaker.full == ""


def drain(bench: Bench) -> None:
    while bench.spool.waiting():
        bench.flusher.step()


def test_the_flusher_asks_now_and_then_and_holds_no_file_to_blame(bench: Bench) -> None:
    now = [0.0]
    bench.connect_to(bench.url, spill_always=True)
    bench.flusher._clock = lambda: now[0]
    bench.accept(offer("a"))
    bench.pump.step()
    with full_disk(bench):
        assert [bench.flusher.step() for _ in range(3)] == [True, False, False]
        now[0] += REST_SECONDS
        assert bench.flusher.step()
    assert not bench.flusher.step()
    now[0] += REST_SECONDS
    assert bench.flusher.step()
    assert bench.stored() == Counter(a=1)
