"""Lines become records: JSON untouched, other forms read, everything else a message."""

from datetime import UTC, datetime

import msgspec
import pytest

from ingest import outgoing
from ingest.outgoing import Label, NoZone

LABEL = Label("app", "box", "UTC")
SETTING = outgoing.setting_of(LABEL, datetime(2026, 11, 24, tzinfo=UTC).timestamp())


def record(line: bytes) -> object:
    return msgspec.json.decode(outgoing.as_record(line, LABEL, SETTING))


def test_json_objects_go_as_they_are_and_what_is_not_known_is_a_message() -> None:
    sent = outgoing.as_record(b' {"message": "x", "n": 1} ', LABEL, SETTING)
    assert sent == b'{"message": "x", "n": 1}'
    for line, message in [
        (b"{not json}", "{not json}"),
        (b'["a"]', '["a"]'),
        (b'tab\t"quoted" \xff', 'tab\t"quoted" \ufffd'),
        (b"", ""),
        (b"[" * 100_000, "[" * 100_000),
    ]:
        assert record(line) == {"message": message, "service": "app", "host": "box"}


def test_what_a_line_says_itself_goes_before_the_label() -> None:
    assert record(b"<11>Nov 24 00:00:00 db cron[7]: \xff") == {
        **{"time": 1795478400 * 10**9, "severity": 17, "service": "cron", "host": "db", "message": "\ufffd"},
        "attributes": {"facility": "user", "pid": "7"},
    }


def test_a_time_too_near_to_1970_for_a_number_is_written_out() -> None:
    assert record(b"1970-01-01 00:00:05.5 x") == {
        **{"time": "1970-01-01T00:00:05.500000000Z", "message": "x", "service": "app", "host": "box"}
    }


def test_without_a_zone_no_line_is_looked_into() -> None:
    plain = Label("app", "box")
    assert outgoing.setting_of(plain, 0) is None
    line = outgoing.as_record(b"2026-11-24 12:00:00 INFO x", plain, None)
    assert msgspec.json.decode(line)["message"] == "2026-11-24 12:00:00 INFO x"


def test_a_body_has_a_line_for_every_record() -> None:
    lines = [b"", b"a\rb", b'{"message": "x"}', b"2026-11-24 12:00:00 ERROR x", b"\tat a.B.c(D.java:1)"]
    assert outgoing.starts_of(lines, None) == [0, 1, 2, 3, 4]
    starts = outgoing.starts_of(lines, SETTING)
    assert starts == [0, 1, 2, 3]
    records = outgoing.body(lines, starts, LABEL, SETTING).splitlines()
    assert [msgspec.json.decode(record)["message"] for record in records] == [
        *("", "a\rb", "x"),
        "x\n\tat a.B.c(D.java:1)",
    ]


def test_this_machines_zone_is_what_tz_or_its_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":Europe/Berlin")
    assert outgoing.local_zone() == "Europe/Berlin"
    monkeypatch.delenv("TZ")
    assert outgoing.zone_named(outgoing.local_zone())


@pytest.mark.parametrize("name", ["Europe/Nowhere", "../etc/passwd", "CET-1CEST", ""])
def test_a_zone_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(NoZone):
        outgoing.zone_named(name)


def test_what_was_joined_is_never_dropped() -> None:
    line = outgoing.as_record(b'{"message": "x"}', LABEL, SETTING, [b"\tat a.B.c(D.java:1)"])
    assert msgspec.json.decode(line)["message"] == '{"message": "x"}\n\tat a.B.c(D.java:1)'
