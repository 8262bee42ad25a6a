"""Text that PostgreSQL cannot hold, made holdable: each offence becomes U+FFFD; the reader flags the line.

Offences: bytes that are not UTF-8, NUL, and half a surrogate pair. In JSON the last two hide in escapes; one
escape is then replaced by another of the same length, so positions in the text stay true.
"""

import codecs
import re

REPLACEMENT = "\ufffd"
SLICE = 1024 * 1024
# In order: an escaped pair (good), half of one or a NUL (bad), any other escape (good, and skipped whole, so
# that the second backslash of an escaped backslash is never taken for the start of an escape).
ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u(?:[dD][89a-fA-F][0-9a-fA-F]{2}|0000))"
    rb"|\\."
)


def is_utf8(body: bytes) -> bool:
    """In slices: one wide character would otherwise cost four bytes for each byte of the body."""
    if body.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(body)
    try:
        for start in range(0, len(view), SLICE):
            decoder.decode(view[start : start + SLICE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def text(line: bytes) -> str:
    return line.decode("utf-8", "replace").replace("\0", REPLACEMENT)


def escapes(json_text: bytes) -> bytes:
    """Same length out as in."""
    return ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], json_text)


def json_line(line: bytes) -> bytes:
    """Equal to `line` if there was nothing to mend."""
    if not line.isascii() or b"\0" in line:
        line = text(line).encode()
    return escapes(line) if b"\\u" in line else line
