"""A line of any known form says its time to the nanosecond; a line of none says nothing that is not there."""

import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ingest.formats import Setting, detect
from ingest.formats.times import BILLION

SETTING = Setting(UTC, datetime(2026, 11, 24, 12, tzinfo=UTC))
ELEVEN, NOON = "2026-11-24T11:00:00", "2026-11-24T12:00:00"


def at(text: str, zone: str = "UTC") -> int:
    """Nanoseconds of `2026-11-24T12:00:00.123456789`."""
    whole, _, fraction = text.partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=ZoneInfo(zone))
    return int(moment.timestamp()) * BILLION + int(fraction.ljust(9, "0") or 0)


# line, time, severity, service, host, message
LINES = [
    (f'time={NOON}.123456789Z level=INFO msg="a \\"b\\"" n=1', f"{NOON}.123456789", 9, "", "", 'a "b"'),
    ("ts=1795521600.5 lvl=warn service=cart hostname=box msg=hi", f"{NOON}.5", 13, "cart", "box", "hi"),
    (f'<34>1 {NOON}.003+01:00 box su 7 ID47 [a@1 k="v"] failed', f"{ELEVEN}.003", 21, "su", "box", "failed"),
    ("<165>1 - - - - - - hello", None, 10, "", "", "hello"),
    ("<34>Nov 24 12:00:00 box su: 'su root' failed", NOON, 21, "su", "box", "'su root' failed"),
    ("Nov  4 12:00:00 box sshd[12]: Accepted", "2026-11-04T12:00:00", None, "sshd", "box", "Accepted"),
    (f"{NOON}.123456+01:00 box cron[12]: ran", f"{ELEVEN}.123456", None, "cron", "box", "ran"),
    (
        '10.0.0.1 - bob [24/Nov/2026:12:00:00 +0200] "GET /a HTTP/1.1" 200 12 "-" "curl"',
        "2026-11-24T10:00:00", None, "", "", '"GET /a HTTP/1.1" 200 12 "-" "curl"',
    ),
    (
        "[Tue Nov 24 12:00:00.5 2026] [core:error] [pid 3:tid 4] [client 10.0.0.1:5] no file",
        f"{NOON}.5", 17, "", "", "no file",
    ),
    ("[Tue Nov 24 12:00:00 2026] [notice] ready", NOON, 10, "", "", "ready"),
    ("2026/11/24 12:00:00 [crit] 1#2: *3 open() failed", NOON, 21, "", "", "open() failed"),
    ("E1124 12:00:00.000001   77 main.go:12] broken", f"{NOON}.000001", 17, "", "", "broken"),
    ("11-24 12:00:00.001  17  18 W Tag   : careful", f"{NOON}.001", 13, "", "", "careful"),
    ("1:M 24 Nov 2026 12:00:00.123 * Ready", f"{NOON}.123", 10, "", "", "Ready"),
    ("261124 120000 32 WARN dfs.Data$Node: slow", NOON, 13, "", "", "slow"),
    ("26/11/24 12:00:00 INFO storage.Block: found", NOON, 9, "", "", "found"),
    (
        "- 1795521600 2026.11.24 R1-M0 2026-11-24-04.00.00.000007 R1-M0 RAS KERNEL FATAL down",
        f"{NOON}.000007", 21, "", "R1-M0", "down",
    ),
    ("2026/11/24 12:00:00.5 main.go:12: hello", f"{NOON}.5", None, "", "", "hello"),
    ("2026-11-24 12:00:00,123 - my.log - WARNING - slow", f"{NOON}.123", 13, "", "", "slow"),
    ("2026-11-24 12:00:00,123 INFO [main] org.acme.App: up", f"{NOON}.123", 9, "", "", "up"),
    (f"{NOON}.1+01:00  INFO 12 --- [ main] o.s.App : up", f"{ELEVEN}.1", 9, "", "", "up"),
    ("2026-11-24 12:00:00.123 CET [7] bob@db ERROR:  relation", f"{ELEVEN}.123", 17, "", "", "relation"),
    (f"[{NOON}.5+00:00] app.ERROR: bad", f"{NOON}.5", 17, "", "", "bad"),
    (f"[{NOON}Z WARN  my::mod] hello", NOON, 13, "", "", "hello"),
    (f"{NOON}.123Z stdout F ERROR inner", f"{NOON}.123", 17, "", "", "inner"),
    ("web-1  | 2026-11-24 12:00:00 INFO hi", NOON, 9, "", "", "hi"),
    ("[24-Nov-2026 12:00:00] NOTICE: ready", NOON, 10, "", "", "ready"),
    ("Nov 24, 2026 12:00:00 PM org.acme.App run", NOON, None, "", "", "org.acme.App run"),
    ("1795521600.123 45 10.0.0.1 TCP_MISS/200", f"{NOON}.123", None, "", "", "45 10.0.0.1 TCP_MISS/200"),
    ("2026-11-24 12:00:00.1234567+01 x", f"{ELEVEN}.1234567", None, "", "", "x"),
    ("WARNING:root:careful", None, 13, "", "", "careful"),
    (f"{NOON}Z error opening a file", NOON, None, "", "", "error opening a file"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "time", "severity", "service", "host", "message"), LINES)
def test_a_line_of_a_known_form_is_read(
    line: str, time: str | None, severity: int | None, service: str, host: str, message: str
) -> None:
    found = detect(line, SETTING)
    assert found.time == (None if time is None else at(time))
    assert (found.severity, found.service, found.host, found.message) == (severity, service, host, message)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "hello world",
        "User logged in at 2026-11-24 12:00:00",
        "Started 2026-11-24 12:00:00",
        "2026-11-24",
        "2026-13-45 12:00:00 no such day",
        "2026-11-24 25:00:00 no such hour",
        "2026-11-24 12:00:00.5.5 no such fraction",
        "0001-01-01 00:00:00 nobody was there",
        "1795521600 lines read",
        "a=b c=d",
        'level=info msg="open',
        "msg=a msg=b",
        "Error opening a file",
        "\tat org.acme.App.run(App.java:1)",
        "  2026-11-24 12:00:00 indented",
        "{broken json",
        "Feb 30 12:00:00 box x: no such day",
    ],
)
def test_a_line_of_no_known_form_is_its_own_message_and_nothing_else(line: str) -> None:
    found = detect(line, SETTING)
    assert (found.message, found.time, found.severity, found.service, found.host, found.attributes) == (
        *(line, None, None, "", ""),
        {},
    )


@pytest.mark.parametrize(
    ("line", "attributes"),
    [
        (
            '<13>1 - - - 7 ID47 [a@1 k="v \\"w\\"" l="m"][b n=""] x',
            {"facility": "user", "pid": "7", "msgid": "ID47", "a@1.k": 'v "w"', "a@1.l": "m", "b.n": ""},
        ),
        (
            '::1 - - [24/Nov/2026:12:00:00 +0000] "GET /a?b HTTP/2.0" 404 9 "http://r" "agent"',
            {
                **{"client": "::1", "http.method": "GET", "http.path": "/a?b", "http.status": 404},
                **{"http.bytes": 9, "http.referer": "http://r", "http.agent": "agent"},
            },
        ),
        (
            'level=info msg=x n=-1.50 id=007 big=12345678901234567 s=""',
            {"n": -1.5, "id": "007", "big": "12345678901234567", "s": ""},
        ),
        (
            "2026-11-24 12:00:00 INFO [pool-1] org.acme.App - up",
            {"thread": "pool-1", "logger": "org.acme.App"},
        ),
        ("app.log.1 2026-11-24 12:00:00 17 INFO up", {"prefix": "app.log.1", "pid": "17"}),
    ],
)
def test_what_the_header_says_is_kept_in_fields(line: str, attributes: dict[str, object]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(detect(line, SETTING).attributes)) == attributes


@pytest.mark.parametrize(
    ("latest", "line", "year"),
    [
        ("2026-02-01", "Jan 31 12:00:00 box x: y", 2026),
        ("2026-02-01", "Feb  2 00:00:00 box x: a clock that goes ahead", 2026),
        ("2026-02-01", "Feb  2 00:00:01 box x: no clock is a day ahead", 2025),
        ("2026-01-01", "Dec 31 23:59:59 box x: y", 2025),
        ("2026-12-31", "Jan  1 00:00:00 box x: a new year over there", 2027),
        ("2026-11-24", "Feb 29 12:00:00 box x: y", 2024),
    ],
)
def test_a_date_without_a_year_is_the_latest_that_can_be(latest: str, line: str, year: int) -> None:
    setting = Setting(UTC, datetime.fromisoformat(latest).replace(tzinfo=UTC))
    found = detect(line, setting)
    assert found.time is not None
    assert datetime.fromtimestamp(found.time // BILLION, UTC).year == year


def test_a_time_without_a_zone_is_of_the_zone_that_was_given() -> None:
    berlin = Setting(ZoneInfo("Europe/Berlin"), SETTING.latest)
    for written, utc in [
        ("2026-07-01 12:00:00", "2026-07-01T10:00:00"),
        ("2026-12-01 12:00:00", "2026-12-01T11:00:00"),
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00"),  # comes twice: the first is meant
        ("2026-07-01 12:00:00Z", "2026-07-01T12:00:00"),
    ]:
        assert detect(f"{written} INFO x", berlin).time == at(utc)


def test_no_line_takes_long_and_each_keeps_its_text_to_the_end() -> None:
    """An exponential pattern would take years here, and the run show where."""
    r = random.Random(3)
    signs = [
        "[",
        "]",
        " ",
        ":",
        ".",
        "-",
        '"',
        "\\",
        "=",
        "a",
        "1",
        "INFO",
        "|",
        "{",
        "/",
        "Nov 24 12:00:00 ",
    ]
    starts = [
        "",
        "<13>1 - - - - - [a",
        "2026-11-24 12:00:00 ",
        "a=",
        '::1 - - [24/Nov/2026:12:00:00 +0000] "',
    ]
    lines = [r.choice(starts) + "".join(r.choices(signs, k=300)) for _ in range(2000)]
    lines += [start + sign * 200_000 for start in starts for sign in signs]
    for line in lines:
        assert line.endswith(detect(line, SETTING).message)
