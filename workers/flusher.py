"""The flusher: spill files into the database, oldest first, while the breaker is closed; and the breaker's
prober.

Order of a file: every batch committed, then the broker told, then the file removed. Killed in between, the
file is flushed again and the ledger skips what it knows. A file that keeps failing is stepped over, tried
less and less often and in smaller and smaller groups, so that it can keep neither its neighbours nor the
breaker busy. A batch that kills the worker is found and put away like one from the broker (deaths.py).
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from ingest.buffer import Buffer, Claimed
from ingest.errors import BrokerGone
from webapp.logs.errors import Busy, DiskFull, ForeignCluster, Outage, Poison, StoreError
from workers.breaker import Breaker
from workers.database import Database
from workers.deaths import Deaths
from workers.errors import Damaged
from workers.settle import settle
from workers.spill import Contents
from workers.spool import BAD, OLD, Spool

log = logging.getLogger(__name__)

LONGEST_PAUSE = 60.0
REST_SECONDS = 5.0  # a database without room is asked again after this, by one file: no file is to blame


@dataclass(frozen=True)
class Trouble:
    """A file that failed: how often in a row, and when to try again."""

    failures: int
    not_before: float


class Flusher:
    def __init__(
        self,
        *,
        spool: Spool,
        buffer: Buffer,
        database: Database,
        breaker: Breaker,
        group_batches: int,
        group_rows: int,
        progress: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spool = spool
        self._buffer = buffer
        self._database = database
        self._breaker = breaker
        self._group_batches = group_batches
        self._group_rows = group_rows
        self._progress = progress  # a file may take minutes where the database is slow
        self._clock = clock
        self._trouble: dict[Path, Trouble] = {}
        self._resting_until = 0.0

    def step(self) -> bool:
        """Probe, or flush one file; False when there was nothing to do."""
        if not self._breaker.closed:
            return self._probe()
        if self._clock() < self._resting_until:
            return False
        try:
            path = self._next()
        except OSError as error:  # the volume failed or went: what can be stored without it still is
            log.error("the spill directory cannot be read: %s", error)
            self._resting_until = self._clock() + REST_SECONDS
            return False
        if path is None:
            return False
        self._try(path)
        return True

    def _probe(self) -> bool:
        if not self._breaker.may_probe():
            return False
        try:
            self._database.probe()
        except StoreError as error:  # a lock or a full disk too: it did not write, so it is not back
            self._breaker.fail(str(error))
            log.warning("the database is still away: %s", error)
            return False
        self._breaker.succeed()
        log.info("the database is back")
        return True

    def _next(self) -> Path | None:
        """The oldest file that is not paused; troubled ones after all others."""
        now = self._clock()
        ready = []
        for path in self._spool.waiting():
            trouble = self._trouble.get(path)
            if trouble is None:
                return path
            if trouble.not_before <= now:
                ready.append((trouble.failures, path))
        return min(ready)[1] if ready else None

    def _try(self, path: Path) -> None:
        try:
            self.flush(path)
        except (Outage, ForeignCluster) as error:
            self._breaker.fail(str(error))
            self._step_over(path, error)
        except DiskFull as error:
            self._breaker.note_full(str(error))
            self._resting_until = self._clock() + REST_SECONDS
            log.warning("spill files wait, the database does not write: %s", error)
        except (Busy, Poison, BrokerGone, OSError) as error:
            self._step_over(path, error)
        else:
            self._breaker.note_full("")
            self._trouble.pop(path, None)

    def _step_over(self, path: Path, error: Exception) -> None:
        failures = self._failures(path) + 1
        self._trouble[path] = Trouble(failures, self._clock() + min(2.0**failures, LONGEST_PAUSE))
        log.warning("spill file %s: not stored (%d. time): %s", path, failures, error)

    def _failures(self, path: Path) -> int:
        trouble = self._trouble.get(path)
        return trouble.failures if trouble else 0

    def flush(self, path: Path) -> None:
        """The file's batches are stored and the file is gone, or set aside with what could not be read."""
        try:
            contents = self._spool.read(path)
        except Damaged as error:
            self._spool.set_aside(path, BAD, str(error))
            return
        if self._spool.too_old(contents):
            self._spool.set_aside(
                path, OLD, "older than the ledger remembers: storing it could store it twice"
            )
            return
        self._store(path, contents)
        if contents.damage is None:
            self._spool.remove(path)
        else:
            self._spool.set_aside(path, BAD, f"{contents.damage}; {len(contents.batches)} batches saved")

    def _store(self, path: Path, contents: Contents) -> None:
        most = max(1, self._group_batches >> self._failures(path))
        deaths = Deaths(path)
        for group in groups(list(map(deaths.told, contents.batches)), most, self._group_rows):
            with deaths.risking(group):
                for moves in settle(self._database, group):
                    self._buffer.finish(moves)
                    self._progress()
        deaths.forget()


def of_settings(
    *,
    spool: Spool,
    buffer: Buffer,
    database: Database,
    breaker: Breaker,
    progress: Callable[[], None] = lambda: None,
) -> Flusher:
    """A worker's, and the one of `manage.py spill drain`."""
    return Flusher(
        spool=spool,
        buffer=buffer,
        database=database,
        breaker=breaker,
        group_batches=settings.GROUP_BATCHES,
        group_rows=settings.GROUP_ROWS,
        progress=progress,
    )


def groups(batches: Sequence[Claimed], most_batches: int, most_rows: int) -> Iterator[list[Claimed]]:
    """In order, each within both bounds but never empty. A batch that a worker died over comes alone."""
    group: list[Claimed] = []
    for batch in batches:
        full = len(group) == most_batches or sum(b.rows for b in group) + batch.rows > most_rows
        if group and (full or batch.deaths or group[0].deaths):
            yield group
            group = []
        group.append(batch)
    if group:
        yield group
