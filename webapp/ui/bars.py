"""A histogram as rectangles of an SVG: pure geometry, in the units of its viewBox.

Presentation attributes only: inline styles are forbidden by our content policy. Every count that is not zero
stays visible; the worst severity lies at the baseline.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 1200, 96
HEADROOM = 12  # above the tallest bar; what eight parts of the least height can add stays inside
SHARE = 0.82  # of its slot that a bar takes
LEAST = 1.5  # the height of one line among millions
FROM_BASELINE = ("fatal", "error", "warn", "info", "debug", "trace", "missing", "other")


@dataclass(frozen=True)
class Part:
    name: str
    count: int
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    start: str  # RFC 3339; the end of one is the start of the next, so bars tile the range
    end: str
    slot: float  # where the slot begins, and how wide it is: the whole of it can be clicked
    slot_width: float
    x: float
    width: float
    total: int
    parts: tuple[Part, ...]


def bars(edges: Sequence[str], series: Sequence[tuple[str, Sequence[int]]]) -> list[Bar]:
    """`edges` has one instant more than each series has counts."""
    slots = len(edges) - 1
    ordered = sorted(series, key=lambda one: rank(one[0]))
    totals = [sum(counts[at] for _, counts in series) for at in range(slots)]
    most = max(totals, default=0)
    return [
        bar(edges, at, slots, totals[at], [(name, counts[at]) for name, counts in ordered], most)
        for at in range(slots)
    ]


def bar(
    edges: Sequence[str], at: int, slots: int, total: int, counts: Sequence[tuple[str, int]], most: int
) -> Bar:
    slot = WIDTH / slots
    return Bar(
        start=edges[at],
        end=edges[at + 1],
        slot=round(at * slot, 2),
        slot_width=round(slot, 2),
        x=round(at * slot + slot * (1 - SHARE) / 2, 2),
        width=round(slot * SHARE, 2),
        total=total,
        parts=stack(counts, most),
    )


def stack(counts: Sequence[tuple[str, int]], most: int) -> tuple[Part, ...]:
    parts, base = [], float(HEIGHT)
    for name, count in counts:
        if not count:
            continue
        height = max(LEAST, count / most * (HEIGHT - HEADROOM))
        base -= height
        parts.append(Part(name, count, round(base, 2), round(height, 2)))
    return tuple(parts)


def rank(name: str) -> int:
    return FROM_BASELINE.index(name) if name in FROM_BASELINE else len(FROM_BASELINE)
