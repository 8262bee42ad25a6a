"""Where the supervised processes' lines go: a bounded file each, and the terminal with the process's name.

A terminal that is not read (Ctrl-S, a slow ssh) loses lines rather than holding up who wrote them.
"""

import select
import sys
from pathlib import Path
from typing import IO

MOST_BYTES = 8 * 1024**2  # of one file; the one before it is kept as .1
LONGEST_LINE = 64 * 1024


class LogFile:
    """Appends lines; begins anew at MOST_BYTES."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.sink: IO[bytes] = path.open("ab")

    def write(self, line: bytes) -> None:
        self.sink.write(line + b"\n")
        self.sink.flush()
        if self.sink.tell() > MOST_BYTES:
            self.sink.close()
            self.path.rename(self.path.with_name(self.path.name + ".1"))
            self.sink = self.path.open("ab")


class Lines:
    """Cuts what a pipe delivers into lines; one that never ends is cut at LONGEST_LINE."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        *whole, self.rest = (self.rest + chunk).split(b"\n")
        if len(self.rest) > LONGEST_LINE or (not chunk and self.rest):
            whole.append(self.rest)
            self.rest = b""
        return whole


def show(name: str, line: str) -> None:
    """On the terminal, if it takes lines just now."""
    if select.select([], [sys.stdout], [], 0)[1]:
        print(f"{name:<9}| {line}", flush=True)
