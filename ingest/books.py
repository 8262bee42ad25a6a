"""The broker's books as they are read: what became of the rows of one minute, by source and dialect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Minute:
    """Rows accepted in one minute: accepted = stored + duplicate + quarantined + spilled + queued."""

    minute: int  # minutes since 1970
    source: int
    dialect: str
    refused: Mapping[str, int]
    accepted: int
    stored: int
    duplicate: int
    quarantined: int
    spilled: int  # still in a spill file
    repeated: int  # rows of requests answered as the first time, in no other count
    first: int = 0  # the acceptances of the whole minute, of every source; 0: none
    last: int = 0

    @property
    def received(self) -> int:
        return self.accepted + sum(self.refused.values())

    @property
    def queued(self) -> int:
        return self.accepted - self.stored - self.duplicate - self.quarantined - self.spilled


def lines(minute: int, counts: Mapping[bytes, Any]) -> list[Minute]:
    found: dict[tuple[int, str], dict[str, int]] = {}
    stretch = {name.decode(): int(counts.get(name, 0)) for name in (b"first", b"last")}
    for name, value in counts.items():
        if b"|" in name:
            source, dialect, counter = name.decode().split("|", 2)
            found.setdefault((int(source), dialect), {})[counter] = int(value)
    return [
        line(minute, source, dialect, {**counters, **stretch})
        for (source, dialect), counters in found.items()
    ]


def line(minute: int, source: int, dialect: str, counters: Mapping[str, int]) -> Minute:
    refused = {
        name.removeprefix("refused:"): rows
        for name, rows in counters.items()
        if name.startswith("refused:") and rows
    }
    names = ("accepted", "stored", "duplicate", "quarantined", "spilled", "repeated", "first", "last")
    return Minute(minute, source, dialect, refused, **{name: counters.get(name, 0) for name in names})
