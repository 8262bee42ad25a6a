"""Every checksum of spill files, and for what cannot be read: whether it is stored all the same.

Three who may know: the broker (a batch it holds as queued is in no danger, one that it holds as spilled
should be in a file), the ledger (what it has is stored), and the other files. Whoever does not answer is left
out, and that is said. The broker is asked before the files are read and again afterwards: what a running
worker stored meanwhile is not missed.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import redis

from ingest import backlog
from ingest.backlog import Batch
from ingest.errors import IngestError
from webapp.logs import known
from webapp.logs.errors import StoreError
from webapp.pipeline.saying import plain
from workers import spill, volumes
from workers.database import Database
from workers.errors import Damaged
from workers.spool import written_us

Fate = Literal["stored", "queued", "missing", "settled", "unknown"]
MEANING: dict[Fate, str] = {
    "stored": "the ledger has it: nothing is lost",
    "queued": "the broker still has it: nothing is lost",
    "missing": "the broker counts on this file and the ledger does not have it: its lines are lost here",
    "settled": "neither broker nor ledger knows it: it was settled long ago, or its id is damaged too",
    "unknown": "broker or ledger did not answer: ask again when they do",
}


@dataclass(frozen=True)
class Unreadable:
    batch: uuid.UUID  # as the record calls itself
    rows: int
    fate: Fate


@dataclass(frozen=True)
class Checked:
    path: Path
    readable: int  # batches
    unreadable: list[Unreadable]
    cut_off: int | None  # records that cannot even be found; None: nobody can tell how many
    damage: str  # "" = whole


@dataclass(frozen=True)
class Verdict:
    files: list[Checked]
    astray: list[Unreadable]  # the broker counts on a file with them, and none of these files has them
    silent: list[str]  # who did not answer, and why

    @property
    def damaged(self) -> list[Checked]:
        return [file for file in self.files if file.damage]


@dataclass(frozen=True)
class Read:
    """A file without its lines."""

    path: Path
    batches: set[uuid.UUID]
    unreadable: list[tuple[uuid.UUID, int]]  # with their rows
    cut_off: int | None
    damage: str


def verify(root: Path, client: redis.Redis, database: Database) -> Verdict:
    asked = Asked(client, database)
    spilled = asked.spilled()
    paths = [file.path for volume in volumes.volumes(root) for file in volume.waiting + volume.aside]
    files = [read for path in paths if (read := read_whole(path))]
    held = set().union(*(file.batches for file in files))
    doubtful = {batch for file in files for batch, _ in file.unreadable}
    fates = asked.fates(doubtful | (spilled - held))
    return Verdict(
        files=[checked(file, fates) for file in files],
        astray=[
            Unreadable(batch, fates.rows(batch), fates.of(batch))
            for batch in sorted(spilled - held - doubtful)
            if fates.still_spilled(batch)
        ],
        silent=asked.silent,
    )


def checked(file: Read, fates: "Fates") -> Checked:
    unreadable = [Unreadable(batch, rows, fates.of(batch)) for batch, rows in file.unreadable]
    return Checked(file.path, len(file.batches), unreadable, file.cut_off, file.damage)


def read_whole(path: Path) -> Read | None:
    """None where it is gone: stored meanwhile."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    contents, damage = left_of(path, data)
    announced, found = spill.announced(data), len(contents.batches) + len(contents.unreadable)
    return Read(
        path=path,
        batches={one.batch for one in contents.batches},
        unreadable=[(one.batch, one.rows) for one in contents.unreadable],
        cut_off=None if announced is None else max(0, announced - found),
        damage=damage,
    )


def left_of(path: Path, data: bytes) -> tuple[spill.Contents, str]:
    """What can be read and what is wrong; behind a damaged header the file's name tells its age."""
    try:
        contents = spill.decode(data)
        return contents, contents.damage or ""
    except Damaged as error:
        return spill.behind_header(data, written_us(path.name) or 0), str(error)


class Fates:
    def __init__(self, known: dict[uuid.UUID, Batch] | None, stored: set[uuid.UUID] | None) -> None:
        self._known, self._stored = known, stored

    def of(self, batch: uuid.UUID) -> Fate:
        if self._stored is not None and batch in self._stored:
            return "stored"
        if self._known is not None and (there := self._known.get(batch)) and not there.spilled:
            return "queued"
        if self._stored is None or self._known is None:
            return "unknown"
        return "missing" if batch in self._known else "settled"

    def still_spilled(self, batch: uuid.UUID) -> bool:
        return self._known is None or (batch in self._known and self._known[batch].spilled)

    def rows(self, batch: uuid.UUID) -> int:
        return self._known[batch].rows if self._known and batch in self._known else 0


class Asked:
    """Broker and ledger; one that does not answer once is noted."""

    def __init__(self, client: redis.Redis, database: Database) -> None:
        self._client, self._database = client, database
        self.silent: list[str] = []

    def spilled(self) -> set[uuid.UUID]:
        try:
            return set(backlog.spilled(self._client))
        except IngestError as error:
            self.silent.append(str(error))
            return set()

    def fates(self, batches: Iterable[uuid.UUID]) -> Fates:
        wanted = list(batches)
        return Fates(self._known(wanted), self._stored(wanted))

    def _known(self, wanted: Sequence[uuid.UUID]) -> dict[uuid.UUID, Batch] | None:
        if self.silent:
            return None
        try:
            return backlog.known(self._client, wanted)
        except IngestError as error:
            self.silent.append(str(error))
            return None

    def _stored(self, wanted: Sequence[uuid.UUID]) -> set[uuid.UUID] | None:
        if not wanted:
            return set()
        try:
            return self._database.call(lambda connection: known.in_ledger(connection, wanted))
        except StoreError as error:
            self.silent.append(f"The database does not answer: {plain(error)}")
            return None
