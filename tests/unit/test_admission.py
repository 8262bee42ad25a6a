"""When ingest refuses and when it waits, with a buffer that answers what the test says."""

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest.admission import PATIENCE_SECONDS, POLL_SECONDS, Admission, retry_after
from ingest.buffer import Depth, Held
from ingest.directory import SourceEntry
from ingest.errors import BrokerFull, BrokerGone, OverShare


def depth(used: int = 0, *, rows: int = 0, rate: float = 0.0, bound: int = 100) -> Depth:
    return Depth(0, 0, rows, 0, 0, 0, rate, {}, used, bound)


class FakeBuffer:
    def __init__(self, answer: Depth | None) -> None:
        self.answer, self.asked = answer, 0

    def depth(self) -> Depth:
        self.asked += 1
        if self.answer is None:
            raise BrokerGone("away")
        return self.answer


class Clock:
    """Time that passes only by sleeping."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def admission(answer: Depth | None, clock: Clock, *, threads: int = 8) -> tuple[Admission, FakeBuffer]:
    buffer = FakeBuffer(answer)
    made = Admission(
        buffer,  # type: ignore[arg-type]
        share=0.75,
        fair_share=0.5,
        wait_seconds=10.0,
        threads=threads,
        clock=clock,
        sleep=clock.sleep,
    )
    return made, buffer


def gone() -> str:
    raise BrokerGone("away")


# ---- full ----


def test_below_the_share_everything_is_let_in() -> None:
    admission(depth(74), Clock())[0].check(1, {})


def test_at_the_share_it_is_refused_with_the_time_that_draining_takes() -> None:
    full, _ = admission(depth(75, rows=9000, rate=1000.0), Clock())
    with pytest.raises(BrokerFull) as refusal:
        full.check(1, {})
    assert refusal.value.retry_after == 9
    assert refusal.value.status == 503


def test_refusing_asks_the_broker_once_in_a_while_only() -> None:
    clock = Clock()
    full, buffer = admission(depth(90), clock)
    for _ in range(100):
        with pytest.raises(BrokerFull):
            full.check(1, {})
    assert buffer.asked == 1
    buffer.answer = depth(10)
    clock.sleep(POLL_SECONDS)
    full.check(1, {})
    assert buffer.asked == 2


def test_a_broker_that_is_away_is_not_full() -> None:
    admission(None, Clock())[0].check(1, {})


@pytest.mark.parametrize(
    ("rows", "rate", "seconds"),
    [(0, 0.0, 10), (1000, 0.0, 10), (10, 1000.0, 1), (2001, 1000.0, 3), (10**9, 1.0, 60)],
)
def test_retry_after_is_bounded_whole_seconds(rows: int, rate: float, seconds: int) -> None:
    assert retry_after(depth(rows=rows, rate=rate)) == seconds


# ---- crowded ----

BOTH = {1: SourceEntry("noisy"), 2: SourceEntry("quiet")}
FLOODED = Depth(0, 0, 900, 0, 0, 0, 90.0, {1: Held(1, 900, 0, 0, 10**6)}, 60, 100)


def test_while_the_broker_is_crowded_only_who_holds_too_much_is_refused() -> None:
    crowded, _ = admission(FLOODED, Clock())
    crowded.check(2, BOTH)
    with pytest.raises(OverShare) as refusal:
        crowded.check(1, BOTH)
    assert (refusal.value.status, refusal.value.retry_after) == (429, 10)


def test_with_room_enough_nobody_counts_shares() -> None:
    roomy, _ = admission(dataclasses.replace(FLOODED, memory_used=49), Clock())
    roomy.check(1, BOTH)


def test_where_there_is_one_source_only_no_room_is_kept_for_others() -> None:
    alone, _ = admission(FLOODED, Clock())
    alone.check(1, {1: BOTH[1]})


def test_a_full_broker_refuses_the_quiet_too() -> None:
    full, _ = admission(dataclasses.replace(FLOODED, memory_used=75), Clock())
    for source in BOTH:
        with pytest.raises(BrokerFull):
            full.check(source, BOTH)


# ---- gone ----


def test_a_short_absence_is_waited_out() -> None:
    clock = Clock()
    answers = iter([gone, gone, gone, lambda: "accepted"])
    waits, _ = admission(depth(), clock)
    assert waits.waiting(lambda: next(answers)()) == "accepted"
    assert 0 < clock.now < 1


def test_a_long_absence_is_refused_when_the_time_is_over() -> None:
    clock = Clock()
    with pytest.raises(BrokerGone):
        admission(depth(), clock)[0].waiting(gone)
    assert 9 < clock.now < 10


def test_a_full_broker_is_not_waited_for() -> None:
    def full() -> str:
        raise BrokerFull("full")

    clock = Clock()
    with pytest.raises(BrokerFull):
        admission(depth(), clock)[0].waiting(full)
    assert clock.now == 0


def test_half_the_threads_wait_and_the_rest_are_answered_at_once() -> None:
    clock = Clock()
    waits, _ = admission(depth(), clock, threads=4)
    waiting, back = threading.Barrier(3), threading.Event()

    def first_gone_then_back() -> Callable[[], str]:
        answers = iter([gone, back_again])
        return lambda: next(answers)()

    def back_again() -> str:
        waiting.wait(10)
        back.wait(10)
        return "accepted"

    with ThreadPoolExecutor(2) as pool:
        patient = [pool.submit(waits.waiting, first_gone_then_back()) for _ in range(2)]
        waiting.wait(10)
        with pytest.raises(BrokerGone):
            waits.waiting(lambda: pytest.fail("a third one tried"))
        back.set()
        assert [future.result(10) for future in patient] == ["accepted"] * 2
    assert waits.waiting(lambda: "accepted") == "accepted"


def test_threads_stuck_with_a_broker_that_hangs_count_as_waiting() -> None:
    clock = Clock()
    waits, _ = admission(depth(), clock, threads=4)
    stuck, back = threading.Barrier(3), threading.Event()

    def hang() -> str:
        stuck.wait(10)
        back.wait(10)
        return "accepted"

    with ThreadPoolExecutor(2) as pool:
        patient = [pool.submit(waits.waiting, hang) for _ in range(2)]
        stuck.wait(10)
        assert waits.waiting(lambda: "accepted") == "accepted", "nothing is known to be wrong yet"
        clock.sleep(2 * PATIENCE_SECONDS)
        with pytest.raises(BrokerGone):
            waits.waiting(lambda: pytest.fail("a third one tried"))
        back.set()
        assert [future.result(10) for future in patient] == ["accepted"] * 2


def test_once_it_is_known_to_be_gone_only_half_the_threads_even_ask() -> None:
    waits, _ = admission(depth(), Clock(), threads=4)
    with pytest.raises(BrokerGone):
        waits.waiting(gone)
    asking, back = threading.Barrier(3), threading.Event()

    def ask() -> str:
        asking.wait(10)
        back.wait(10)
        return "accepted"

    with ThreadPoolExecutor(2) as pool:
        patient = [pool.submit(waits.waiting, ask) for _ in range(2)]
        asking.wait(10)
        with pytest.raises(BrokerGone):
            waits.waiting(lambda: pytest.fail("a third one asked"))
        back.set()
        assert [future.result(10) for future in patient] == ["accepted"] * 2
    assert waits.waiting(lambda: "accepted") == "accepted"
