"""Files that were set aside, once a person has looked: what can be read of them is stored exactly once.

The way is the flusher's: the ledger decides, then the broker is told, then the file goes. A damaged file goes
only where that is asked for by its name; what cannot be read of it is then put into quarantine with the bytes
there are, as far as the broker confirms that it counts on this file, so that the books say where it went.
A running worker leaves such files alone, so the directory need not be owned: the file is locked.
"""

import fcntl
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ingest import backlog
from ingest.backlog import Batch
from ingest.buffer import Buffer, Claimed, State
from webapp.logs import known
from webapp.logs.retention import LEDGER_DAYS
from workers import volumes
from workers.database import Database
from workers.errors import WorkerError
from workers.flusher import groups
from workers.settle import put_away, settle
from workers.spool import BAD, OLD, OLDEST_DAYS, Files
from workers.verifying import left_of

DAMAGED = "damaged"
LOST = "lost"


class Refused(WorkerError):
    """Permanent: not without another word of the person who asks; the sentence says which."""


@dataclass(frozen=True)
class Saved:
    path: Path
    batches: int = 0
    rows: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)  # batches by final state
    damage: str = ""
    unreadable: int = 0  # records whose contents are gone
    put_away: int = 0  # of these, now in quarantine
    file: str = "kept"  # or removed


def replay(
    path: Path,
    buffer: Buffer,
    database: Database,
    *,
    accept_duplicates: bool = False,
    discard: bool = False,
) -> Saved:
    """Raises Refused, StoreError, BrokerGone or OSError; whatever was stored until then stays so."""
    check_is_aside(path)
    with alone(path):
        contents, damage = left_of(path, path.read_bytes())
        check_age(path, contents.written_us, accept_duplicates)
        outcomes = stored(contents.batches, buffer, database)
        in_quarantine = away(contents.unreadable, buffer, database) if discard else 0
        if not damage or discard:
            Files().unlink(path)
            Files().sync_directory(path.parent)
    return Saved(
        path=path,
        batches=len(contents.batches),
        rows=sum(batch.rows for batch in contents.batches),
        outcomes={str(state): count for state, count in outcomes.items()},
        damage=damage,
        unreadable=len(contents.unreadable),
        put_away=in_quarantine,
        file="kept" if damage and not discard else "removed",
    )


def check_is_aside(path: Path) -> None:
    if path.suffix not in (BAD, OLD):
        raise Refused(
            f"{path} was not set aside (no {BAD} or {OLD}): its worker stores it, or `manage.py spill drain`."
        )


@contextmanager
def alone(path: Path) -> Iterator[None]:
    with path.open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(f"{path}: another replay is at it.") from error
        yield


def check_age(path: Path, written_us: int, accept_duplicates: bool) -> None:
    days = (time.time_ns() // 1000 - written_us) // volumes.DAY_US
    if days < OLDEST_DAYS or accept_duplicates:
        return
    age = f"was written {days} days ago" if written_us else "tells by no name or header when it was written"
    raise Refused(
        f"{path} {age}. The ledger remembers a batch for {LEDGER_DAYS} days: one of this file that was "
        "stored then, and whose answer was lost, would be stored a second time, and nobody could tell. Look "
        "for its lines in the explorer first; to store what the ledger does not know: --accept-duplicates."
    )


def stored(batches: list[Claimed], buffer: Buffer, database: Database) -> Counter[State]:
    outcomes: Counter[State] = Counter()
    for group in groups(batches, buffer.group_batches, buffer.group_rows):
        for moves in settle(database, group):
            buffer.finish(moves)
            outcomes.update(move.to for move in moves)
    return outcomes


def away(records: Iterable[Claimed], buffer: Buffer, database: Database) -> int:
    """Into quarantine what the broker counts on as spilled; how many that were."""
    given = {record.batch: record for record in records}
    confirmed = [
        one
        for one in backlog.known(buffer.client, given).values()
        if one.spilled and one.acceptance == given[one.batch].acceptance
    ]
    for one in confirmed:
        detail = "Its record in a spill file is damaged, and the file was discarded: these bytes were left."
        write_off(one, DAMAGED, detail, given[one.batch].payload, buffer, database)
    return len(confirmed)


def lost(batches: list[uuid.UUID], root: Path, buffer: Buffer, database: Database) -> int:
    """Batches whose spill file is gone for good are noted in quarantine, without their bytes."""
    there = backlog.known(buffer.client, batches)
    for batch in batches:
        if batch not in there or not there[batch].spilled:
            raise Refused(f"The broker does not count on a spill file for {batch}: nothing is to be noted.")
    check_not_here(set(batches), root)
    check_not_stored(batches, database)
    for one in there.values():
        detail = "Its spill file is gone for good: an operator noted the batch as lost."
        write_off(one, LOST, detail, b"", buffer, database)
    return len(there)


def check_not_here(batches: set[uuid.UUID], root: Path) -> None:
    for volume in volumes.volumes(root):
        for file in volume.waiting + volume.aside:
            contents, _ = left_of(file.path, file.path.read_bytes())
            if found := batches & {one.batch for one in contents.batches}:
                raise Refused(f"{file.path} has {', '.join(map(str, sorted(found)))}: it can be stored.")


def check_not_stored(batches: list[uuid.UUID], database: Database) -> None:
    if found := database.call(lambda connection: known.in_ledger(connection, batches)):
        raise Refused(
            f"The ledger has {', '.join(map(str, sorted(found)))}: stored, and the worker that knew has not "
            "told the broker. Start that worker again, or drain its volume."
        )


def write_off(one: Batch, reason: str, detail: str, raw: bytes, buffer: Buffer, database: Database) -> None:
    """In the ledger first: a batch that is stored by now stays so."""
    batch = Claimed(one.batch, one.acceptance, one.source, one.rows, one.deaths, raw)
    buffer.finish([put_away(database, batch, reason, detail, one.dialect, one.accepted_ms * 1000)])
