"""What a person's terminal gets to see: text that cannot steer it, and one line of progress."""

import json
import re
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import IO, Any

# Control characters (C0 but the tab, DEL, C1), the marks that turn the direction of text, and what other
# programs take for a line end. A log line comes from anyone: none of these may reach a terminal.
UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
LONE = re.compile("[\ud800-\udfff]")
WIDTH = 24
EVERY_SECONDS = 0.1
RATE_SECONDS = 5.0  # how far back the rate looks


def harmless(text: str) -> str:
    """On one line, each unsafe character written out as `\\x1b` or `\\u202e`."""
    return LONE.sub("\ufffd", UNSAFE.sub(written_out, text))


def written_out(match: re.Match[str]) -> str:
    code = ord(match.group())
    return {0x0A: "\\n", 0x0D: "\\r"}.get(code) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def indented(text: str) -> str:
    """A message of many lines stays readable, but none of its lines can pass for a line of its own."""
    return "\n    ".join(harmless(line) for line in text.rstrip("\r\n").replace("\r\n", "\n").split("\n"))


def harmless_json(value: Any) -> str:
    """The same value on one line of JSON: unsafe characters only ever stand inside strings there."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return re.sub(UNSAFE.pattern + "|" + LONE.pattern, lambda found: f"\\u{ord(found.group()):04x}", text)


@dataclass
class Progress:
    """One line on the terminal, drawn over itself ten times a second; nothing where there is no terminal."""

    name: str
    total: int  # bytes; 0 = unknown
    out: IO[str] = field(default_factory=lambda: sys.stderr)
    done: int = 0
    lines: int = 0
    _marks: deque[tuple[float, int]] = field(default_factory=lambda: deque([(time.monotonic(), 0)]))
    _drawn: float = 0.0

    def move(self, done: int, lines: int) -> None:
        self.done, self.lines = done, self.lines + lines
        self._marks.append((time.monotonic(), self.lines))
        while len(self._marks) > 2 and self._marks[1][0] < time.monotonic() - RATE_SECONDS:
            self._marks.popleft()
        if time.monotonic() - self._drawn > EVERY_SECONDS:
            self.draw()

    def draw(self, note: str = "") -> None:
        self._drawn = time.monotonic()
        if self.out.isatty():
            self.out.write(f"\r\x1b[2K{self.text(note)}")
            self.out.flush()

    def text(self, note: str = "") -> str:
        since, before = self._marks[0]
        rate = (self.lines - before) / max(time.monotonic() - since, 1e-3)
        share = min(1.0, self.done / self.total) if self.total else 0.0
        bar = "#" * int(WIDTH * share) + "." * (WIDTH - int(WIDTH * share))
        how_far = f"[{bar}] {share:4.0%} {megabytes(self.done)}/{megabytes(self.total)} MB"
        begun = how_far if self.total else f"{megabytes(self.done)} MB"
        return (
            f"{harmless(self.name)} {begun} {rate:,.0f} lines/s, {self.lines:,} acknowledged {note}".rstrip()
        )

    def clear(self) -> None:
        if self.out.isatty():
            self.out.write("\r\x1b[2K")
            self.out.flush()


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"
