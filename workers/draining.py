"""A spill directory whose worker is gone is emptied by another process, which owns it meanwhile.

What is left of it is told in the name of that worker, so that the ledger counts on nothing that is not there.
"""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from django.conf import settings

from ingest.buffer import Buffer
from ingest.errors import BrokerGone, IngestError
from webapp.logs.errors import StoreError
from webapp.pipeline.saying import plain
from workers import flusher
from workers.breaker import Breaker
from workers.database import Database
from workers.errors import DirectoryTaken
from workers.recount import Recount
from workers.spool import Spool

Outcome = Literal["drained", "running", "away", "aside"]


@dataclass(frozen=True)
class Drained:
    directory: Path
    outcome: Outcome
    stored: list[Path] = field(default_factory=list)
    aside: list[Path] = field(default_factory=list)  # they need a person
    problem: str = ""

    @property
    def code(self) -> int:
        return {"drained": 0, "running": 0, "aside": 1, "away": 2}[self.outcome]


def drain(directory: Path, buffer: Buffer, database: Database) -> Drained:
    try:
        owned = Spool(directory, most_bytes=settings.SPILL_BYTES)
    except DirectoryTaken:
        return Drained(directory, "running")
    try:
        return flush_all(owned, buffer, database)
    finally:
        with contextlib.suppress(IngestError, OSError):
            Recount(buffer.client, owned, directory.resolve().name).tell()
        owned.close()


def flush_all(owned: Spool, buffer: Buffer, database: Database) -> Drained:
    flushing = flusher.of_settings(spool=owned, buffer=buffer, database=database, breaker=Breaker())
    stored: list[Path] = []
    for path in owned.waiting():
        try:
            flushing.flush(path)
        except (StoreError, BrokerGone, OSError) as error:
            return Drained(owned.directory, "away", stored, owned.aside(), f"{path}: {plain(error)}")
        stored.append(path)
    aside = owned.aside()
    stored = [path for path in stored if not any(other.name.startswith(path.name) for other in aside)]
    return Drained(owned.directory, "aside" if aside else "drained", stored, aside)
