"""Finding the batch that the database refuses. Pure: the storing is given.

A group fails as one transaction; halving finds the bad batch in log2(n) steps and stores every good
neighbour. What was settled before a transient error is yielded before that error leaves, so that nothing is
done twice.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from webapp.logs.errors import Poison

Unit = TypeVar("Unit")
Settled = TypeVar("Settled")


def bisect(
    units: Sequence[Unit],
    store: Callable[[Sequence[Unit]], Sequence[Settled]],
    refuse: Callable[[Unit, Poison], Settled],
) -> Iterator[Sequence[Settled]]:
    """Store all of `units`, or refuse each single one that cannot be stored; in order."""
    waiting = [units] if units else []
    while waiting:
        group = waiting.pop()
        try:
            yield store(group)
        except Poison as error:
            if len(group) == 1:
                yield [refuse(group[0], error)]
                continue
            middle = len(group) // 2
            waiting += [group[middle:], group[:middle]]
