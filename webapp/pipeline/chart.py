"""A small bar chart as rectangles of an SVG; attributes only, since inline styles are forbidden."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT = 480, 56
GAP = 1.5
LEAST = 2.0  # what is not nothing stays visible


@dataclass(frozen=True)
class Column:
    start: datetime
    count: int
    x: float
    y: float
    width: float
    height: float


def columns(counts: Sequence[tuple[datetime, int]]) -> list[Column]:
    slot = WIDTH / max(1, len(counts))
    most = max((count for _, count in counts), default=0)
    return [
        Column(
            start=start,
            count=count,
            x=round(at * slot, 2),
            y=round(HEIGHT - tall(count, most), 2),
            width=round(slot - GAP, 2),
            height=round(tall(count, most), 2),
        )
        for at, (start, count) in enumerate(counts)
    ]


def tall(count: int, most: int) -> float:
    return max(LEAST, count / most * HEIGHT) if count else 0.0
