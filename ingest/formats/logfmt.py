"""logfmt: `time=… level=… msg="…"`, of which Go's slog and logrus, Grafana and Heroku are the best known."""

import re

import msgspec

from ingest import severity, timestamps
from ingest.formats import times
from ingest.formats.found import Found, Setting, Value

LONGEST = 64 * 1024
MOST_PAIRS = 128
LONGEST_NAME = 255  # of a service or host; a longer one stays an attribute
PAIR = re.compile(r'([A-Za-z_@][\w.@/-]{0,127})=(?:"((?:[^"\\]|\\.){0,65536})"|([^\s"=]{0,65536}))(?: +|$)')
NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?", re.ASCII)
ESCAPE = re.compile(r"\\(.)", re.DOTALL)
PLAIN = {"n": "\n", "t": "\t", "r": "\r"}
ZONELESS = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d{0,9})?", re.ASCII)
TIME, LEVEL, MESSAGE = ("time", "ts", "timestamp", "t"), ("level", "lvl", "severity"), ("msg", "message")
TELLING = {*TIME, *LEVEL, *MESSAGE}
EPOCH_FROM = 10**9  # a smaller number under `t` is a duration, not a moment
NAMES = (
    *((name, name) for name in ("service", "host", "trace_id", "span_id")),
    ("host", "hostname"),
)


def logfmt(line: str, setting: Setting) -> Found | None:
    """All of the line has to be pairs, two at least, one with a name that only log lines have."""
    if len(line) > LONGEST or (pairs := all_pairs(line)) is None or len(pairs) < 2:
        return None
    if TELLING.isdisjoint(pairs):
        return None
    time, number = moment_of(pairs, setting), level_of(pairs)
    message = next((pairs.pop(name) for name in MESSAGE if name in pairs), line)
    named = dict.fromkeys(("service", "host", "trace_id", "span_id"), "")
    for field, name in NAMES:
        if not named[field] and 0 < len(pairs.get(name, "")) <= LONGEST_NAME:
            named[field] = pairs.pop(name)
    attributes = {name: value_of(text) for name, text in pairs.items()}
    service, host, trace_id, span_id = named.values()
    return Found(message, time, number, service, host, trace_id, span_id, attributes)


def all_pairs(line: str) -> dict[str, str] | None:
    pairs: dict[str, str] = {}
    position = 0
    while position < len(line):
        pair = PAIR.match(line, position)
        if not pair or len(pairs) == MOST_PAIRS:
            return None
        name, quoted, plain = pair.groups()
        if name in pairs:
            return None  # said twice: neither may be lost
        pairs[name] = unescaped(quoted) if quoted is not None else plain
        position = pair.end()
    return pairs


def unescaped(text: str) -> str:
    return ESCAPE.sub(lambda found: PLAIN.get(found[1], found[1]), text) if "\\" in text else text


def moment_of(pairs: dict[str, str], setting: Setting) -> int | None:
    """Takes the pair that is a time out; one that is none stays an attribute."""
    for name in TIME:
        if name in pairs and (time := moment(pairs[name], setting)) is not None:
            del pairs[name]
            return time
    return None


def moment(text: str, setting: Setting) -> int | None:
    if found := ZONELESS.fullmatch(text):
        year, month, day, hour, minute, second, fraction = found.groups()
        return times.moment(setting, (year, month, day), (hour, minute, second), fraction)
    if NUMBER.fullmatch(text) and float(text) < EPOCH_FROM:
        return None
    try:
        microseconds, nanos = timestamps.parse(text)
    except timestamps.BadTime:
        return None
    return microseconds * 1000 + nanos


def level_of(pairs: dict[str, str]) -> int | None:
    for name in LEVEL:
        if name in pairs and (number := severity.parse(pairs[name])) is not None:
            del pairs[name]
            return number
    return None


def value_of(text: str) -> Value:
    return msgspec.Raw(text.encode()) if NUMBER.fullmatch(text) else text
