"""What web servers write: access logs (common, combined, with a virtual host before it) and error logs."""

import re

import msgspec

from ingest import severity
from ingest.formats import times
from ingest.formats.found import Found, Setting, Value

ACCESS = re.compile(
    r"(?:(\S{1,255}:\d{1,5}) )?(\S{1,255}) (\S{1,255}) (\S{1,255}) "
    rf"\[(\d\d)/({times.MONTH})/(\d{{4}}):(\d\d):(\d\d):(\d\d) ([+-]\d{{4}})\] ",
    re.ASCII,
)
REQUEST = re.compile(
    r'"((?:[^"\\]|\\.){0,16384})" (\d{3}) (\d{1,19}|-)'
    r'(?: "((?:[^"\\]|\\.){0,16384})" "((?:[^"\\]|\\.){0,16384})")?',
    re.ASCII,
)
WORDS = re.compile(r"([A-Z]{1,20}) (\S+)(?: HTTP/[\d.]{1,3})?", re.ASCII)
APACHE_ERROR = re.compile(
    rf"\[[A-Z][a-z]{{2}} ({times.MONTH}) ([ \d]\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{{1,9}}))? (\d{{4}})\] "
    r"(?:\[(?:([\w-]{0,64}):)?(\w{1,16})\] )?(?:\[pid (\d{1,10})(?::tid (\w{1,20}))?\] )?"
    r"(?:\[(?:client|remote) ([^\s\]]{1,255})\] )?",
    re.ASCII,
)
NGINX_ERROR = re.compile(
    r"(\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d) \[(\w{1,16})\] (\d{1,10})#(\d{1,10}): (?:\*(\d{1,19}) )?",
    re.ASCII,
)


def access(line: str, setting: Setting) -> Found | None:
    """The message is the line from the request on: method, path, status, referrer and agent stay in sight."""
    if '] "' not in line or not (found := ACCESS.match(line)):
        return None
    vhost, client, identity, user, day, month, year, hour, minute, second, zone = found.groups()
    time = times.moment(setting, (year, times.MONTHS[month], day), (hour, minute, second), None, zone)
    if time is None:
        return None
    told = {"http.vhost": vhost, "client": client, "identity": identity, "user": user}
    request = REQUEST.match(line, found.end())
    if request:
        told |= asked(request[1])
        told |= {"http.referer": request[4], "http.agent": request[5]}
    attributes: dict[str, Value] = {name: value for name, value in told.items() if value and value != "-"}
    if request:
        attributes["http.status"] = int(request[2])
        if request[3] != "-":
            attributes["http.bytes"] = msgspec.Raw(str(int(request[3])).encode())
    return Found(line[found.end() :], time, attributes=attributes)


def asked(request: str) -> dict[str, str]:
    words = WORDS.fullmatch(request)
    return {"http.method": words[1], "http.path": words[2]} if words else {}


def apache_error(line: str, setting: Setting) -> Found | None:
    if not (found := APACHE_ERROR.match(line)):
        return None
    month, day, hour, minute, second, fraction, year, module, level, process, thread, client = found.groups()
    time = times.moment(setting, (year, times.MONTHS[month], day), (hour, minute, second), fraction)
    if time is None:
        return None
    number = severity.parse(level) if level else None
    if level and number is None:  # trace1 to trace8 go beyond what OpenTelemetry counts
        number = 1 if level.startswith("trace") else None
    told = {"module": module, "pid": process, "tid": thread, "client": client}
    if number is None and level:
        told["level"] = level
    return Found(line[found.end() :], time, number, attributes={k: v for k, v in told.items() if v})


def nginx_error(line: str, setting: Setting) -> Found | None:
    if not (found := NGINX_ERROR.match(line)):
        return None
    year, month, day, hour, minute, second, level, process, thread, connection = found.groups()
    time = times.moment(setting, (year, month, day), (hour, minute, second))
    number = severity.parse(level)
    if time is None or number is None:
        return None
    told = {"pid": process, "tid": thread, "connection": connection}
    return Found(line[found.end() :], time, number, attributes={k: v for k, v in told.items() if v})
