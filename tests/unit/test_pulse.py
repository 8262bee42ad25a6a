"""Liveness is progress."""

from pathlib import Path

import pytest

from workers.pulse import DUE_SECONDS, LOOP_SECONDS, Pulse


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pulse(tmp_path: Path, clock: Clock) -> Pulse:
    return Pulse(tmp_path / "heartbeat", step_seconds=60, clock=clock)


def test_a_fresh_worker_lives(pulse: Pulse) -> None:
    assert pulse.live()


def test_a_loop_that_falls_silent_is_death(pulse: Pulse, clock: Clock) -> None:
    pulse.beat("ticker")
    clock.now += LOOP_SECONDS + 1
    assert not pulse.live()
    pulse.beat("ticker")
    assert pulse.live()


def test_a_step_that_never_ends_is_death(pulse: Pulse, clock: Clock) -> None:
    with pulse.step():
        clock.now += 61
        assert not pulse.live()
    assert pulse.live()


def test_hints_that_nobody_hears_are_death(pulse: Pulse, clock: Clock) -> None:
    pulse.due()
    clock.now += DUE_SECONDS / 2
    pulse.due()
    clock.now += DUE_SECONDS / 2 + 1
    assert not pulse.live()
    with pulse.step():
        assert pulse.live()


def test_hints_that_other_workers_took_up_are_not(pulse: Pulse, clock: Clock) -> None:
    pulse.due()
    pulse.nothing_due()
    clock.now += DUE_SECONDS + 1
    assert pulse.live()


def test_a_beat_of_a_living_worker_touches_its_file_and_a_dead_ones_does_not(
    pulse: Pulse, clock: Clock, tmp_path: Path
) -> None:
    pulse.beat("ticker")
    assert (tmp_path / "heartbeat").exists()
    (tmp_path / "heartbeat").unlink()
    pulse.due()
    clock.now += DUE_SECONDS + 1
    pulse.beat("ticker")
    assert not (tmp_path / "heartbeat").exists()
