"""A line's fields, attributes and text, odd ones above all: stored as documented, or refused for a reason."""

import json
from typing import Any

import pytest

from ingest.dialects import native
from ingest.limits import Limits
from ingest.record import Flag, LogRecord
from tests.lines import NOW_US, SPAN, TIME, TRACE, attributes, decode, one, reason

# ---- fields ----


def test_a_whole_line_becomes_a_record() -> None:
    line = {
        "time": TIME,
        "severity": "warning",
        "service": "cart",
        "host": "web-1",
        "message": "slow",
        "trace_id": TRACE,
        "span_id": SPAN,
        "attributes": {"ms": 912, "path": "/pay"},
    }
    assert one(line) == LogRecord(
        1_795_499_940_250_000,
        0,
        NOW_US,
        13,
        "cart",
        "web-1",
        "slow",
        bytes.fromhex(TRACE),
        bytes.fromhex(SPAN),
        b'{"ms": 912, "path": "/pay"}',
        0,
    )


ALIASES = [
    ({"timestamp": TIME, "msg": "m", "level": "error"}, {}),
    ({"timestamp": TIME, "body": "m", "level": 17}, {}),
    ({"time": TIME, "message": "m", "severity": "err"}, {}),
    ({"time": None, "timestamp": TIME, "message": None, "msg": "m", "severity": None, "level": "ERROR"}, {}),
    (
        {"time": TIME, "timestamp": 5, "message": "m", "severity": "e", "level": "loud"},
        {"timestamp": 5, "level": "loud"},
    ),
    (
        {"time": TIME, "message": "m", "msg": "n", "body": {"a": 1}, "level": "ERROR"},
        {"msg": "n", "body.a": 1},
    ),
]


@pytest.mark.parametrize("line, rest", ALIASES)
def test_the_first_name_wins_and_the_others_stay_attributes(
    line: dict[str, Any], rest: dict[str, Any]
) -> None:
    record = one(line)
    assert (record.time_us, record.message, record.severity) == (1_795_499_940_250_000, "m", 17)
    assert json.loads(record.attributes) == rest


ODD_FIELDS = {
    "a message that is a number": ({"message": 5}, "5"),
    "a message that is an object": ('{"message": {"a": [1, 2]}}', '{"a": [1, 2]}'),
    "a message that is true": ({"message": True}, "true"),
    "an empty message": ({"message": ""}, ""),
    "no message": ({"service": "x"}, ""),
    "a multi-line message": ({"message": "a\nb\r\n\tc"}, "a\nb\r\n\tc"),
    "a message in many scripts": (
        {"message": "žluťoučký 馬 \N{GRINNING FACE} \u202e"},
        "žluťoučký 馬 \N{GRINNING FACE} \u202e",
    ),
    "a byte order mark inside": ({"message": "\ufeffx"}, "\ufeffx"),
    "a message of 3 KiB": ({"message": "x" * 3072}, "x" * 3072),
    "a message given twice": ('{"message": "a", "message": "b"}', "b"),
}


@pytest.mark.parametrize("name", ODD_FIELDS)
def test_odd_messages_are_kept(name: str) -> None:
    line, message = ODD_FIELDS[name]
    assert one(line).message == message


def test_a_service_that_is_a_number_is_its_text() -> None:
    record = one({"service": 12, "host": None, "message": "x"})
    assert (record.service, record.host) == ("12", "")


TIMES = {
    "1795499940.123456789": (1_795_499_940_123_456, 789),
    "1795499940123456789": (1_795_499_940_123_456, 789),
}


@pytest.mark.parametrize("number", TIMES)
def test_a_number_keeps_its_nanoseconds(number: str) -> None:
    for text in (number, f'"{number}"'):
        record = one(f'{{"time": {text}, "message": "x"}}')
        assert (record.time_us, record.nanos) == TIMES[number]


def test_a_line_without_a_time_gets_the_receipts() -> None:
    record = one({"message": "x"})
    assert (record.time_us, record.flags) == (NOW_US, Flag.TIME_MISSING)


def test_a_time_in_the_far_future_is_clamped_and_kept() -> None:
    record = one({"time": "2126-11-24T06:00:00Z", "message": "x", "a": 1})
    assert (record.time_us, record.flags) == (NOW_US, Flag.TIME_CLAMPED)
    assert json.loads(record.attributes) == {"a": 1, "original_time": "2126-11-24T06:00:00Z"}


def test_a_time_just_ahead_is_taken() -> None:
    assert one({"time": "2026-11-24T06:01:00Z", "message": "x"}).flags == 0


@pytest.mark.parametrize("level, number", [("Warn", 13), (9, 9), ("24", 24), (None, None), ("", None)])
def test_a_known_severity_is_a_number(level: Any, number: int | None) -> None:
    record = one({"level": level, "message": "x"})
    assert (record.severity, record.attributes) == (number, b"{}")


@pytest.mark.parametrize(
    "level, text", [("loud", "loud"), (30, "30"), (0, "0"), (1.5, "1.5"), (True, "true")]
)
def test_an_unknown_severity_is_kept_as_text(level: Any, text: str) -> None:
    record = one({"level": level, "message": "x"})
    assert record.severity is None
    assert json.loads(record.attributes) == {"severity_text": text}


@pytest.mark.parametrize("given", [TRACE, TRACE.upper(), "0af76519-16cd-43dd-8448-eb211c80319c"])
def test_a_trace_id_is_sixteen_bytes(given: str) -> None:
    assert one({"trace_id": given, "message": "x"}).trace_id == bytes.fromhex(TRACE)


@pytest.mark.parametrize("given", ["abc", "x" * 32, TRACE[:16], TRACE[:-1] + " ", "a b" * 12, 5])
def test_another_trace_id_stays_an_attribute(given: Any) -> None:
    record = one({"trace_id": given, "message": "x"})
    assert record.trace_id is None
    assert json.loads(record.attributes) == {"trace_id": str(given)}


@pytest.mark.parametrize("given", ["", "0" * 32, None])
def test_no_trace_id_is_none(given: Any) -> None:
    record = one({"trace_id": given, "span_id": "0" * 16, "message": "x"})
    assert (record.trace_id, record.span_id) == (None, None)


# ---- attributes ----


def test_unknown_names_join_the_attributes() -> None:
    line = {"message": "x", "user": 7, "ok": True, "attributes": {"region": "eu", "user": 8}}
    assert attributes(line) == {"user": 8, "ok": True, "region": "eu"}


def test_nested_attributes_get_dotted_names_and_arrays_stay() -> None:
    line = {"message": "x", "k8s": {"pod": {"name": "p"}, "labels": {}}, "tags": ["a", {"b": [1]}], "n": None}
    assert attributes(line) == {"k8s.pod.name": "p", "k8s.labels": {}, "tags": ["a", {"b": [1]}], "n": None}


def test_of_two_equal_names_the_last_wins() -> None:
    assert attributes('{"a": {"b": 1}, "a.b": 2, "c": 3, "c": 4}') == {"a.b": 2, "c": 4}


NUMBERS = [
    "1.10",
    "12345678901234567890123456789.123456789",
    "-0.0",
    "1e5",
    "1E-300",
    "1e999",
    "0.1",
    "9" * 1000,
]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_stay_as_they_were_written(number: str) -> None:
    for line in (f'{{"n": {number}}}', f'{{"message": "", "attributes": {{"n": {number}}}}}'):
        assert f":{number}}}" in one(line).attributes.decode().replace(" ", "")


@pytest.mark.parametrize("kind", [[1], "text", 5, False])
def test_attributes_of_another_kind_are_one_attribute(kind: Any) -> None:
    assert attributes({"message": "x", "attributes": kind}) == {"attributes": kind}


def test_attributes_of_null_are_none() -> None:
    assert one({"message": "x", "attributes": None}).attributes == b"{}"


@pytest.mark.parametrize("name", ["", "with space", 'qu"ote', "ünï", "a.b", "\\u0041"])
def test_any_name_will_do(name: str) -> None:
    assert attributes({"message": "x", name: 1}) == {name: 1}


@pytest.mark.parametrize("text", ["{", "}{", '"{"', "[" * 30, "1e9999", "e0000", ":,:,"])
def test_text_that_looks_like_structure_is_text(text: str) -> None:
    for line in ({"message": "x", "t": text}, {"message": "x", "attributes": {"t": text}}):
        assert attributes(line) == {"t": text}


def test_hexadecimal_text_with_an_exponent_in_it_is_no_number() -> None:
    line = {"message": "x", "attributes": {"id": "81e40000", "ids": ["81e40000", 5]}}
    assert attributes(line) == line["attributes"]


# ---- text that cannot be stored ----

REPAIRED = {
    "an escaped NUL": (rb'{"message": "a\u0000b"}', "a\ufffdb"),
    "half a pair": (rb'{"message": "a\ud83db"}', "a\ufffdb"),
    "the other half": (rb'{"message": "a\ude00"}', "a\ufffd"),
    "a byte that is not UTF-8": (b'{"message": "a\xffb"}', "a\ufffdb"),
    "a NUL as it is": (b'{"message": "a\x00b"}', "a\ufffdb"),
    "latin-1": ('{"message": "café"}'.encode("latin-1"), "caf\ufffd"),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_unstorable_text_is_repaired_and_flagged(name: str) -> None:
    line, message = REPAIRED[name]
    record = one(line)
    assert (record.message, record.flags) == (message, Flag.TEXT_REPAIRED | Flag.TIME_MISSING)


@pytest.mark.parametrize("bad", [rb"\u0000", rb"\ud800", b"\xff", b"\x00"])
def test_attributes_are_repaired_in_names_and_values(bad: bytes) -> None:
    line = b'{"message": "", "attributes": {"k' + bad + b'": ["v' + bad + b'"]}}'
    assert attributes(line) == {"k\ufffd": ["v\ufffd"]}


def test_only_the_line_that_was_repaired_is_flagged() -> None:
    body = b'{"message": "a\xff"}\n{"message": "\xc3\xa9 \\\\u0000"}\n'
    flags = [record.flags & Flag.TEXT_REPAIRED for record in decode(body).records]
    assert flags == [Flag.TEXT_REPAIRED, 0]


def test_escapes_that_only_look_bad_are_left_alone() -> None:
    record = one(rb'{"message": "\\u0000 \\ud800 \ud83d\ude00"}')
    assert (record.message, record.flags) == ("\\u0000 \\ud800 \N{GRINNING FACE}", Flag.TIME_MISSING)


# ---- refusals ----

MANY = json.dumps(dict.fromkeys(map(str, range(21)), 1)).encode()
REFUSED = {
    "cut short": (b'{"message": "x"', "bad_json"),
    "no JSON": (b"hello", "bad_json"),
    "a raw line break in a string": (b'{"message": "a\tb"}', "bad_json"),
    "NaN": (b'{"n": NaN}', "bad_json"),
    "a bare exponent": (b'{"n": 1e}', "bad_json"),
    "a leading zero": (b'{"n": 01}', "bad_json"),
    "single quotes": (b"{'message': 'x'}", "bad_json"),
    "two objects": (b'{"message": "x"} {"message": "y"}', "bad_json"),
    "a trailing comma": (b'{"message": "x",}', "bad_json"),
    "a bad escape": (rb'{"message": "\x41"}', "bad_json"),
    "a number": (b"5", "not_an_object"),
    "a string": (b'"x"', "not_an_object"),
    "null": (b"null", "not_an_object"),
    "an empty object": (b"{}", "empty"),
    "an impossible time": (b'{"time": "soon"}', "bad_time"),
    "a time that is an object": (b'{"time": {}}', "bad_time"),
    "a time of 5000 digits": (b'{"time": ' + b"1" * 3000 + b"}", "bad_time"),
    "older than retention": (b'{"time": "2026-10-24T05:59:59Z"}', "too_old"),
    "of 1960": (b'{"time": -300000000}', "too_old"),
    "a service without end": (b'{"service": "' + b"s" * 256 + b'"}', "name_too_long"),
    "a host without end": (b'{"host": "' + b"h" * 256 + b'"}', "name_too_long"),
    "a line without end": (b'{"message": "' + b"x" * 4096 + b'"}', "too_long"),
    "nested objects": (b'{"a":' * 6 + b"1" + b"}" * 6, "too_deep"),
    "nested arrays": (b'{"a":' + b"[" * 5 + b"]" * 5 + b"}", "too_deep"),
    "nested arrays in attributes": (b'{"attributes":{"a":' + b"[" * 5 + b"]" * 5 + b"}}", "too_deep"),
    "nested without end": (b'{"a":' + b"[" * 1500 + b"]" * 1500 + b"}", "too_deep"),
    "too many fields": (MANY, "too_many_fields"),
    "too many nested": (b'{"attributes":{"a":' + MANY + b"}}", "too_many_fields"),
    "a number numeric cannot hold": (b'{"n": 1e400000}', "bad_number"),
    "one in attributes": (b'{"attributes": {"n": -1E+400000}}', "bad_number"),
    "one in an array": (b'{"attributes": {"n": [0, 2e-400000]}}', "bad_number"),
    "an exponent of many digits": (b'{"n": 1e' + b"9" * 3000 + b"}", "bad_number"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_each_bad_line_has_its_reason(name: str) -> None:
    line, why = REFUSED[name]
    assert reason(line) == why


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_line_harms_no_neighbour(name: str) -> None:
    good = b'{"message": "good"}'
    line, why = REFUSED[name]
    found = decode(b"\n".join([good, line, b"", good]))
    assert [record.message for record in found.records] == ["good", "good"]
    assert [(reject.line, reject.reason, reject.raw) for reject in found.rejects] == [(2, why, line)]


def test_a_number_of_too_many_digits_is_refused() -> None:
    line = b'{"attributes": {"n": ' + b"9" * 16_000 + b"}}"
    assert reason(line, Limits()) == "bad_number"


def test_a_refused_line_is_kept_up_to_the_quarantines_bound() -> None:
    (reject,) = decode(b"x" * 100_000, limits=Limits()).rejects
    assert reject.raw == b"x" * native.QUARANTINED_BYTES


def test_a_batch_touches_only_so_many_days() -> None:
    days = [f'{{"time": "2026-11-{day:02}T00:00:00Z"}}' for day in (10, 11, 10, 12, 13, 11)]
    found = decode("\n".join(days))
    assert [(reject.line, reject.reason) for reject in found.rejects] == [(5, "too_many_days")]
    assert len(found.records) == 5


def test_a_line_of_64_kib_is_stored() -> None:
    message = "é" * 32 * 1024
    assert decode(json.dumps({"message": message}), limits=Limits()).records[0].message == message
