"""Lines that begin with a whole date: log4j, Logback, Spring, Python, Go, Rust, Monolog, PostgreSQL and most
others, also behind one word that names a file or a container, or as Kubernetes keeps them."""

import re

import msgspec

from ingest import severity
from ingest.formats import levels, times
from ingest.formats.found import Found, Setting, Value

DATED = re.compile(
    rf"(?:[\[<(]?({levels.UPPER})[\]>)]?[ \t:]+)?"
    r"([\[(\"])?(\d{4})[-/](\d\d)[-/](\d\d)[Tt _](\d\d):(\d\d):(\d\d)(?:[.,:](\d{1,9})\d{0,9})?"
    rf"(?: ?({times.ZONE})|([+-]\d\d)(?![\w:]))?(?![\w+]|[.,]\d)",
    re.ASCII,
)
NAMED_MONTH = re.compile(
    rf"\[?(\d{{1,2}})[-/ ]({times.MONTH})[-/ ](\d{{4}})[: ](\d\d):(\d\d):(\d\d)(?:[.,](\d{{1,9}}))?"
    rf"(?: ({times.ZONE}|[A-Z][a-z]+/[A-Za-z_]+))?\]?(?=\s|$)",
    re.ASCII,
)
AMERICAN = re.compile(
    rf"({times.MONTH}) (\d{{1,2}}), (\d{{4}}) (\d{{1,2}}):(\d\d):(\d\d) ([AP]M)(?=\s|$)", re.ASCII
)
SECONDS = re.compile(r"(1\d{9})\.(\d{3,9})(?= )", re.ASCII)
KUBERNETES = re.compile(r" (stdout|stderr) ([FP]) ")
INSIDE = re.compile(rf" ({levels.UPPER})[ \t]+([\w:.-]{{1,120}})\] ?", re.ASCII)  # Rust's env_logger
LONGEST_PREFIX = 160
CLOSING = {"[": "]", "(": ")", '"': '"'}
OF_A_FILE = re.compile(r"[\d./|:]")


def dated(line: str, setting: Setting, start: int = 0) -> Found | None:
    if not (found := DATED.match(line, start)):
        return None
    level, opening, year, month, day, hour, minute, second, fraction, zone, hours = found.groups()
    time = times.moment(setting, (year, month, day), (hour, minute, second), fraction, zone or hours)
    if time is None:
        return None
    end = found.end()
    attributes: dict[str, Value] = {}
    if opening == "[" and (inside := INSIDE.match(line, end)):
        number = severity.parse(inside[1])
        return Found(line[inside.end() :], time, number, attributes={"logger": inside[2]})
    if opening:
        if not line.startswith(CLOSING[opening], end):
            return None
        end += 1
    if kept := KUBERNETES.match(line, end):
        attributes["stream"] = kept[1]
        end = kept.end()
    if level:
        message = levels.after_level(line, len(line) - len(line[end:].lstrip(" \t:-")), attributes)
        return Found(message, time, severity.parse(level), attributes=attributes)
    number, message = levels.read(line, end, attributes)
    return Found(message, time, number, attributes=attributes)


def prefixed(line: str, setting: Setting) -> Found | None:
    """`app.log.1 2026-…` and `web-1  | 2026-…`: several files in one, as docker compose writes them."""
    end = line.find(" ", 1, LONGEST_PREFIX)
    if end < 0:
        return None
    start = end + 1
    while line[start : start + 1] in (" ", "|"):
        start += 1
    prefix = line[:end].rstrip(":")
    if not line[start : start + 1].isdigit() or not (OF_A_FILE.search(prefix) or "|" in line[end:start]):
        return None
    if (found := dated(line, setting, start)) is None:
        return None
    return msgspec.structs.replace(found, attributes={**found.attributes, "prefix": prefix})


def named_month(line: str, setting: Setting) -> Found | None:
    if not (found := NAMED_MONTH.match(line)):
        return None
    day, month, year, hour, minute, second, fraction, zone = found.groups()
    if zone and "/" in zone:
        return None  # PHP's Europe/Berlin: reading it would need a table of zones
    time = times.moment(setting, (year, times.MONTHS[month], day), (hour, minute, second), fraction, zone)
    return finished(line, found.end(), time)


def american(line: str, setting: Setting) -> Found | None:
    """java.util.logging: its level stands on the next line."""
    if not (found := AMERICAN.match(line)):
        return None
    month, day, year, hour, minute, second, half = found.groups()
    if not 1 <= int(hour) <= 12:
        return None
    shown = str(int(hour) % 12 + (12 if half == "PM" else 0))
    time = times.moment(setting, (year, times.MONTHS[month], day), (shown, minute, second))
    return finished(line, found.end(), time)


def seconds(line: str, setting: Setting) -> Found | None:
    """Seconds since 1970 with a fraction, as squid writes them; a bare number may be anything."""
    if not (found := SECONDS.match(line)):
        return None
    time = int(found[1]) * times.BILLION + int(found[2].ljust(9, "0"))
    return finished(line, found.end(), time)


def finished(line: str, end: int, time: int | None) -> Found | None:
    if time is None:
        return None
    attributes: dict[str, Value] = {}
    number, message = levels.read(line, end, attributes)
    return Found(message, time, number, attributes=attributes)


def timeless(line: str, setting: Setting) -> Found | None:
    if (read := levels.without_time(line)) is None:
        return None
    number, message, attributes = read
    return Found(message, None, number, attributes=attributes)
