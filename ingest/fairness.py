"""Who holds more of the broker than its share: arithmetic over what the broker says, nothing else.

The sources that have batches queued share a part of the broker's memory by their weights. The part is the
fair share, below the share at which nobody is let in: what lies between is kept for those who hold less than
theirs, so that one that floods cannot shut out the others. The workers serve sources by the same weights, so
a source's own drain rate is its share of the whole one.
"""

import math
from collections.abc import Mapping

from ingest.buffer import Depth, Held

RETRY_LEAST, RETRY_MOST = 1, 60  # seconds
RETRY_UNKNOWN = 10  # nothing drains: what is in the way may go any moment, and asking costs a millisecond


def overdrawn(depth: Depth, weights: Mapping[int, int], share: float) -> dict[int, int]:
    """The sources that hold more than theirs, each with the whole seconds until it does no more."""
    queued = {source: held for source, held in depth.by_source.items() if held.queued_batches > 0}
    everybody = sum(weights.get(source, 1) for source in queued)
    found: dict[int, int] = {}
    for source, held in queued.items():
        part = weights.get(source, 1) / everybody
        theirs = share * depth.memory_max * part
        if held.queued_memory > theirs:
            found[source] = seconds(surplus_rows(held, theirs), depth.drain_rate * part)
    return found


def surplus_rows(held: Held, theirs: float) -> float:
    return held.queued_rows * (1 - theirs / held.queued_memory)


def seconds(rows: float, rate: float) -> int:
    """Until so many rows have left at so many a second."""
    if rate <= 0:
        return RETRY_UNKNOWN
    return min(RETRY_MOST, max(RETRY_LEAST, math.ceil(rows / rate)))
