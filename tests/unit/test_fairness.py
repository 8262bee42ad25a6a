"""Who holds more than its share of a crowded broker, and how long until it does no more."""

from ingest.buffer import BATCH_BYTES, Depth, Held
from ingest.fairness import overdrawn, seconds

ROOM = 1_000_000  # bytes of the broker's memory in these tests


def held(share: float, rows: int = 1000) -> Held:
    """One batch that takes this share of the broker's memory."""
    return Held(1, rows, 0, 0, round(share * ROOM) - BATCH_BYTES)


def depth(rate: float = 100.0, **by_source: Held) -> Depth:
    sources = {int(name[1:]): one for name, one in by_source.items()}
    return Depth(0, 0, 0, 0, 0, 0, rate, sources, 0, ROOM)


def test_one_that_floods_is_over_and_a_quiet_one_is_not() -> None:
    assert set(overdrawn(depth(s1=held(0.5), s2=held(0.01)), {}, 0.5)) == {1}


def test_one_alone_may_hold_the_whole_fair_share_and_no_more() -> None:
    assert overdrawn(depth(s1=held(0.5)), {}, 0.5) == {}
    assert set(overdrawn(depth(s1=held(0.51)), {}, 0.5)) == {1}


def test_what_others_hold_makes_the_part_smaller() -> None:
    assert set(overdrawn(depth(s1=held(0.26), s2=held(0.24)), {}, 0.5)) == {1}


def test_a_heavier_source_may_hold_more() -> None:
    both = depth(s1=held(0.3), s2=held(0.2))
    assert set(overdrawn(both, {}, 0.5)) == {1}
    assert set(overdrawn(both, {1: 3}, 0.5)) == {2}


def test_sources_with_nothing_queued_have_no_part() -> None:
    spilled = Held(0, 0, 5, 500, 0)
    assert overdrawn(depth(s1=held(0.4), s2=spilled, s3=Held()), {}, 0.5) == {}


def test_memory_that_is_not_the_queues_puts_nobody_over() -> None:
    """Tombstones, spilled batches, Celery's own: the broker is crowded, and nobody is to blame."""
    assert overdrawn(depth(s1=held(0.1), s2=held(0.1)), {}, 0.5) == {}


def test_it_may_come_again_when_its_surplus_has_drained_at_its_own_rate() -> None:
    """It holds 0.4 and may hold 0.25: 375 of its 1000 rows too many, and half of 50 rows a second are its."""
    assert overdrawn(depth(50.0, s1=held(0.4), s2=held(0.2)), {}, 0.5) == {1: 15}


def test_where_nothing_drains_it_waits_longest() -> None:
    assert overdrawn(depth(0.0, s1=held(0.6)), {}, 0.5) == {1: 10}
    assert seconds(1, 1000.0) == 1
    assert seconds(10**9, 1.0) == 60
