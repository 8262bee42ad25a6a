"""Bisecting: every good one is stored, every bad one refused, and a transient error stops it there."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.logs.errors import Busy, Poison
from workers.poison import bisect


def store_unless(bad: set[int]) -> tuple[list[Sequence[int]], object]:
    tried: list[Sequence[int]] = []

    def store(group: Sequence[int]) -> list[tuple[str, int]]:
        tried.append(group)
        if bad & set(group):
            raise Poison("no")
        return [("stored", one) for one in group]

    return tried, store


def refuse(one: int, error: Poison) -> tuple[str, int]:
    return ("refused", one)


@given(st.integers(0, 40).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, 40)))))
def test_each_is_stored_or_refused_once_and_in_order(case: tuple[int, set[int]]) -> None:
    number, bad = case
    _, store = store_unless(bad)
    settled = [one for part in bisect(range(number), store, refuse) for one in part]  # type: ignore[arg-type]
    assert settled == [("refused" if n in bad else "stored", n) for n in range(number)]


def test_one_bad_among_sixteen_costs_nine_tries() -> None:
    tried, store = store_unless({11})
    list(bisect(range(16), store, refuse))  # type: ignore[arg-type]
    assert len(tried) == 9


def test_what_was_settled_before_a_transient_error_is_known() -> None:
    def store(group: Sequence[int]) -> list[tuple[str, int]]:
        if len(group) > 1:
            raise Poison("no")
        if group[0] == 2:
            raise Busy("lock")
        return [("stored", group[0])]

    settled: list[tuple[str, int]] = []
    with pytest.raises(Busy):
        for part in bisect(range(4), store, refuse):
            settled += part
    assert settled == [("stored", 0), ("stored", 1)]
