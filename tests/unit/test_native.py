"""The native dialect's forms; and whatever comes, a line becomes a record or a reject, never an exception."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.dialects import native
from ingest.dialects.native import Decoded, Form
from ingest.errors import BadBody, TooLarge, UnsupportedMedia
from ingest.record import Flag
from tests.lines import CAREFUL, LIMITS, NOW_US, decode, same

# ---- forms of a body ----

A_B = ['{"message": "a"}', '{"message": "b"}']
TWO_LINES = {
    "NDJSON": "\n".join(A_B),
    "NDJSON with a last line break": "\n".join(A_B) + "\n",
    "NDJSON with CRLF and blank lines": "\r\n\r\n  \n".join(A_B) + "\r\n",
    "NDJSON after a byte order mark": "\ufeff" + "\n".join(A_B),
    "an array": "[" + ",".join(A_B) + "]",
    "an array over lines": "\n [\n" + ",\n".join(A_B) + "\n]\n",
    "an object with logs": '{"logs": [' + ",".join(A_B) + "]}",
    "an object with logs over lines": '{\n  "logs": [\n' + ",\n".join(A_B) + "]\n}",
}


@pytest.mark.parametrize("name", TWO_LINES)
def test_each_form_of_json_is_read(name: str) -> None:
    assert [record.message for record in decode(TWO_LINES[name], Form.JSON).records] == ["a", "b"]


@pytest.mark.parametrize("name", [name for name in TWO_LINES if "NDJSON" in name or name == "an array"])
def test_ndjson_may_hold_an_array_too(name: str) -> None:
    assert [record.message for record in decode(TWO_LINES[name], Form.LINES).records] == ["a", "b"]


def test_one_object_may_go_over_lines() -> None:
    (record,) = decode('{\n  "message": "a",\n  "x": {"y": 1}\n}\n', Form.JSON).records
    assert (record.message, record.attributes) == ("a", b'{"x.y":1}')


def test_logs_beside_other_names_is_one_line() -> None:
    (record,) = decode('{"logs": [1], "message": "a"}', Form.JSON).records
    assert (record.message, record.attributes) == ("a", b'{"logs":[1]}')


def test_items_that_are_no_lines_are_refused_alone() -> None:
    found = decode('[5, {"message": "a"}, [], {"message": "b"}, null]', Form.JSON)
    assert [record.message for record in found.records] == ["a", "b"]
    assert [(reject.line, reject.raw) for reject in found.rejects] == [(1, b"5"), (3, b"[]"), (5, b"null")]


@pytest.mark.parametrize("wrap", ["[%s]", '{"logs": [%s]}'])
@pytest.mark.parametrize("bad", [rb"\u0000", rb"\ud800", b"\xff"])
def test_a_repaired_item_harms_no_neighbour(wrap: str, bad: bytes) -> None:
    items = b'{"message": "a\xef\xbf\xbd"}, {"message": "b%s"}, {"message": "b\xef\xbf\xbd"}' % bad
    found = decode(wrap.encode() % items, Form.JSON)
    assert [record.message for record in found.records] == ["a\ufffd", "b\ufffd", "b\ufffd"]
    flags = [record.flags & Flag.TEXT_REPAIRED for record in found.records]
    assert flags == [0, Flag.TEXT_REPAIRED, 0]


@pytest.mark.parametrize("body", ['[{"message": "a"}', '[{"message": "a"},]', "[" * 5000, "[1 2]"])
def test_a_broken_array_is_one_reject(body: str) -> None:
    found = decode(body, Form.JSON)
    assert not found.records
    (reject,) = found.rejects
    assert (reject.line, reject.raw) == (1, body.encode()[: native.QUARANTINED_BYTES])


@pytest.mark.parametrize(
    "bad", [b'["x"]', b"[2026-11-24 12:00:00] starting", b'[{"message": "a"},', b"[" * 5000]
)
def test_a_first_line_that_begins_like_an_array_takes_no_line_along(bad: bytes) -> None:
    found = decode(bad + b'\n{"message": "b"}\n{"message": "c"}\n', Form.LINES)
    assert [record.message for record in found.records] == ["b", "c"]
    assert [(reject.line, reject.raw) for reject in found.rejects] == [(1, bad)]


def test_a_whole_array_is_read_as_one_whatever_it_is_said_to_be() -> None:
    found = decode(b'[{"message": "a"},\n{"message": "b"}]\n', Form.LINES)
    assert [record.message for record in found.records] == ["a", "b"]


def test_plain_text_is_a_message_a_line() -> None:
    found = decode(b'first\r\n\n  second {"a": 1} \n\xff\x00\nlast', Form.TEXT)
    assert [record.message for record in found.records] == [
        "first",
        '  second {"a": 1} ',
        "\ufffd\ufffd",
        "last",
    ]
    flags = [record.flags & Flag.TEXT_REPAIRED for record in found.records]
    assert flags == [0, 0, Flag.TEXT_REPAIRED, 0]


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("body", [b"", b" \r\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_body_is_refused(form: Form, body: bytes) -> None:
    with pytest.raises(BadBody):
        decode(body, form)


def test_an_empty_array_is_refused() -> None:
    with pytest.raises(BadBody):
        decode("[]", Form.JSON)


@pytest.mark.parametrize("form", Form)
def test_too_many_lines_are_refused_as_a_whole(form: Form) -> None:
    with pytest.raises(TooLarge):
        decode(b"{}\n" * 101, form)


def test_too_many_items_are_refused_as_a_whole() -> None:
    for body in ("[" + "1," * 100 + "1]", "[" + "1," * 10_000 + "1]"):
        with pytest.raises(TooLarge):
            decode(body, Form.JSON)


CONTENT_TYPES = {
    "application/json": Form.JSON,
    "application/json; charset=utf-8": Form.JSON,
    'Application/JSON;charset="UTF-8"': Form.JSON,
    "application/vnd.acme+json": Form.JSON,
    "application/x-www-form-urlencoded": Form.JSON,
    "": Form.JSON,
    "application/x-ndjson": Form.LINES,
    "application/jsonl": Form.LINES,
    "text/plain": Form.TEXT,
    "text/plain; charset=us-ascii": Form.TEXT,
}


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_the_content_type_names_the_form(content_type: str) -> None:
    assert native.form_of(content_type) is CONTENT_TYPES[content_type]


@pytest.mark.parametrize(
    "content_type", ["text/html", "application/x-protobuf", "json", "text/plain; charset=latin-1"]
)
def test_other_content_types_are_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedMedia):
        native.form_of(content_type)


# ---- whatever comes ----

anything = st.text(st.characters(exclude_categories=()))  # half surrogate pairs included
scalars = st.none() | st.booleans() | st.integers() | st.floats() | anything
trees = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
names = st.sampled_from(sorted(native.KNOWN)) | st.text(max_size=5)
lines = st.dictionaries(names, trees).map(lambda line: json.dumps(line).encode())


def check(found: Decoded, lines: int) -> None:
    assert len(found.records) + len(found.rejects) <= lines
    for record in found.records:
        assert record.time_us <= NOW_US + 60_000_000 and 0 <= record.nanos <= 999
        assert record.severity is None or 1 <= record.severity <= 24
        assert "\0" not in record.message + record.service + record.host
        record.message.encode()
        known = json.loads(record.attributes.decode())
        assert len(known) <= LIMITS.fields + 4 and "\0" not in str(known)


@given(st.lists(lines | st.binary(max_size=60), min_size=1, max_size=8), st.sampled_from(Form))
def test_every_line_is_a_record_or_a_reject(given: list[bytes], form: Form) -> None:
    body = b"\n".join(given)
    try:
        found = decode(body, form)
    except BadBody:
        assert not body.removeprefix(native.BOM).strip() or body.strip() == b"[]"
        return
    check(found, body.count(b"\n") + 1)
    if form is Form.TEXT:
        assert {reject.reason for reject in found.rejects} <= {"too_long"}


@given(st.lists(trees, min_size=1, max_size=8))
def test_every_item_is_a_record_or_a_reject(items: list[Any]) -> None:
    found = decode(json.dumps(items, allow_nan=True), Form.JSON)
    check(found, len(items))


@given(lines)
def test_the_quick_way_and_the_careful_way_agree(line: bytes) -> None:
    quick = decode(line)
    careful = decode(CAREFUL + line)
    assert same(careful.records[native.MOST_MISSES :]) == same(quick.records)
    assert [reject.reason for reject in careful.rejects] == [reject.reason for reject in quick.rejects]
