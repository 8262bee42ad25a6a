"""The lines of a challenge: what ingest makes of them is what the checker expects, and any change shows."""

import msgspec
import pytest

from ingest.dialects import native
from ingest.limits import Limits
from ingest.normalise import Normaliser
from ingest.record import LogRecord
from webapp.challenge import lines
from webapp.challenge.lines import Line, Place
from webapp.logs import times
from webapp.logs.bytes import readable

RUN = "20261124T120000Z-0badcafe"
NOW_US = lines.began_ns(RUN) // 1000


def taken_in(body: bytes) -> native.Decoded:
    return native.decode(body, native.Form.LINES, Normaliser(Limits(), NOW_US, 30))


def exported(r: LogRecord) -> Line:
    """As the export writes a record that was stored as ingest made it."""
    document = {
        "time": times.rfc3339(r.time_us * 1000 + r.nanos),
        "severity_number": r.severity,
        "service": r.service or None,
        "host": r.host or None,
        "message": r.message,
        "trace_id": r.trace_id.hex() if r.trace_id else None,
        "span_id": r.span_id.hex() if r.span_id else None,
        "source": "challenge",
        "attributes": msgspec.Raw(r.attributes),
        "flags": ["flagged"] if r.flags else [],
    }
    return lines.decode(msgspec.json.encode(document))


@pytest.fixture(scope="module")
def read_back() -> list[Line]:
    return [exported(record) for record in taken_in(lines.make(RUN, 3, 500).body).records]


def test_a_batch_is_the_same_whenever_it_is_made() -> None:
    assert lines.make(RUN, 7, 50, 3) == lines.make(RUN, 7, 50, 3)
    assert lines.make(RUN, 7, 50).sha256 != lines.make(RUN, 8, 50).sha256


def test_what_ingest_makes_of_a_batch_has_the_batchs_hash(read_back: list[Line]) -> None:
    assert sum(map(lines.line_hash, read_back)) % 2**lines.SUM_BITS == lines.make(RUN, 3, 500).sum


def test_every_line_says_where_it_belongs(read_back: list[Line]) -> None:
    assert [lines.place_of(line, RUN) for line in read_back] == [Place(3, n) for n in range(500)]
    assert lines.place_of(read_back[0], "20261124T120000Z-00000000") is None


def test_lines_are_of_every_kind_that_could_be_changed_on_the_way(read_back: list[Line]) -> None:
    assert len({line.message.split("{")[0][:5] for line in read_back}) >= len(lines.MESSAGES)
    assert {line.severity_number for line in read_back} == {number for _, number in lines.SEVERITIES}
    assert any(line.trace_id is None for line in read_back) and any(line.span_id for line in read_back)
    assert {name for line in read_back for name in line.attributes} >= {"user.of.team", "exact", "nothing"}


@pytest.mark.parametrize(
    "change",
    [
        {"message": "other"},
        {"time": "2026-11-24T12:00:00.000000001Z"},
        {"severity_number": 1},
        {"service": None},
        {"host": "elsewhere"},
        {"trace_id": "0" * 32},
        {"span_id": "0" * 16},
        {"flags": ["text_repaired"]},
        {"attributes": {"challenge.run": RUN, "challenge.batch": 3, "challenge.position": 1}},
    ],
)
def test_whatever_is_changed_changes_the_hash(change: dict[str, object], read_back: list[Line]) -> None:
    line = read_back[1]
    assert lines.line_hash(msgspec.structs.replace(line, **change)) != lines.line_hash(line)


def test_a_number_is_compared_digit_for_digit(read_back: list[Line]) -> None:
    exact = next(line for line in read_back if "exact" in line.attributes)
    rounded = {**exact.attributes, "exact": float(exact.attributes["exact"])}
    assert lines.line_hash(msgspec.structs.replace(exact, attributes=rounded)) != lines.line_hash(exact)


def test_planted_poison_is_refused_line_by_line_for_its_reason_and_its_neighbours_are_not() -> None:
    for number in range(len(lines.POISON)):
        batch = lines.make(RUN, number, 20, 3)
        found = taken_in(batch.body)
        assert len(found.records) == 20
        told = [(one.line, one.reason, one.raw) for one in found.rejects]
        assert told == [(one.line, one.reason, one.raw) for one in batch.planted]


def test_every_reason_is_planted_and_known_again_by_the_beginning_that_quarantine_shows() -> None:
    reasons = set()
    for number in range(len(lines.POISON)):
        reason, raw = lines.poisoned(RUN, number, 0)
        reasons.add(reason)
        assert lines.planted_at(readable(raw[:120])) == (RUN, Place(number, 0))
    assert reasons == {"bad_json", "not_an_object", "bad_time", "too_old", "name_too_long", "bad_number"}


def test_a_strangers_line_is_not_taken_for_planted() -> None:
    assert lines.planted_at('{"message": "challenge.poison"}') is None


def test_a_body_of_nothing_but_garbage_has_no_line_to_be_stored() -> None:
    for number in range(len(lines.POISON)):
        batch = lines.make(RUN, number, 0, 1)
        assert (batch.lines, batch.sum) == (0, 0)
        found = taken_in(batch.body)
        assert not found.records
        assert [(one.reason, one.raw) for one in found.rejects] == [(p.reason, p.raw) for p in batch.planted]


def test_a_batchs_range_holds_its_lines_and_no_others() -> None:
    start, end = lines.range_of(RUN, 4, 5)
    ours = [exported(record).time for record in taken_in(lines.make(RUN, 4, 100).body).records]
    others = [exported(record).time for record in taken_in(lines.make(RUN, 5, 1).body).records]
    assert all(start <= time < end for time in ours)
    assert not any(start <= time < end for time in others)


def test_the_largest_batch_ends_before_the_next_begins() -> None:
    assert lines.MOST_LINES * lines.STEP_NS < lines.BATCH_NS
    assert lines.RUN.fullmatch(lines.new_run(1_900_000_000_123_456_789))
