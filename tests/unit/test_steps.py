"""Steps of a histogram lie on the calendar of the zone, also where its clocks change."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from webapp.logs import steps
from webapp.logs.times import nanoseconds, to_datetime

BERLIN = ZoneInfo("Europe/Berlin")
UTC = ZoneInfo("UTC")
SECOND = 10**9


def at(text: str, zone: ZoneInfo = BERLIN) -> int:
    return nanoseconds(datetime.fromisoformat(text).replace(tzinfo=zone))


def told(edges: list[int], zone: ZoneInfo = BERLIN) -> list[str]:
    return [f"{to_datetime(edge).astimezone(zone):%m-%d %H:%M}" for edge in edges]


def test_the_first_edge_is_the_range_s_own_start() -> None:
    found = steps.edges(at("2026-11-24 10:07"), at("2026-11-24 10:31"), steps.parse("10m"), BERLIN)
    assert told(list(found)) == ["11-24 10:07", "11-24 10:10", "11-24 10:20", "11-24 10:30"]


def test_days_are_local_days_when_clocks_change() -> None:
    found = list(steps.edges(at("2026-10-24 00:00"), at("2026-10-27 00:00"), steps.parse("1d"), BERLIN))
    assert told(found) == ["10-24 00:00", "10-25 00:00", "10-26 00:00"]
    assert [(high - low) // (3600 * SECOND) for low, high in zip(found, found[1:], strict=False)] == [24, 25]


def test_steps_below_a_day_start_anew_at_midnight() -> None:
    found = steps.edges(at("2026-10-25 00:00"), at("2026-10-26 12:00"), steps.parse("6h"), BERLIN)
    # The 25th has 25 hours: its sixth hour of the clock comes after seven.
    assert told(list(found)) == ["10-25 00:00", "10-25 05:00", "10-25 11:00", "10-25 17:00", "10-25 23:00",
                                 "10-26 00:00", "10-26 06:00"]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "start", "end", "expected"),
    [
        ("1w", "2026-11-20", "2026-12-02", ["11-20 00:00", "11-23 00:00", "11-30 00:00"]),
        ("1M", "2026-11-20", "2027-01-02", ["11-20 00:00", "12-01 00:00", "01-01 00:00"]),
        ("3M", "2026-11-20", "2027-05-02", ["11-20 00:00", "01-01 00:00", "04-01 00:00"]),
        ("1y", "2026-11-20", "2028-05-02", ["11-20 00:00", "01-01 00:00", "01-01 00:00"]),
    ],
)
def test_longer_steps_are_the_calendar_s(step: str, start: str, end: str, expected: list[str]) -> None:
    assert told(list(steps.edges(at(start), at(end), steps.parse(step), BERLIN))) == expected


@pytest.mark.parametrize(
    ("seconds", "step"),
    [(0, "1ms"), (1, "20ms"), (60, "1s"), (900, "15s"), (3600, "1m"), (86_400, "30m"), (7 * 86_400, "3h"),
     (30 * 86_400, "12h"), (59 * 86_400, "1d"), (90 * 86_400, "2d"), (3650 * 86_400, "3M")],
)  # fmt: skip
def test_the_step_is_the_shortest_usual_one_that_fits(seconds: int, step: str) -> None:
    start = at("2026-01-01", UTC)
    assert str(steps.nice(start, start + seconds * SECOND, 60, UTC)) == step


def test_a_range_across_edges_makes_no_more_buckets_than_asked_for() -> None:
    start = at("2026-01-01 00:00:30", UTC)
    chosen = steps.nice(start, start + 3600 * SECOND, 60, UTC)
    assert len(list(steps.edges(start, start + 3600 * SECOND, chosen, UTC))) <= 60


@pytest.mark.parametrize("text", ["", "0s", "5", "m", "-5m", "1.5h", "48h", "100000s", "5 m", "auto"])
def test_what_is_no_step_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="step"):
        steps.parse(text)
