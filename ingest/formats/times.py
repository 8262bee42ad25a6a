"""The parts of a written time -> nanoseconds since 1970 UTC; None for what is no moment of any calendar.

Zone: the one in the line (an offset, UTC, or an abbreviation below), else the setting's. An hour that a
change of clocks repeats is taken as its first. Year: where a line has none, the latest that does not put it
more than a day after the setting's latest moment: in February, January is of this year, December of the last.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from ingest.formats.found import Setting

MONTHS = {
    **{"Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6},
    **{"Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10, "Nov": 11, "Dec": 12},
}
MONTH = f"(?:{'|'.join(MONTHS)})"
# Of the many abbreviations those of RFC 2822 and of Europe, whose reading hardly anyone would dispute.
HOURS_EAST = {
    **{"Z": 0, "z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3},
    **{"MSK": 3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7},
}
ZONE = rf"(?:[+-]\d\d:?\d\d|{'|'.join(sorted(HOURS_EAST, key=len, reverse=True))})(?![\w:])"
BILLION = 10**9
YEARS = range(1970, 2262)  # what 64 bits of nanoseconds hold; a date outside is a slip or another thing
EPOCH_DAY = date(1970, 1, 1).toordinal()
EPOCH = datetime(1970, 1, 1)
LONGEST_LEAP = 8  # years between two 29ths of February, round 1900 and 2100


def moment(
    setting: Setting,
    day: tuple[int | str, int | str, int | str],
    clock: tuple[str, str, str],
    fraction: str | None = None,
    zone: str | None = None,
) -> int | None:
    hour, minute, second = map(int, clock)
    start = day_start(*day) if int(day[0]) in YEARS else None
    if start is None or hour > 23 or minute > 59 or second > 60:
        return None
    local = start + hour * 3600 + minute * 60 + second  # a leap second is the second after it
    east = offset_at(setting.zone, local // 60) if zone is None else written_offset(zone)
    if east is None:
        return None
    return (local - east) * BILLION + (int(fraction[:9].ljust(9, "0")) if fraction else 0)


def without_year(
    setting: Setting, month: int, day: str, clock: tuple[str, str, str], fraction: str | None = None
) -> int | None:
    latest = setting.latest.astimezone(setting.zone) + timedelta(days=1)
    bound = int(latest.timestamp()) * BILLION
    for year in range(latest.year, latest.year - LONGEST_LEAP - 1, -1):
        found = moment(setting, (year, month, day), clock, fraction)
        if found is not None and found <= bound:
            return found
    return None


@lru_cache(4096)
def day_start(year: int | str, month: int | str, day: int | str) -> int | None:
    """Seconds from 1970 to the day's midnight, both on the same clock."""
    try:
        return (date(int(year), int(month), int(day)).toordinal() - EPOCH_DAY) * 86_400
    except ValueError:
        return None


@lru_cache(4096)
def offset_at(zone: tzinfo, local_minute: int) -> int:
    """Seconds east of UTC when the clocks of the zone show that minute."""
    if zone is UTC:
        return 0
    shown = (EPOCH + timedelta(minutes=local_minute)).replace(tzinfo=zone)
    east = shown.utcoffset() or timedelta(0)
    return east.days * 86_400 + east.seconds


@lru_cache(512)
def written_offset(text: str) -> int | None:
    if (hours := HOURS_EAST.get(text)) is not None:
        return hours * 3600
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        return None
    east = hours * 3600 + minutes * 60
    return -east if text[0] == "-" else east
