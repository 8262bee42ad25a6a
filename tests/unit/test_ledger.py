"""The ledger's arithmetic: what is a difference, what only moves, and where a nameless batch belongs."""

import math
import uuid

import pytest

from ingest.buffer import State
from ingest.waiting import Waiting
from webapp.logs import imbalance, ledger
from webapp.logs.ledger import Line, Place
from webapp.logs.presence import Kept
from webapp.pipeline.verdict import findings

AT = Place(100, 3, "native")


def waits(acceptance: int, state: State = State.QUEUED, rows: int = 5) -> Waiting:
    return Waiting(uuid.uuid4(), acceptance, state, 3, "native", rows, 100)


def tallied(batches: list[Waiting], committed: set[int], held: dict[int, int]) -> ledger.Lines:
    tally = ledger.Tally()
    tally.add(batches, committed, held.get)
    return tally.lines()


def test_a_line_balances_when_everything_accepted_is_somewhere() -> None:
    line = Line({"bad_json": 2}, 21, duplicate=1, stored=10, quarantined=2, queued=3, spilled=5)
    assert (line.received, line.difference) == (23, 0)


@pytest.mark.parametrize("name", ["duplicate", "stored", "quarantined", "queued", "spilled"])
def test_one_line_less_anywhere_is_a_difference(name: str) -> None:
    counts = {"duplicate": 4, "stored": 4, "quarantined": 4, "queued": 4, "spilled": 4}
    assert Line(accepted=20, **{**counts, name: 3}).difference == 1
    assert Line(accepted=20, **{**counts, name: 5}).difference == -1


def test_missing_and_surplus_of_two_places_do_not_cancel_out() -> None:
    lines = {AT: Line(accepted=5), AT._replace(source=4): Line(stored=5)}
    assert ledger.total(lines).difference == 0
    found = {place: line.difference for place, line in ledger.differences(lines).items()}
    assert found == {AT: 5, AT._replace(source=4): -5}


def test_only_a_settled_minute_can_be_out_of_balance() -> None:
    lines = {AT: Line(accepted=5)}
    over = 101 * 60_000
    assert ledger.settled(lines, set(), over)[AT].difference == 5
    for moving, since in ((set(), over - 1), ({100}, over)):
        line = ledger.settled(lines, moving, since)[AT]
        assert (line.difference, line.moving) == (0, 5)


def test_a_committed_batch_that_the_broker_was_not_told_of_counts_once() -> None:
    batches = [waits(1), waits(2), waits(3, State.SPILLED, 7)]
    assert tallied(batches, {1}, {3: 7}) == {AT: Line(queued=5, spilled=7)}
    assert tallied(batches, {1, 3}, {}) == {AT: Line(queued=5)}


def test_a_spilled_batch_counts_as_its_file_says_and_not_at_all_without_one() -> None:
    batches = [waits(1, State.SPILLED, 7), waits(2, State.SPILLED, 7)]
    assert tallied(batches, set(), {1: 6}) == {AT: Line(spilled=6, unheld=1)}


def test_a_batch_put_away_unread_goes_to_the_line_that_lacks_it() -> None:
    nameless, other = AT._replace(dialect=""), AT._replace(dialect="otlp")
    books = {AT: Line(accepted=9, stored=9), other: Line(accepted=8, stored=5)}
    assert ledger.named({**books, nameless: Line(quarantined=3)}) == {
        AT: books[AT],
        other: Line(accepted=8, stored=5, quarantined=3),
    }
    left = ledger.named({**books, nameless: Line(quarantined=4)})
    assert left[nameless].difference == -1


def test_sums_keep_every_count() -> None:
    lines = {
        AT: Line({"a": 1}, 10, stored=10),
        AT._replace(minute=101): Line({"a": 1, "b": 2}, 5, queued=5),
        Place(101, 4, "otlp"): Line({}, 1, moving=1),
    }
    assert ledger.by_source(lines)[3] == Line({"a": 2, "b": 2}, 15, stored=10, queued=5)
    assert ledger.by_dialect(lines)["otlp"] == Line(accepted=1, moving=1)
    assert list(ledger.by_minute(lines)) == [100, 101]
    assert ledger.total(lines).accepted == 16


def test_what_was_stored_is_there_or_expired_or_erased() -> None:
    assert Kept(stored=10, present=6, expired=3, erased=1).difference == 0
    assert Kept(stored=10, present=6, expired=3).difference == 1
    assert Kept(stored=10, present=11).difference == -1


def test_an_imbalance_is_the_worst_that_can_be_said() -> None:
    (first, *_) = findings(None, "gone", "", imbalance.Standing(7, 2, 3600, 5))
    assert first.gravity == "bad"
    assert any(
        "out of balance by 7 lines, for 1 h 0 min" in f.sentence
        for f in findings(None, "gone", "", imbalance.Standing(7, 2, 3600, 5))
    )
    assert not any(
        "balance" in f.sentence for f in findings(None, "gone", "", imbalance.Standing(0, 0, 0, 5))
    )


def test_a_worker_that_has_not_looked_lately_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imbalance, "_last", [(0.0, 5)])
    monkeypatch.setattr(imbalance.time, "monotonic", lambda: 10.0)
    assert imbalance.told() == 5
    monkeypatch.setattr(imbalance.time, "monotonic", lambda: 10.0 + imbalance.SILENT_SECONDS)
    assert math.isnan(imbalance.told())
