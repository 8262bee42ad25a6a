"""The plain page's histogram: every line is drawn, and no bar leaves the picture."""

from hypothesis import given
from hypothesis import strategies as st

from webapp.ui.bars import HEADROOM, HEIGHT, WIDTH, bars

EDGES = ["a", "b", "c", "d"]


def test_counts_are_drawn_as_they_are() -> None:
    drawn = bars(EDGES, [("info", [1, 0, 4]), ("error", [0, 0, 2])])
    assert [bar.total for bar in drawn] == [1, 0, 6]
    assert [(part.name, part.count) for part in drawn[2].parts] == [("error", 2), ("info", 4)]
    assert drawn[1].parts == ()


def test_the_worst_lies_at_the_baseline_and_the_tallest_leaves_its_headroom() -> None:
    tallest = bars(EDGES, [("info", [1, 0, 4]), ("fatal", [0, 0, 4])])[2]
    worst, rest = tallest.parts
    assert worst.name == "fatal"
    assert worst.y + worst.height == HEIGHT
    assert rest.y == HEADROOM


def test_bars_tile_the_range() -> None:
    drawn = bars(EDGES, [("info", [1, 1, 1])])
    assert [(bar.start, bar.end) for bar in drawn] == [("a", "b"), ("b", "c"), ("c", "d")]


@given(st.lists(st.integers(0, 10**9), min_size=3, max_size=3), st.integers(0, 10**9))
def test_what_was_counted_is_visible_and_inside(counts: list[int], errors: int) -> None:
    for bar in bars(EDGES, [("info", counts), ("error", [errors, 0, 0])]):
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        assert sum(part.count for part in bar.parts) == bar.total
        assert all(part.height > 1 and part.y >= 0 for part in bar.parts)


def test_an_empty_range_has_no_bars() -> None:
    assert bars(["a"], []) == []
