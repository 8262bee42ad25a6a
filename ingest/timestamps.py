"""Every form of time a sender writes, as (microseconds since 1970 UTC, nanoseconds 0 to 999), exactly.

Forms: RFC 3339 (`T`, `t` or a space; `Z`, `z` or an offset; a time without zone is UTC; digits past the ninth
are dropped; a leap second is the second after it), and s, ms, us or ns since 1970, told apart by the digits
before the point: up to 11, 14, 17, 20. No float is ever made: 1763961000.123456789 keeps its 9.
"""

import functools
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
_read = datetime.fromisoformat


class BadTime(ValueError):
    """Not a time in any form above; the text says which."""


def parse(value: str | int) -> tuple[int, int]:
    """The usual spellings by the standard library; the fraction is read here, for all of its nine digits."""
    if isinstance(value, int):
        return divmod(value * unit(value), 1000)
    length = len(value)
    try:
        if value[-1:] == "Z":
            if length == 20:  # 2026-11-24T05:59:00Z
                return start_of(value[:19]), 0
            fraction = value[20:-1]
            if 22 <= length <= 30 and value[19] == "." and fraction.isdigit() and fraction.isascii():
                nanos = int(fraction) * 10 ** (30 - length)
                return start_of(value[:19]) + nanos // 1000, nanos % 1000
        elif 25 <= length <= 32 and value[-6] in "+-":
            return microseconds(value), 0
    except ValueError:
        pass  # a leap second, a small z, or nonsense: the slow way tells which
    return parse_slowly(value.strip())


def microseconds(text: str) -> int:
    since = _read(text) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


@functools.lru_cache(4096)  # neighbours in a body mostly share their second
def start_of(second: str) -> int:
    if second[16] != ":":
        raise ValueError("neither YYYY-MM-DD nor HH:MM:SS may be spelled more briefly")
    return microseconds(second + "Z")


def parse_slowly(text: str) -> tuple[int, int]:
    if found := RFC3339.fullmatch(text):
        date, minute, second, fraction, *zone = found.groups()
        if second > "60":
            raise BadTime(f"{text[:80]!r} has no such second")
        try:
            start = microseconds(f"{date}T{minute}:00Z") * 1000
        except ValueError as error:
            raise BadTime(f"{date} {minute} is no date: {error}") from error
        seconds = int(second) - offset(*zone)
        return divmod(start + seconds * 10**9 + billionths(fraction), 1000)
    if found := NUMBER.fullmatch(text):
        return from_number(*found.groups())
    if POWERS.fullmatch(text) and (found := NUMBER.fullmatch(format(Decimal(text), "f"))):
        return from_number(*found.groups())
    raise BadTime(f"{text[:80]!r} is no time: RFC 3339, or an epoch in s, ms, us or ns, is wanted")


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
