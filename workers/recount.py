"""A worker counts what its spill directory holds, in the files and not in its memory, and tells the broker.

Each file is read once, with its checksums, and again when its size or time has changed, which no worker does.
What is no longer there, or no longer readable, is taken back; so a deleted file, a damaged one and a volume
that was lost are noticed by the ledger, which holds the broker's own word against it (webapp/spilled.py).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname

import redis

from webapp import spilled
from webapp.spilled import Volume
from workers.errors import Damaged
from workers.spool import Spool, written_us

SECONDS = 0.5  # of reading at once, or one file: the rest is for the next time


@dataclass(frozen=True, slots=True)
class Counted:
    seen: tuple[int, int]  # size and time of the file
    batches: int
    rows: int


class Recount:
    def __init__(
        self,
        client: redis.Redis,
        spool: Spool,
        worker: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._spool = spool
        self._worker = worker
        self._clock = clock
        self._counted: dict[str, Counted] = {}

    def tell(self) -> Volume:
        """Raises IngestError where the broker does not hear it, OSError where nothing can be read."""
        paths = {path.name: path for path in self._spool.waiting()}
        told = spilled.told(self._client, self._worker)
        seen = {name: size_and_time(path) for name, path in paths.items()}
        self._counted = {name: one for name, one in self._counted.items() if one.seen == seen.get(name)}
        new, unreadable = self._read([path for name, path in paths.items() if not self._known(name, told)])
        volume = self._sum(paths, len(paths) - len(self._counted))
        spilled.tell(self._client, self._worker, volume, new, (told - paths.keys()) | (told & unreadable))
        return volume

    def _known(self, name: str, told: set[str]) -> bool:
        return name in self._counted and name in told

    def _read(self, paths: list[Path]) -> tuple[dict[str, bytes], set[str]]:
        new: dict[str, bytes] = {}
        unreadable: set[str] = set()
        until = self._clock() + SECONDS
        for path in paths:
            if (new or unreadable) and self._clock() > until:
                break
            try:
                seen = size_and_time(path)
                rows = {one.acceptance: one.rows for one in self._spool.read(path).batches}
            except FileNotFoundError:  # stored meanwhile
                continue
            except (OSError, Damaged):
                self._counted.pop(path.name, None)
                unreadable.add(path.name)
                continue
            new[path.name] = spilled.pack(rows)
            self._counted[path.name] = Counted(seen, len(rows), sum(rows.values()))
        return new, unreadable

    def _sum(self, paths: dict[str, Path], uncounted: int) -> Volume:
        return Volume(
            host=gethostname(),
            directory=str(self._spool.directory),
            files=len(paths),
            batches=sum(one.batches for one in self._counted.values()),
            rows=sum(one.rows for one in self._counted.values()),
            bytes=self._spool.holds()[1],
            oldest_us=min((written_us(name) or 0 for name in paths), default=0),
            aside=len(self._spool.aside()),
            uncounted=uncounted,
        )


def size_and_time(path: Path) -> tuple[int, int]:
    """Zeros for a file that was stored meanwhile."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
