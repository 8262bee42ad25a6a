"""A file as a row of chunks that are the same at every reading, and the name each chunk goes by.

A file is known by its inode and the hash of its first KiB (fewer bytes if it was shorter when first seen), so
it is the same file after a rename. A chunk ends after LINES lines or the line that reaches BYTES bytes, and
what goes on with that line; its idempotency key is file, byte range and hash. Equal bytes from an equal place
are therefore one batch, whoever sends them and however often.
"""

import hashlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

HEAD_BYTES = 1024
LINES = 1000
BYTES = 1024 * 1024
LONGEST_LINE = 4 * 1024 * 1024  # more is no line; the server's own bound (256 KiB unless set) is far below
LOOK_AHEAD = 8  # lines at a time
COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")


Starts = Callable[[Sequence[bytes]], list[int]]  # which of these lines begin something


class NotLines(ValueError):
    """Permanent: this file does not hold lines of text."""


@dataclass(frozen=True)
class Fingerprint:
    inode: int
    length: int  # bytes that were hashed
    digest: str

    @property
    def name(self) -> str:
        return f"{self.inode:x}-{self.digest[:16]}"


@dataclass(frozen=True)
class Place:
    """Between two lines of a file."""

    offset: int = 0
    line: int = 1  # the number of the line that begins here


@dataclass(frozen=True)
class Chunk:
    start: Place
    end: Place
    lines: list[bytes]  # without their line ends
    numbers: list[int]  # of each, in the file
    too_long: list[int]  # numbers of lines that were not taken

    @property
    def full(self) -> bool:
        return self.end.line - self.start.line >= LINES or self.end.offset - self.start.offset >= BYTES


def fingerprint(file: BinaryIO, length: int = HEAD_BYTES) -> Fingerprint:
    """Reads the head without moving the file's position; raises NotLines for a compressed file."""
    head = os.pread(file.fileno(), length, 0)
    if head.startswith(COMPRESSED):
        raise NotLines("is compressed: unpack it into `logboom ship -`.")
    return Fingerprint(os.fstat(file.fileno()).st_ino, len(head), hashlib.sha256(head).hexdigest())


def still(known: Fingerprint, file: BinaryIO) -> bool:
    """Whether this is the file that was known by that fingerprint, grown or not.

    A file that was empty is another once it is not: nothing was sent of it, and any file begins with nothing.
    """
    return known == fingerprint(file, known.length or 1)


def next_chunk(
    file: BinaryIO, start: Place, end: int | None = None, until: int | None = None
) -> Chunk | None:
    """The chunk that begins at the file's position, which must be `start`; `end` makes it stop there.

    With `until` it takes only whole lines, and none that begins there or later.
    """
    place, lines, numbers, too_long = start, [], [], []
    most = start.offset + BYTES if until is None else min(until, start.offset + BYTES)
    while place.line - start.line < LINES and place.offset < most and place.offset != end:
        raw = file.readline(LONGEST_LINE if end is None else min(LONGEST_LINE, end - place.offset))
        if not raw or (until is not None and place.offset + len(raw) != end and being_written(raw)):
            file.seek(place.offset)
            break
        size = len(raw)
        if size == LONGEST_LINE and not raw.endswith(b"\n"):
            size += skip_line(file)
            too_long.append(place.line)
        else:
            lines.append(bare(raw))
            numbers.append(place.line)
        place = replace(place, offset=place.offset + size, line=place.line + 1)
    return Chunk(start, place, lines, numbers, too_long) if place != start else None


def being_written(raw: bytes) -> bool:
    return len(raw) < LONGEST_LINE and not raw.endswith(b"\n")


def completed(file: BinaryIO, chunk: Chunk, end: int | None, starts: Starts) -> Chunk:
    """The chunk with the lines behind it that go on with its last one; leaves the file at its end."""
    first, offset = len(chunk.lines), chunk.end.offset
    ahead: list[bytes] = []
    while first and offset != end:
        read = whole_lines(file)
        ahead += read
        begun = starts([*chunk.lines, *map(bare, ahead)])
        # What the last line is may hang on the one behind it.
        whole = len(read) == LOOK_AHEAD
        more = next((number for number in begun if first <= number < first + len(ahead) - whole), None)
        if more is not None or not whole:
            ahead = ahead[: more - first] if more is not None else ahead
            break
    for raw in ahead:
        if end is not None and offset + len(raw) > end:
            break
        chunk.lines.append(bare(raw))
        chunk.numbers.append(chunk.end.line + len(chunk.lines) - first - 1)
        offset += len(raw)
    file.seek(offset)
    return replace(chunk, end=Place(offset, chunk.end.line + len(chunk.lines) - first))


def whole_lines(file: BinaryIO) -> list[bytes]:
    """The next few; fewer at the end, and before a line that is too long or still being written."""
    read: list[bytes] = []
    while len(read) < LOOK_AHEAD and (raw := file.readline(LONGEST_LINE)).endswith(b"\n"):
        read.append(raw)
    return read


def bare(raw: bytes) -> bytes:
    return raw.removesuffix(b"\n").removesuffix(b"\r")


def pipe_chunks(file: BinaryIO, linger: float = 1.0) -> Iterator[Chunk]:
    """A pipe's lines, cut also after `linger` seconds, so that a slow pipe is not held back."""
    lines: queue.Queue[bytes | None] = queue.Queue(2 * LINES)

    def read() -> None:
        while raw := file.readline(LONGEST_LINE):
            lines.put(raw)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    place, ended = Place(), False
    while not ended:
        taken, ended = take_lines(lines, linger)
        if taken:
            size, count = sum(map(len, taken)), len(taken)
            end = Place(place.offset + size, place.line + count)
            yield Chunk(place, end, list(map(bare, taken)), list(range(place.line, end.line)), [])
            place = end


def take_lines(lines: "queue.Queue[bytes | None]", linger: float) -> tuple[list[bytes], bool]:
    """The next chunk's lines and whether they are the last; waits for the first as long as it takes."""
    if (first := lines.get()) is None:
        return [], True
    taken, size, deadline = [first], len(first), time.monotonic() + linger
    while len(taken) < LINES and size < BYTES:
        try:
            raw = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if raw is None:
            return taken, True
        taken.append(raw)
        size += len(raw)
    return taken, False


def skip_line(file: BinaryIO) -> int:
    skipped = 0
    while rest := file.readline(LONGEST_LINE):
        skipped += len(rest)
        if rest.endswith(b"\n"):
            break
    return skipped


def chunks(
    file: BinaryIO,
    start: Place,
    ends: list[int],
    starts: Starts | None = None,
    until: int | None = None,
) -> Iterator[Chunk]:
    """From `start` to the end of the file; `ends` are boundaries of an earlier reading, which come again.

    Without them a file that ended in a short chunk, and grew, would be cut differently the second time. With
    `starts` no chunk ends inside of what it says is one.
    """
    known = sorted(end for end in ends if end > start.offset)
    place = start
    while chunk := next_chunk(file, place, known[0] if known else None, until):
        if starts:
            chunk = completed(file, chunk, known[0] if known else None, starts)
        yield chunk
        place = chunk.end
        while known and known[0] <= place.offset:
            known.pop(0)


def key(name: str, chunk: Chunk, reading: str) -> str:
    """Of what the file holds, not of what is made of it: a later version may read a line better, and a line
    sent by both is still one. `reading` is what the sender chose: another choice is another batch.
    """
    digest = hashlib.sha256(reading.encode() + b"\n" + b"\n".join(chunk.lines)).hexdigest()[:16]
    return f"ship:{name}:{chunk.start.offset}-{chunk.end.offset}:{digest}"


def service_of(path: Path) -> str:
    """`app.log.1` and `app.log` are both of `app`: a rotated file must not change what it sends."""
    return path.name.lstrip(".").split(".")[0] or "ship"
