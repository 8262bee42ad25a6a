"""Every form of time that a reader may write, as nanoseconds since 1970-01-01 UTC, and back.

RFC 3339 with up to nine fractional digits; a date, or a date and a time, without a zone (then `tz` decides);
an epoch whose digits say its unit (s, ms, us, ns); `now`, `now-15m`, `now/d`, `now-1d/d`. Pure: the clock is
an argument, so that two reads under one `as_of` resolve `now` alike.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SECOND = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = {"s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND, "w": 7 * 86_400 * SECOND}
MONTHS = {"M": 1, "y": 12}
# The largest number of digits that is still read as this unit; the seconds reach the year 5138.
DIGITS = ((11, SECOND), (14, 1_000_000), (17, 1_000), (20, 1))
LATEST = 253_402_300_799 * SECOND  # the last second of the year 9999

RELATIVE = re.compile(r"now((?:[+\- ]\d{1,9}[smhdwMy])*)(?:/([smhdwMy]))?")
STEP = re.compile(r"([+\- ])(\d+)([smhdwMy])")
ABSOLUTE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?([Zz]|[+\- ]\d\d:?\d\d)?"
)
FORMS = "RFC 3339 (2026-11-24T10:00:00Z), an epoch, or now, now-15m, now/d"


class BadTime(ValueError):
    """Permanent: this text names no instant; the message says what would."""


def instant(text: str, now_ns: int, zone: tzinfo) -> int:
    """Nanoseconds since the epoch. Raises BadTime."""
    text = text.strip()
    try:
        if found := RELATIVE.fullmatch(text):
            return within(relative(found, now_ns, zone))
        if found := ABSOLUTE.fullmatch(text):
            return within(absolute(found, zone))
        if re.fullmatch(r"-?\d{1,20}", text, re.ASCII):
            return within(epoch(text))
    except (ValueError, OverflowError) as error:
        raise BadTime(f"{text!r} is no time: {error}.") from error
    raise BadTime(f"{text!r} is no time: write {FORMS}.")


def within(ns: int) -> int:
    if not 0 <= ns <= LATEST:
        raise ValueError("it lies outside the years 1970 to 9999")
    return ns


def epoch(text: str) -> int:
    digits = len(text.lstrip("-"))
    return int(text) * next(unit for most, unit in DIGITS if digits <= most)


def absolute(found: re.Match[str], zone: tzinfo) -> int:
    *clock, fraction, offset = found.groups()
    # A "+" in a query string arrives as a space: there is nothing else it could be.
    tz = zone if not offset else UTC if offset in "Zz" else offset_of(offset)
    year, month, day, hour, minute, second = (int(part or 0) for part in clock)
    at = datetime(year, month, day, hour, minute, second, tzinfo=tz)
    return nanoseconds(at) + int((fraction or "0").ljust(9, "0"))


def offset_of(text: str) -> tzinfo:
    sign = "-" if text[0] == "-" else "+"
    return datetime.strptime(sign + text[1:].replace(":", ""), "%z").tzinfo or UTC


def relative(found: re.Match[str], now_ns: int, zone: tzinfo) -> int:
    at = now_ns
    for sign, count, unit in STEP.findall(found[1] or ""):
        amount = -int(count) if sign == "-" else int(count)
        at = at + amount * UNITS[unit] if unit in UNITS else add_months(at, amount * MONTHS[unit], zone)
    return floor(at, found[2], zone) if found[2] else at


def add_months(ns: int, months: int, zone: tzinfo) -> int:
    """The same wall clock; the 31st becomes the last day of a shorter month."""
    local = to_datetime(ns).astimezone(zone)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    moved = local.replace(year=year, month=month + 1, day=min(local.day, last))
    return nanoseconds(moved) + ns % 1000


def floor(ns: int, unit: str, zone: tzinfo) -> int:
    """The start of the calendar unit in the zone; a week begins on Monday."""
    if unit in "sm":
        return ns - ns % UNITS[unit]
    local = to_datetime(ns).astimezone(zone).replace(minute=0, second=0, microsecond=0)
    if unit == "h":
        return nanoseconds(local)
    local = local.replace(hour=0, fold=0)
    if unit == "w":
        local -= timedelta(days=local.weekday())
    if unit in "My":
        local = local.replace(day=1)
    return nanoseconds(local.replace(month=1) if unit == "y" else local)


def nanoseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1) * 1000


def to_datetime(ns: int) -> datetime:
    """To the microsecond below."""
    return EPOCH + timedelta(microseconds=ns // 1000)


def rfc3339(ns: int) -> str:
    """UTC, nine digits, `Z`: the one form in which times go out."""
    return stamp(to_datetime(ns), ns % 1000)


def stamp(at: datetime, nanos: int = 0) -> str:
    """The same of an instant in microseconds and the rest of it; strftime would take twice as long."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}{nanos:03d}Z"


def zone_of(name: str) -> tzinfo:
    """Raises BadTime for a name that the time zone database does not have."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadTime(f"{name!r} is no time zone: write an IANA name like Europe/Berlin, or UTC.") from error
