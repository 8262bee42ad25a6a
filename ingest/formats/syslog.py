"""Syslog: RFC 5424, RFC 3164 with or without its priority, and what rsyslog writes into files today."""

import re

from ingest.formats import times
from ingest.formats.found import Found, Setting, Value

# syslog's eight, from emergency down, as OpenTelemetry numbers them
SEVERITIES = (23, 22, 21, 17, 13, 10, 9, 5)
FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news"),
    *("uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock"),
    *(f"local{number}" for number in range(8)),
)
MOST_PARAMETERS = 128
PRIORITY = re.compile(r"<(\d{1,3})>", re.ASCII)
IETF = re.compile(
    r"1 (?:-|(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d{0,9})?(Z|[+-]\d\d:\d\d)) "
    r"(\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) (?=[-\[])",
    re.ASCII,
)
ELEMENT = re.compile(r"\[([^\s=\]\"]{1,64})", re.ASCII)
PARAMETER = re.compile(r' ([^\s=\]"]{1,64})="((?:[^"\\\]]|\\.){0,8192})"')
ESCAPED = re.compile(r'\\(["\\\]])')
TAG = r"([^\s:\[\]]{1,128})(?:\[(\d{1,10})\])?: ?"
BSD = re.compile(
    rf"({times.MONTH}) ([ \d]?\d) (?:(\d{{4}}) )?(\d\d):(\d\d):(\d\d)(?:\.(\d{{1,9}}))? "
    rf"(\S{{1,255}}) (?:{TAG})?",
    re.ASCII,
)
RSYSLOG = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{6})([+-]\d\d:\d\d) ([\w.:-]{1,255}) " + TAG,
    re.ASCII,
)


def prioritised(line: str, setting: Setting) -> Found | None:
    """A line that begins with `<PRI>`."""
    if not (priority := PRIORITY.match(line)) or (number := int(priority[1])) > 191:
        return None
    attributes: dict[str, Value] = {"facility": FACILITIES[number // 8]}
    severity = SEVERITIES[number % 8]
    if found := IETF.match(line, priority.end()):
        return ietf(line, found, severity, attributes, setting)
    if found := BSD.match(line, priority.end()):
        return bsd(line, found, severity, attributes, setting)
    return Found(line[priority.end() :], severity=severity, attributes=attributes)


def ietf(
    line: str, found: re.Match[str], severity: int, attributes: dict[str, Value], setting: Setting
) -> Found | None:
    year, month, day, hour, minute, second, fraction, zone, host, service, process, kind = found.groups()
    time = None
    if year:
        time = times.moment(setting, (year, month, day), (hour, minute, second), fraction, zone)
        if time is None:
            return None
    for name, value in (("pid", process), ("msgid", kind)):
        if value != "-":
            attributes[name] = value
    end = structured(line, found.end(), attributes)
    message = line[end:].removeprefix(" ").removeprefix("\ufeff")
    return Found(message, time, severity, bare(service), bare(host), attributes=attributes)


def structured(line: str, start: int, attributes: dict[str, Value]) -> int:
    """Reads the structured data into `id.name`; where it breaks the rules, the rest is the message."""
    if line.startswith("-", start):
        return start + 1
    end = start
    while (element := ELEMENT.match(line, end)) and len(attributes) < MOST_PARAMETERS:
        position = element.end()
        parameters: dict[str, Value] = {}
        while parameter := PARAMETER.match(line, position):
            parameters[f"{element[1]}.{parameter[1]}"] = ESCAPED.sub(r"\1", parameter[2])
            position = parameter.end()
        if not line.startswith("]", position):
            return end
        attributes.update(parameters)
        end = position + 1
    return end


def bsd(
    line: str, found: re.Match[str], severity: int | None, attributes: dict[str, Value], setting: Setting
) -> Found | None:
    name, day, year, hour, minute, second, fraction, host, service, process = found.groups()
    month, clock = times.MONTHS[name], (hour, minute, second)
    if year:
        time = times.moment(setting, (year, month, day), clock, fraction)
    else:
        time = times.without_year(setting, month, day, clock, fraction)
    if time is None:
        return None
    if process:
        attributes["pid"] = process
    return Found(line[found.end() :], time, severity, service or "", host, attributes=attributes)


def unprioritised(line: str, setting: Setting) -> Found | None:
    """As files hold it: the priority is gone, and with it the severity."""
    found = BSD.match(line)
    return bsd(line, found, None, {}, setting) if found else None


def rsyslog(line: str, setting: Setting) -> Found | None:
    if not (found := RSYSLOG.match(line)):
        return None
    year, month, day, hour, minute, second, fraction, zone, host, service, process = found.groups()
    time = times.moment(setting, (year, month, day), (hour, minute, second), fraction, zone)
    if time is None:
        return None
    return Found(
        line[found.end() :], time, None, service, host, attributes={"pid": process} if process else {}
    )


def bare(field: str) -> str:
    return "" if field == "-" else field
