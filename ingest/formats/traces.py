"""Which lines begin something, and which go on with a stack trace: Java and .NET, JavaScript, Python, Go.

A trace belongs to the line before it when that line has a header of its own (a time or a severity), else it
stands alone from its first line on. Nothing else is joined: an indented line may be anything. What is joined
is bounded, so a file of nothing but frames still falls into records that the server takes. Pure, and
looking one line ahead at most: the same lines always fall apart at the same places.
"""

import re
from collections.abc import Sequence
from enum import Enum, auto

from ingest.formats import detect
from ingest.formats.found import Setting

MOST_LINES = 500
MOST_BYTES = 32 * 1024  # six times as much in JSON at worst, below the 256 KiB a line may have
UTC = Setting()

FRAME = re.compile(
    rb"[ \t]+at \S[^(:]{0,400}[(:]|[ \t]*\.\.\. \d{1,6} (?:more|common frames)|[ \t]+--- End of "
)
CAUSE = re.compile(rb"[ \t]*(?:Caused by|Suppressed): ")
EXCEPTION = re.compile(
    rb'(?:Exception in thread "[^"]{0,200}" )?(?:[\w$]{1,100}\.){0,15}[\w$]{0,100}'
    rb"(?:Exception|Error|Throwable)(?::|$)"
)
TRACEBACK = b"Traceback (most recent call last):"
CHAINED = (b"During handling of the above exception, ", b"The above exception was the direct cause ")
LAST = re.compile(rb"[A-Za-z_][\w.]{0,200}(?::|$)")
GOROUTINE = re.compile(rb"goroutine \d{1,10} [\[g]")
PANICS = (b"panic: ", b"fatal error: ")
ODD = frozenset((b" ", b"\t", b"{", b"g", b"p", b"f"))  # as frames, JSON, goroutine, panic and fatal begin
GO_ON = re.compile(
    rb"\t|goroutine \d|created by |\[signal |\.\.\.(?:additional|\d)|exit status \d"
    rb"|[A-Za-z_][^\s(]{0,400}(?:\(\*?[^\s()]{1,200}\)\.[^\s(]{1,200})?\([^)]{0,2000}\)$"
)


class Kind(Enum):
    """How far what is being read has come."""

    LINE = auto()  # one line so far
    JSON = auto()  # goes as it is: nothing can be joined to it
    FRAMES = auto()  # an exception of Java's kind
    CALLS = auto()  # inside a Python traceback
    RAISED = auto()  # behind its last line
    CHAIN = auto()  # between two tracebacks that belong together
    GO = auto()


ALONE = (Kind.LINE, Kind.JSON)


def starts(lines: Sequence[bytes]) -> list[int]:
    """The numbers, from 0, of the lines that begin something."""
    found: list[int] = []
    kind, size = Kind.JSON, 0
    for number, line in enumerate(lines):
        if kind in ALONE and ordinary(line):
            found.append(number)
            kind, size = Kind.LINE, len(line)
            continue
        full = found and (number - found[-1] >= MOST_LINES or size + len(line) > MOST_BYTES)
        if found and kind is not Kind.JSON and not full:
            following = lines[number + 1] if number + 1 < len(lines) else b""
            if (after := going_on(kind, line, following, lines[found[-1]])) is not None:
                kind, size = after, size + len(line) + 1
                continue
        found.append(number)
        kind, size = beginning(line), len(line)
    return found


def ordinary(line: bytes) -> bool:
    """Nothing to do with a trace, and no JSON. Quick: nearly every line of most files is alone."""
    return line[:1] not in ODD and b"race" not in line and not names_one(line)


def names_one(line: bytes) -> bool:
    return b"rror" in line or b"xception" in line or b"hrowable" in line


def beginning(line: bytes) -> Kind:
    if line.lstrip().startswith(b"{"):
        return Kind.JSON
    if line.endswith(TRACEBACK):
        return Kind.CALLS
    if line.startswith(PANICS) or GOROUTINE.match(line):
        return Kind.GO
    return Kind.FRAMES if names_one(line) and EXCEPTION.match(line) else Kind.LINE


def going_on(kind: Kind, line: bytes, following: bytes, first: bytes) -> Kind | None:
    """What the record has become with this line, or None where the line begins another."""
    if kind in (Kind.LINE, Kind.FRAMES):
        if FRAME.match(line) or (kind is Kind.FRAMES and CAUSE.match(line)):
            return Kind.FRAMES
        return opening(line, following, first) if kind is Kind.LINE else None
    if kind is Kind.GO:
        return Kind.GO if GO_ON.match(line) or (not line and GOROUTINE.match(following)) else None
    return python(kind, line, following)


def opening(line: bytes, following: bytes, first: bytes) -> Kind | None:
    """The first line of a trace joins a line that has a header, and only that."""
    kind = beginning(line)
    if line.startswith(PANICS):
        return None  # the end of a process is no matter of its last line
    if kind is Kind.FRAMES and not FRAME.match(following):
        return None  # an exception that is only mentioned
    if kind not in (Kind.FRAMES, Kind.CALLS, Kind.GO):
        return None
    found = detect(first[:MOST_BYTES].decode("utf-8", "replace"), UTC)
    return None if found.time is None and found.severity is None else kind


def python(kind: Kind, line: bytes, following: bytes) -> Kind | None:
    if kind is Kind.CALLS:
        if line[:1] in (b" ", b"\t"):
            return Kind.CALLS
        return Kind.RAISED if LAST.match(line) else None
    if kind is Kind.CHAIN:
        if line.startswith(TRACEBACK):
            return Kind.CALLS
        return Kind.CHAIN if not line else None
    if line.startswith(CHAINED):
        return Kind.CHAIN
    return Kind.RAISED if not line and following.startswith(CHAINED) else None
