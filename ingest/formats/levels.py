"""The word of importance in a line of an application, and the names that usually stand about it.

Capitals count where a level usually stands; in small letters only inside brackets or before a colon: "error
opening x" begins a sentence. What is not recognised is left in the message.
"""

import re

from ingest import severity
from ingest.formats.found import Value

UPPER = (
    "TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|ERR|SEVERE|CRITICAL|CRIT|FATAL|EMERGENCY|EMERG|FINEST|FINER|FINE"
    "|VERBOSE"
)
MARKED = "ALERT|PANIC|DPANIC|LOG|CONFIG|SUCCESS|FAILURE|STATEMENT|DETAIL|HINT"
LEVELLED = re.compile(
    r"[ \t]*(?:[-|:][ \t]+)?"
    r"(?:(\d{1,10})[ \t]+)?"  # process
    r"(?:\[([^\[\]]{1,120})\][ \t]*(?:[-|:][ \t]+)?)?"  # thread
    r"(?:\{([^{}]{1,120})\}[ \t]+)?"  # file and line
    # `name - LEVEL`, `channel.LEVEL:`, `user@base LEVEL:`
    r"(?:([\w.$@/-]{1,100})(?:[ \t]+-[ \t]+|\.(?=[A-Z]{3,9}:)|[ \t]+(?=[A-Z]{3,9}:)))?"
    rf"(?:[\[<(]?((?:{UPPER})(?=[\s:|,\]>)-]|$)|(?:{MARKED})(?=[\]>):|]|[ \t]+\|))[\]>)]?"
    r"|[\[<(]([A-Za-z]{1,11})[\]>)]|([A-Za-z]{3,11})(?=:))"
    r"[ \t]*(?:[-:|,]{1,2}(?=[ \t]|$)|:)?[ \t]*",
    re.ASCII,
)
DOTTED = r"[A-Za-z_][\w$<>/-]{0,80}(?:(?:\.|::)[\w$<>/-]{1,80}){1,12}"
NAMED = re.compile(
    r"(?:(\d{1,10}) --- )?(?:\[([^\[\]]{1,120})\][ \t]+(?:[-|][ \t]+)?)?"
    rf"(?:({DOTTED})(?:[ \t]+[-:|][ \t]+|[ \t]+(?=\[)|:(?:[ \t]+|$))"
    r"|([\w.]{1,100}:[\w<>]{1,80}:\d{1,7}) - )",
    re.ASCII,
)
CALLER = re.compile(r"([\w./-]{1,120}\.go:\d{1,7}): ", re.ASCII)
WITHOUT_TIME = re.compile(rf"({UPPER}):(?:([A-Za-z_][\w.]{{0,100}}):)?[ \t]*|\[({UPPER})\][ \t]*", re.ASCII)


def read(line: str, start: int, attributes: dict[str, Value]) -> tuple[int | None, str]:
    """Severity and message of what follows a timestamp; names go into the attributes."""
    found = LEVELLED.match(line, start)
    if found and (number := severity.parse(found[5] or found[6] or found[7])) is not None:
        name_all(attributes, found[1], found[2], found[4], found[3])
        return number, after_level(line, found.end(), attributes)
    return None, after_time(line, start, attributes)


def after_level(line: str, start: int, attributes: dict[str, Value]) -> str:
    """The rest without `[thread] some.logger:`, which go into the attributes."""
    if not (found := NAMED.match(line, start)):
        return line[start:]
    name_all(attributes, *found.groups())
    return line[found.end() :]


def name_all(
    attributes: dict[str, Value], pid: str | None, thread: str | None, logger: str | None, caller: str | None
) -> None:
    if pid:
        attributes["pid"] = pid
    if thread:
        attributes["pid" if thread.isdigit() and not pid else "thread"] = thread.strip()
    if logger:
        attributes["logger"] = logger
    if caller:
        attributes["caller"] = caller


def after_time(line: str, start: int, attributes: dict[str, Value]) -> str:
    rest = line[start:].lstrip(" \t")
    if found := CALLER.match(rest):
        attributes["caller"] = found[1]
        return rest[found.end() :]
    return rest


def without_time(line: str) -> tuple[int, str, dict[str, Value]] | None:
    """Python's `LEVEL:logger:message`, and what only says `LEVEL:` or `[LEVEL]`."""
    if not (found := WITHOUT_TIME.match(line)):
        return None
    number = severity.parse(found[1] or found[3])
    return (number, line[found.end() :], {"logger": found[2]} if found[2] else {}) if number else None
