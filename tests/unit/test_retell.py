"""A record told anew is read back as it was; what is sent again is one batch by its entry alone."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import envelope, replay, retell
from ingest.dialects import native
from ingest.envelope import Envelope, pack
from ingest.normalise import Normaliser
from ingest.record import Flag, LogRecord, Reject
from ingest.replay import Again, StillBad
from tests.lines import LIMITS, NOW_US

DAY_US = 86_400_000_000
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50)
VALUES = TEXT | st.booleans() | st.integers(-(2**53), 2**53) | st.lists(st.integers(0, 9), max_size=3)
RECORDS = st.builds(
    LogRecord,
    time_us=st.integers(NOW_US - DAY_US, NOW_US),
    nanos=st.integers(0, 999),
    observed_us=st.just(NOW_US),
    severity=st.none() | st.integers(1, 24),
    service=TEXT,
    host=TEXT,
    message=TEXT,
    trace_id=st.none() | st.binary(min_size=16, max_size=16).filter(any),
    span_id=st.none() | st.binary(min_size=8, max_size=8).filter(any),
    attributes=st.dictionaries(TEXT, VALUES, max_size=4).map(msgspec.json.encode),
    flags=st.just(0),
)


def again(raw: bytes, **more: Any) -> Again:
    return Again(**{"key": "1", "source": 7, "retention_days": 30, "received_us": NOW_US, "raw": raw, **more})


def prepared(raw: bytes, now_us: int = NOW_US, **more: Any) -> Envelope:
    return envelope.unpack(replay.prepare(again(raw, **more), LIMITS, now_us).payload)


@given(RECORDS)
def test_a_record_told_anew_is_read_back_as_it_was(record: LogRecord) -> None:
    line = retell.line_of(record)
    read = native.Reader(line, Normaliser(LIMITS, NOW_US, 30)).line(line)
    assert msgspec.json.decode(read.attributes) == msgspec.json.decode(record.attributes)
    assert msgspec.structs.replace(read, attributes=b"") == msgspec.structs.replace(record, attributes=b"")


@pytest.mark.parametrize("change", [{"time_us": 2**62}, {"attributes": b'{"cut'}, {"attributes": b"\xff"}])
def test_what_no_table_holds_is_still_told(change: dict[str, Any]) -> None:
    whole = LogRecord(NOW_US, 0, NOW_US, None, "", "", "said", None, None, b"{}", 0)
    told = retell.line_of(msgspec.structs.replace(whole, **change))
    assert msgspec.json.decode(told)["message"] == "said"


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused_again(raw: bytes) -> None:
    for whole in (False, True):
        try:
            prepared(raw, whole=whole)
        except StillBad as bad:
            assert bad.reason and bad.detail


def test_an_entry_is_one_batch_whatever_is_sent_for_it() -> None:
    one, two = again(b'{"message": "a"}'), again(b'{"message": "b"}')
    assert one.batch == two.batch
    others = {again(b"", key="2").batch, again(b"", source=8).batch}
    assert len(others) == 2 and one.batch not in others


def test_a_batch_sent_again_keeps_what_was_done_to_its_lines_and_what_was_refused_of_it() -> None:
    old = LogRecord(NOW_US - 40 * DAY_US, 0, NOW_US, 9, "", "", "old", None, None, b"{}", 0)
    new = LogRecord(NOW_US, 5, NOW_US - 9, 9, "", "", "new", None, None, b"{}", Flag.TIME_MISSING.value)
    held = Envelope(7, "native", NOW_US, b"hash", [old, new], [Reject(3, "bad_json", "cut", b"{")])
    found = prepared(pack(held), whole=True)
    assert found.records == [new]
    assert [(one.line, one.reason) for one in found.rejects] == [(3, "bad_json"), (1, "too_old")]
    assert msgspec.json.decode(found.rejects[1].raw)["message"] == "old"


def test_retention_counts_from_now_and_not_from_when_the_line_first_came() -> None:
    raw = b'{"message": "a"}'
    assert prepared(raw, NOW_US + 29 * DAY_US).records[0].time_us == NOW_US
    with pytest.raises(StillBad, match="30 days"):
        prepared(raw, NOW_US + 31 * DAY_US)


def test_an_envelope_from_before_bytes_were_counted_is_still_read() -> None:
    before = [7, "native", NOW_US, b"hash", [], [[1, "bad_json", "cut", b"{"]]]
    packed = envelope.VERSION + envelope.zstd.compress(msgspec.msgpack.encode(before))
    assert envelope.unpack(packed).rejects == [Reject(1, "bad_json", "cut", b"{", 0)]
