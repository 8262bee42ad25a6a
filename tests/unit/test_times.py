"""Every form of time a reader may write, and the one form in which times go out."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from webapp.logs.times import BadTime, instant, nanoseconds, rfc3339, zone_of

BERLIN = ZoneInfo("Europe/Berlin")
NOW = nanoseconds(datetime(2026, 11, 24, 10, 11, 12, 345678, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-11-24T10:11:12Z", "2026-11-24T10:11:12.000000000Z"),
        ("2026-11-24T10:11:12.123456789Z", "2026-11-24T10:11:12.123456789Z"),
        ("2026-11-24T10:11:12,5+02:00", "2026-11-24T08:11:12.500000000Z"),
        ("2026-11-24T10:11:12-0330", "2026-11-24T13:41:12.000000000Z"),
        ("2026-11-24T10:11:12 02:00", "2026-11-24T08:11:12.000000000Z"),  # a "+" in a query string
        ("2026-11-24 10:11", "2026-11-24T10:11:00.000000000Z"),
        ("2026-11-24", "2026-11-24T00:00:00.000000000Z"),
        ("0", "1970-01-01T00:00:00.000000000Z"),
        ("1795515072", "2026-11-24T10:11:12.000000000Z"),
        ("1795515072345", "2026-11-24T10:11:12.345000000Z"),
        ("1795515072345678", "2026-11-24T10:11:12.345678000Z"),
        ("1795515072345678912", "2026-11-24T10:11:12.345678912Z"),
        ("now", "2026-11-24T10:11:12.345678000Z"),
        ("now-15m", "2026-11-24T09:56:12.345678000Z"),
        ("now+1h-30s", "2026-11-24T11:10:42.345678000Z"),
        ("now/d", "2026-11-24T00:00:00.000000000Z"),
        ("now-1d/d", "2026-11-23T00:00:00.000000000Z"),
        ("now/w", "2026-11-23T00:00:00.000000000Z"),
        ("now/M", "2026-11-01T00:00:00.000000000Z"),
        ("now-1y/y", "2025-01-01T00:00:00.000000000Z"),
        ("now-9M", "2026-02-24T10:11:12.345678000Z"),
        ("now/h", "2026-11-24T10:00:00.000000000Z"),
        ("now/m", "2026-11-24T10:11:00.000000000Z"),
    ],
)
def test_a_time_is_read(text: str, told: str) -> None:
    assert rfc3339(instant(text, NOW, UTC)) == told


def test_the_zone_decides_where_none_is_written() -> None:
    assert rfc3339(instant("2026-07-01 12:00", NOW, BERLIN)) == "2026-07-01T10:00:00.000000000Z"
    assert rfc3339(instant("now/d", NOW, BERLIN)) == "2026-11-23T23:00:00.000000000Z"
    assert rfc3339(instant("2026-07-01T12:00:00Z", NOW, BERLIN)) == "2026-07-01T12:00:00.000000000Z"


def test_the_last_day_stands_in_for_one_that_a_month_lacks() -> None:
    now = nanoseconds(datetime(2026, 3, 31, 12, tzinfo=UTC))
    assert rfc3339(instant("now-1M", now, UTC)) == "2026-02-28T12:00:00.000000000Z"


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01", "2026-02-30", "10:00", "now-", "now-5", "now-5x", "now/", "-5", "1" * 21,
     "2026-11-24T10:11:60Z", "2026-11-24T10:11:12+99:00", "now-99999999y", "now+999999999w", "١٢٣"],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BadTime, match=r"is no time"):
        instant(text, NOW, UTC)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "Europe", "/etc/localtime", "a\0b"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(BadTime, match="is no time zone"):
        zone_of(name)
