"""So many new segments as are soon read: how a tail and the catalogue bound a step."""

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Sized(Protocol):
    @property
    def rows(self) -> int: ...


Segment = TypeVar("Segment", bound=Sized)


def handful(segments: Sequence[Segment], most: int, most_rows: int) -> list[Segment]:
    """From the first on: one at least, and no more than `most` or `most_rows` lines."""
    taken: list[Segment] = []
    rows = 0
    for segment in segments[:most]:
        if taken and rows + segment.rows > most_rows:
            break
        taken.append(segment)
        rows += segment.rows
    return taken
