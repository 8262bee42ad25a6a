"""Headers of fixed columns: klog and glog, Android's logcat, Redis, Hadoop's short dates, BlueGene."""

import re

from ingest import severity
from ingest.formats import times
from ingest.formats.found import Found, Setting, Value
from ingest.formats.levels import UPPER, after_level

KLOG = re.compile(
    r"([IWEF])(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{1,9}) +(\d{1,10}) ([^\s\]]{1,255}:\d{1,7})\] ?", re.ASCII
)
LOGCAT = re.compile(
    r"(?:(\d{4})-)?(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{1,9}) +(\d{1,10}) +(\d{1,10}) ([VDIWEFA]) "
    r"([^:]{0,128}): ?",
    re.ASCII,
)
REDIS = re.compile(
    rf"(\d{{1,10}}):([A-Z]) (\d\d) ({times.MONTH}) (\d{{4}}) (\d\d):(\d\d):(\d\d)\.(\d{{3}}) ([.*#-]) ",
    re.ASCII,
)
REDIS_LEVELS = {".": 5, "-": 9, "*": 10, "#": 13}
COMPACT = re.compile(rf"(\d\d)(\d\d)(\d\d) (\d\d)(\d\d)(\d\d) (\d{{1,10}}) ({UPPER}) ", re.ASCII)
SLASHED = re.compile(rf"(\d\d)/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d) ({UPPER}) ", re.ASCII)
BLUEGENE = re.compile(
    r"(\S{1,64}) (1\d{9}) \d{4}\.\d\d\.\d\d (\S{1,255}) \d{4}-\d\d-\d\d-\d\d\.\d\d\.\d\d\.(\d{6}) "
    r"(\S{1,255}) (\S{1,32}) (\S{1,32}) (\S{1,32}) ?",
    re.ASCII,
)


def klog(line: str, setting: Setting) -> Found | None:
    if not (found := KLOG.match(line)):
        return None
    level, month, day, hour, minute, second, fraction, thread, caller = found.groups()
    time = times.without_year(setting, int(month), day, (hour, minute, second), fraction)
    if time is None:
        return None
    attributes: dict[str, Value] = {"tid": thread, "caller": caller}
    return Found(line[found.end() :], time, severity.parse(level), attributes=attributes)


def logcat(line: str, setting: Setting) -> Found | None:
    if not (found := LOGCAT.match(line)):
        return None
    year, month, day, hour, minute, second, fraction, process, thread, level, tag = found.groups()
    clock = (hour, minute, second)
    if year:
        time = times.moment(setting, (year, month, day), clock, fraction)
    else:
        time = times.without_year(setting, int(month), day, clock, fraction)
    if time is None:
        return None
    number = 21 if level == "A" else severity.parse(level)  # A: an assertion failed
    attributes: dict[str, Value] = {"pid": process, "tid": thread, "tag": tag.rstrip()}
    return Found(line[found.end() :], time, number, attributes=attributes)


def redis(line: str, setting: Setting) -> Found | None:
    if not (found := REDIS.match(line)):
        return None
    process, role, day, month, year, hour, minute, second, fraction, mark = found.groups()
    time = times.moment(setting, (year, times.MONTHS[month], day), (hour, minute, second), fraction)
    if time is None:
        return None
    attributes: dict[str, Value] = {"pid": process, "role": role}
    return Found(line[found.end() :], time, REDIS_LEVELS[mark], attributes=attributes)


def hadoop(line: str, setting: Setting) -> Found | None:
    """`yymmdd hhmmss pid LEVEL` and `yy/mm/dd hh:mm:ss LEVEL`, of this century."""
    if found := COMPACT.match(line):
        year, month, day, hour, minute, second, process, level = found.groups()
        attributes: dict[str, Value] = {"pid": process}
    elif found := SLASHED.match(line):
        year, month, day, hour, minute, second, level = found.groups()
        attributes = {}
    else:
        return None
    time = times.moment(setting, (2000 + int(year), month, day), (hour, minute, second))
    if time is None:
        return None
    message = after_level(line, found.end(), attributes)
    return Found(message, time, severity.parse(level), attributes=attributes)


def bluegene(line: str, setting: Setting) -> Found | None:
    """Its seconds since 1970 are exact; the written date beside them is local and gives the fraction."""
    if not (found := BLUEGENE.match(line)):
        return None
    alert, seconds, node, fraction, place, kind, component, level = found.groups()
    number = severity.parse(level)
    told = {"alert": alert, "place": place, "type": kind, "component": component}
    if number is None:
        told["level"] = level
    attributes: dict[str, Value] = {name: value for name, value in told.items() if value != "-"}
    time = int(seconds) * times.BILLION + int(fraction) * 1000
    return Found(line[found.end() :], time, number, host=node, attributes=attributes)
