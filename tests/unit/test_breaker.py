"""The breaker's states and pauses, under a clock that only we move."""

from collections.abc import Callable

import pytest

from workers.breaker import Breaker, Breaking


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def breaker_of(clock: Callable[[], float], dice: float = 0.5) -> Breaker:
    return Breaker(clock, lambda: dice)


def pauses(breaker: Breaker, clock: Clock, times: int) -> list[float]:
    found = []
    for _ in range(times):
        breaker.fail("gone")
        began = clock.now
        while not breaker.may_probe():
            clock.now += 0.01
        found.append(round(clock.now - began, 1))
    return found


def test_a_new_breaker_lets_everything_through(clock: Clock) -> None:
    breaker = breaker_of(clock)
    assert breaker.closed
    assert not breaker.may_probe()


def test_a_failure_opens_it_and_keeps_the_reason(clock: Clock) -> None:
    breaker = breaker_of(clock)
    breaker.fail("connection refused")
    assert breaker.state is Breaking.OPEN
    assert breaker.reason == "connection refused"


def test_pauses_double_from_one_second_to_eight(clock: Clock) -> None:
    assert pauses(breaker_of(clock), clock, 5) == [1.0, 2.0, 4.0, 8.0, 8.0]


@pytest.mark.parametrize(("dice", "shortened"), [(0.0, 0.7), (1.0, 1.3)])
def test_pauses_vary_by_thirty_percent(clock: Clock, dice: float, shortened: float) -> None:
    assert pauses(breaker_of(clock, dice), clock, 1) == [shortened]


def test_only_one_caller_may_probe(clock: Clock) -> None:
    breaker = breaker_of(clock)
    breaker.fail("gone")
    clock.now += 2
    assert [breaker.may_probe() for _ in range(3)] == [True, False, False]
    assert breaker.state is Breaking.HALF


def test_a_late_failure_of_an_older_call_lengthens_nothing(clock: Clock) -> None:
    breaker = breaker_of(clock)
    breaker.fail("gone")
    clock.now += 0.9
    breaker.fail("gone too")
    clock.now += 0.2
    assert breaker.may_probe()


def test_a_good_probe_closes_it_and_forgets_the_pauses(clock: Clock) -> None:
    breaker = breaker_of(clock)
    pauses(breaker, clock, 4)
    breaker.succeed()
    assert breaker.closed
    assert pauses(breaker, clock, 1) == [1.0]
