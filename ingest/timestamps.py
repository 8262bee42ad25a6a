"""Every form of time a sender writes, as (microseconds since 1970 UTC, nanoseconds 0 to 999), exactly.

Forms: RFC 3339 (`T`, `t` or a space; `Z`, `z` or an offset; a time without zone is UTC; digits past the ninth
are dropped; a leap second is the second after it), and s, ms, us or ns since 1970, told apart by the digits
before the point: up to 11, 14, 17, 20. No float is ever made: 1763961000.123456789 keeps its 9.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:[.,](\d+))? ?(?:[Zz]|([+-])(\d\d):?(\d\d)?)?", re.ASCII
)
NUMBER = re.compile(r"([+-]?)(\d{1,20})(?:\.(\d*))?", re.ASCII)
POWERS = re.compile(r"[+-]?\d{1,25}(?:\.\d{0,25})?[eE][+-]?\d{1,2}", re.ASCII)
UNITS = ((11, 10**9), (14, 10**6), (17, 10**3), (20, 1))  # digits before the point, nanoseconds in one
# The quick way: lengths of 2026-11-24T05:59:00Z with 0 to 9 digits of fraction, what must stand after the
# second, and how many nanoseconds the last digit is worth.
ZULU = {20: ("Z", 10**9)} | {21 + digits: (".", 10 ** (9 - digits)) for digits in range(1, 10)}
MINUTES: dict[str, int] = {}  # "2026-11-24T05:59:" -> nanoseconds; lines come minute by minute
MOST_MINUTES = 4096


class BadTime(ValueError):
    """Not a time in any form above; the text says which."""


def parse(value: str | int) -> tuple[int, int]:
    if isinstance(value, int):
        return divmod(value * unit(value), 1000)
    minute = MINUTES.get(value[:17])
    form = ZULU.get(len(value))
    if minute is not None and form is not None and value[19] == form[0] and value[-1] == "Z":
        digits = value[17:19] + value[20:-1]
        # As text, all seconds are below "6": a leap second goes the slow way.
        if digits < "6" and digits.isdecimal() and digits.isascii():
            return divmod(minute + int(digits) * form[1], 1000)
    return parse_slowly(value)


def parse_slowly(value: str) -> tuple[int, int]:
    text = value.strip()
    if found := RFC3339.fullmatch(text):
        date, minute, second, fraction, *zone = found.groups()
        start = MINUTES.get(text[:17])
        if start is None:
            start = remember(text[:17], date, minute)
        if second > "60":
            raise BadTime(f"{text[:80]!r} has no such second")
        seconds = int(second) - offset(*zone)
        return divmod(start + seconds * 10**9 + billionths(fraction), 1000)
    if found := NUMBER.fullmatch(text):
        return from_number(*found.groups())
    if POWERS.fullmatch(text) and (found := NUMBER.fullmatch(format(Decimal(text), "f"))):
        return from_number(*found.groups())
    raise BadTime(f"{text[:80]!r} is no time: RFC 3339, or an epoch in s, ms, us or ns, is wanted")


def remember(prefix: str, date: str, minute: str) -> int:
    try:
        since = datetime.fromisoformat(f"{date}T{minute}:00+00:00") - EPOCH
    except ValueError as error:
        raise BadTime(f"{date} {minute} is no date: {error}") from error
    if len(MINUTES) >= MOST_MINUTES:
        MINUTES.clear()
    MINUTES[prefix] = start = (since.days * 86_400 + since.seconds) * 10**9
    return start


def billionths(fraction: str | None) -> int:
    return int((fraction or "")[:9].ljust(9, "0"))


def offset(sign: str | None, hours: str, minutes: str | None) -> int:
    """Seconds east of UTC."""
    if sign is None:
        return 0
    east = int(hours) * 3600 + int(minutes or 0) * 60
    if int(hours) > 23 or int(minutes or 0) > 59:
        raise BadTime(f"{sign}{hours}:{minutes or '00'} is no offset from UTC")
    return -east if sign == "-" else east


def from_number(sign: str, whole: str, fraction: str | None) -> tuple[int, int]:
    one = unit(int(whole))
    nanos = int(whole) * one + billionths(fraction) * one // 10**9
    return divmod(-nanos if sign == "-" else nanos, 1000)


def unit(number: int) -> int:
    """How many nanoseconds one of `number` is."""
    size = abs(number)
    for digits, nanoseconds in UNITS:
        if size < 10**digits:
            return nanoseconds
    raise BadTime(f"a number of more than {UNITS[-1][0]} digits is no time")
