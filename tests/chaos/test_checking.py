"""What the checker must see of one batch, and that planted poison is what ingest makes of it."""

import hashlib
import uuid
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from ingest.buffer import Known, State
from ingest.client import Answer, Refused, Unreachable
from ingest.dialects import native
from ingest.limits import Limits
from ingest.normalise import Normaliser
from tests.chaos import checking, lines
from tests.chaos.checking import Expected, Verdict
from tests.chaos.lines import KINDS, Kind, Stored
from tests.chaos.posting import Entry, entry_of, settled
from tests.rows import NOW_US

BATCH = uuid.UUID(int=7)
POISON: frozenset[tuple[int | None, str]] = frozenset({(3, "bad_json"), (9, "too_old")})
ENTRY = Entry(run="chaos", batch=1, n=10, sha256="", outcome="accepted", id=str(BATCH), poison=2, sum=99)
WANTED = Expected(ENTRY, 10, 99, POISON, True)
THERE = Stored(source=1, rows=10, places=10, first=0, sum=99)


class Broker:
    """A buffer that knows the batch in one state, or not at all."""

    def __init__(self, state: State | None) -> None:
        self.state = state

    def known(self, batch: uuid.UUID) -> Known | None:
        if self.state is None:
            return None
        return Known(batch, 1, self.state, 1, "native", 10, 0, 0, 0)


def found(
    there: Stored | None,
    pieces: list[tuple[int | None, str]] | None = None,
    wanted: Expected = WANTED,
    state: State | None = None,
) -> dict[str, int]:
    verdict = Verdict()
    given: Any = sorted(POISON) if pieces is None else pieces
    checking.compare(BATCH, wanted, there, given, Broker(state), verdict)  # type: ignore[arg-type]
    return dict(verdict.found)


def test_what_is_as_it_was_sent_is_no_difference() -> None:
    assert found(THERE) == {}


@pytest.mark.parametrize(
    ("there", "kinds"),
    [
        (replace(THERE, rows=8, places=8, sum=5), {"lines lost": 2}),
        (replace(THERE, rows=11), {"lines stored twice (in their batch)": 1}),
        (replace(THERE, rows=11, places=11), {"lines that nobody sent": 1}),
        (replace(THERE, sum=98), {"batches of other content": 1}),
        (replace(THERE, first=1), {"batches of other content": 1}),
        (replace(THERE, rows=0, places=0, sum=0), {"lines lost": 10}),
    ],
)  # fmt: skip
def test_lines_that_differ_are_named_by_how(there: Stored, kinds: dict[str, int]) -> None:
    assert found(there) == kinds


@pytest.mark.parametrize(
    ("pieces", "kinds"),
    [
        ([(3, "bad_json")], {"planted poison missing in quarantine": 1}),
        ([*sorted(POISON), (4, "bad_json")], {"pieces in quarantine that nobody planted": 1}),  # type: ignore[type-var]
        ([*sorted(POISON), (3, "bad_json")], {"pieces in quarantine twice": 1}),  # type: ignore[type-var]
        (
            [(None, "deadly")],
            {"pieces in quarantine that nobody planted": 1, "planted poison missing in quarantine": 2},
        ),
    ],
)
def test_quarantine_is_exactly_what_was_planted(
    pieces: list[tuple[int | None, str]], kinds: dict[str, int]
) -> None:
    assert found(THERE, pieces) == kinds


def test_a_missing_batch_is_lost_unless_it_waits() -> None:
    assert found(None, []) == {"lines lost": 10, "batches lost": 1}
    assert found(None, [], state=State.STORED) == {"lines lost": 10, "batches lost": 1}
    assert found(None, [], state=State.SPILLED) == {"lines not drained": 10}


def test_a_batch_of_unknown_outcome_is_there_as_a_whole_or_not_at_all() -> None:
    unknown = replace(WANTED, entry=msgspec.structs.replace(ENTRY, outcome="unknown", id=""), needed=False)
    assert found(None, [], unknown) == {}
    assert found(THERE, None, unknown) == {}
    half = replace(THERE, rows=5, places=5, sum=1)
    assert found(half, None, unknown) == {"lines missing of a batch that is there in part": 5}
    assert found(None, None, unknown) == {"pieces in quarantine without their batch": 2}


def test_a_body_that_was_refused_as_a_whole_leaves_nothing() -> None:
    refused = replace(WANTED, entry=msgspec.structs.replace(ENTRY, outcome="refused", id=""), needed=False)
    assert found(None, [], refused) == {}
    assert found(THERE, [], refused) == {"batches stored though refused": 1}


@pytest.mark.parametrize("kind", [*KINDS, "good"])
def test_ingest_takes_and_refuses_what_a_batch_says_it_will(kind: Kind) -> None:
    made = lines.make(4, 60, (NOW_US - 60_000_000) * 1000, kind)
    if kind == "empty":
        assert made.lines == made.taken == 0 and not made.poison
        return
    decoded = native.decode(made.body, native.Form.LINES, Normaliser(Limits(), NOW_US, 30))
    assert len(decoded.records) == made.taken
    rejects = {(reject.line, reject.reason) for reject in decoded.rejects}
    assert rejects == (set(made.poison) if kind in ("partly", "garbage") else set())
    assert [reject.line for reject in decoded.rejects] == made.rejected
    assert made.sha256 == hashlib.sha256(made.body).hexdigest()


def test_an_answer_that_is_not_as_promised_is_noted() -> None:
    batch = lines.make(1, 5, NOW_US * 1000)
    sending = entry_of(batch, "plain")

    def gone() -> tuple[Answer | None, int]:
        raise Unreachable("away")

    def refused() -> tuple[Answer | None, int]:
        raise Refused(413, "too much")

    assert settled(sending, batch, lambda: (Answer("x", 5), 0)).odd == ""
    assert settled(sending, batch, lambda: (Answer("x", 4), 0)).odd
    assert settled(sending, batch, gone).outcome == "unknown"
    assert settled(sending, batch, refused).odd
