"""What senders call the importance of a line."""

import pytest

from ingest import severity

WORDS = {
    "trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21,
    "TRACE2": 2, "Debug4": 8, "INFO3": 11, "warn4": 16, "ERROR2": 18, "fatal4": 24,
    "err": 17, "warning": 13, "notice": 10, "crit": 21, "alert": 22, "emerg": 23, "panic": 23,
    "CRITICAL": 21, "Warning": 13, "WARNING": 13, "Information": 9, "informational": 9, "Verbose": 1,
    "SEVERE": 17, "FINE": 5, "FINEST": 1, "E": 17, "w": 13, " Error\n": 17, "eMeRg": 23,
    "1": 1, "24": 24,
}  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_known_words_have_numbers(word: str) -> None:
    assert severity.parse(word) == WORDS[word]


@pytest.mark.parametrize("number", range(1, 25))
def test_numbers_are_opentelemetrys(number: int) -> None:
    assert severity.parse(number) == number


@pytest.mark.parametrize("other", ["", "loud", "0", "25", "-1", "9.0", 0, 25, 30, -1, 10**30])
def test_what_is_not_known_has_none(other: str | int) -> None:
    assert severity.parse(other) is None


def test_syslogs_words_keep_their_order() -> None:
    words = ["debug", "info", "notice", "warning", "err", "crit", "alert", "emerg"]
    numbers = [severity.parse(word) for word in words]
    assert numbers == sorted(set(filter(None, numbers)))
