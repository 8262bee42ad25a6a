"""Which lines of a batch the database refuses: a bad line harms no neighbour (I6), not even here at the end.

Ingest checks every line so that none is refused here; this is for what those checks did not know of. Subsets
are tried in transactions that are rolled back, so nothing is stored while the search goes on.
"""

from collections.abc import Callable, Sequence

import msgspec

from ingest import retell
from ingest.record import LogRecord, Reject
from webapp.logs.errors import Poison
from webapp.logs.store import Unit
from workers.poison import bisect

MOST = 16  # bad lines worth finding: each costs about ten tries of a lease that runs
Numbered = tuple[int, LogRecord]


def sift(unit: Unit, attempt: Callable[[list[LogRecord]], None]) -> Unit:
    """The unit with its bad lines among the rejects. Raises Poison where the lines are not what is wrong."""
    good: list[LogRecord] = []
    bad: list[Reject] = []

    def try_lines(lines: Sequence[Numbered]) -> list[None]:
        attempt([record for _, record in lines])
        good.extend(record for _, record in lines)
        return []

    def refuse(line: Numbered, error: Poison) -> None:
        if len(bad) == MOST:
            raise Poison(f"more than {MOST} lines are refused: {error}") from error
        bad.append(rejected(line, error))

    for _ in bisect(list(enumerate(unit.envelope.records, 1)), try_lines, refuse):
        pass  # each part has been put where it belongs
    if not bad:
        raise Poison("no single line is refused")
    envelope = msgspec.structs.replace(unit.envelope, records=good, rejects=[*unit.envelope.rejects, *bad])
    return msgspec.structs.replace(unit, envelope=envelope, quarantined=len(bad))


def rejected(line: Numbered, error: Poison) -> Reject:
    """The raw line is gone: the record, told anew, stands in for it, counted among the accepted lines."""
    number, record = line
    detail = f"Accepted line {number} of the batch: {error}"
    return Reject(number, "refused_by_database", detail, retell.line_of(record))
