"""Estimates from sketches and samples, and how far words are apart."""

import pytest

from webapp.logs import sketch
from webapp.logs.suggest import apart


@pytest.mark.parametrize("values", [0, 1, 2, 5, 50, 1000, 100_000])
def test_an_estimate_turns_what_is_expected_round(values: int) -> None:
    assert sketch.estimate(round(sketch.expected(values))) == pytest.approx(values, rel=0.1, abs=0.2)


def test_no_bits_are_no_values_and_all_bits_an_end() -> None:
    assert sketch.estimate(0) == pytest.approx(0, abs=0.01)
    assert sketch.estimate(sketch.ROWS * sketch.BITS) <= sketch.MOST


@pytest.mark.parametrize(
    ("distinct", "looked", "lines", "least", "most"),
    [
        (3, 100, 100, 3, 3),  # all were looked at
        (3, 1000, 100_000, 3, 3),  # few values: the sample has them all
        (1000, 1000, 50_000, 50_000, 50_000),  # each line its own
        (632, 1000, 100_000, 900, 1100),  # a thousand lines drawn from a thousand values
        (0, 0, 0, 0, 0),
    ],
)
def test_a_sample_is_carried_over(distinct: int, looked: int, lines: int, least: int, most: int) -> None:
    assert least <= sketch.among(distinct, looked, lines) <= most


@pytest.mark.parametrize(
    ("written", "there", "expected"),
    [
        ("apii", "api", 1),
        ("API", "api", 0),
        ("paymnet", "payment", 1),
        ("chekcout", "Checkout", 1),
        ("api", "web", None),
        ("a", "b", 1),
        ("api", "api", None),
        ("worker", "workers-eu", None),
        ("STRASSE", "straße", 0),
    ],
)
def test_words_are_apart_by_what_was_mistyped(written: str, there: str, expected: int | None) -> None:
    assert apart(written, there) == expected
