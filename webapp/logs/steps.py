"""Steps of a histogram, and the edges they make on the calendar of a zone. Pure.

Steps below a day count from local midnight and start anew at the next one, also where clocks change between;
days, weeks (from Monday), months and years are the calendar's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from webapp.logs import times

SIZES = {"ms": 1_000_000, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
DAY = 86_400 * 10**9
DAYS = {"d": 1, "w": 7}
MONTHS = {"M": 1, "y": 12}
FORM = re.compile(r"([1-9][0-9]{0,3})(ms|[smhdwMy])")


@dataclass(frozen=True, slots=True)
class Step:
    count: int
    unit: str

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    @property
    def size(self) -> int:
        """In nanoseconds; of the shortest one where the calendar decides."""
        if self.unit in SIZES:
            return self.count * SIZES[self.unit]
        return self.count * DAY * (DAYS[self.unit] if self.unit in DAYS else 28 * MONTHS[self.unit])


NICE = [
    Step(count, unit)
    for unit, counts in (
        ("ms", (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        ("s", (1, 2, 5, 10, 15, 30)),
        ("m", (1, 2, 5, 10, 15, 30)),
        ("h", (1, 2, 3, 6, 12)),
        ("d", (1, 2)),
        ("w", (1, 2)),
        ("M", (1, 3)),
        ("y", (1, 2, 5, 10, 50, 200)),
    )
    for count in counts
]


def parse(text: str) -> Step:
    """Raises ValueError with a sentence."""
    found = FORM.fullmatch(text)
    if not found:
        raise ValueError(
            f"{text!r} is no step: write auto, or a number and ms, s, m, h, d, w, M or y, like 5m."
        )
    step = Step(int(found[1]), found[2])
    if step.unit in SIZES and step.size > DAY:
        raise ValueError(f"{text!r}: a step longer than a day is written in d, w, M or y.")
    return step


def nice(start: int, end: int, buckets: int, zone: tzinfo) -> Step:
    """The shortest of the usual steps that makes no more buckets than that."""
    for step in NICE:
        if (end - start) // step.size <= buckets and fits(start, end, step, buckets, zone):
            return step
    return NICE[-1]


def fits(start: int, end: int, step: Step, buckets: int, zone: tzinfo) -> bool:
    return sum(1 for _ in edges(start, end, step, zone)) <= buckets


def edges(start: int, end: int, step: Step, zone: tzinfo) -> Iterator[int]:
    """Where buckets begin: the range's own start, then every edge inside it."""
    at = start
    while at < end:
        yield at
        at = after(at, step, zone)


def after(at: int, step: Step, zone: tzinfo) -> int:
    """The next edge."""
    today = times.to_datetime(at).astimezone(zone).date()
    if step.unit in SIZES:
        begin = midnight(today, zone)
        return min(begin + ((at - begin) // step.size + 1) * step.size, midnight(today + timedelta(1), zone))
    if step.unit in DAYS:
        length = step.count * DAYS[step.unit]
        # Day 1 of the calendar was a Monday.
        return midnight(date.fromordinal((today.toordinal() - 1) // length * length + length + 1), zone)
    length = step.count * MONTHS[step.unit]
    month = ((today.year * 12 + today.month - 1) // length + 1) * length
    return midnight(date(month // 12, month % 12 + 1, 1), zone) if month < 12 * 10_000 else times.LATEST


def midnight(day: date, zone: tzinfo) -> int:
    return times.nanoseconds(datetime(day.year, day.month, day.day, tzinfo=zone))
