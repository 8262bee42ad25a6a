"""The spill directory: one owner, written so that a file under its final name is whole.

The directory itself is the state; there is no index beside it. Its owner holds `flock` on `.lock`, so that a
worker and a command that drains an orphaned volume cannot both flush it. Files beside the spill files: `.tmp`
(never finished, deleted at the next start), `.bad` (damaged) and `.old` (older than the ledger remembers):
both kept for a person, counted, and complained of.
"""

import contextlib
import errno
import fcntl
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from prometheus_client import Counter, Gauge

from ingest.buffer import Claimed
from webapp.logs.retention import LEDGER_DAYS
from workers import spill
from workers.errors import DirectoryTaken, SpillFailed

log = logging.getLogger(__name__)

# The ledger forgets a batch LEDGER_DAYS after its commit. A batch may have been committed just before it was
# spilled (the answer was lost), so a file is stored only while the ledger certainly still remembers; a day is
# for clocks.
OLDEST_DAYS = LEDGER_DAYS - 1
BAD, OLD = ".bad", ".old"
GLANCES = (0.05, 0.1, 0.2, 0.0)  # tries at the lock: `manage.py spill list` holds it for an instant

SPILL_FILES = Gauge("logboom_spill_files", "Spill files that wait to be stored")
SPILL_BYTES = Gauge("logboom_spill_bytes", "Bytes of the spill files that wait to be stored")
SPILL_WRITTEN = Counter("logboom_spill_batches_total", "Batches written to spill files")
SPILL_FAILED = Counter("logboom_spill_failures_total", "Spill files that could not be written", ["error"])
SPILL_ASIDE = Counter("logboom_spill_set_aside_total", "Spill files set aside, not stored", ["reason"])


class Files:
    """What the spool asks of the file system; tests put one in its place that fails and forgets."""

    def write(self, path: Path, data: bytes) -> None:
        """Create, write all, sync. A partial write is an OSError."""
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(number, view) :]
            os.fsync(number)
        finally:
            os.close(number)

    def sync_directory(self, path: Path) -> None:
        number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(number)
        finally:
            os.close(number)

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def unlink(self, path: Path) -> None:
        path.unlink()


class Spool:
    """An owned spill directory. Raises DirectoryTaken where another process has it."""

    def __init__(
        self,
        directory: Path,
        *,
        most_bytes: int,
        files: Files | None = None,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = directory
        self._most_bytes = most_bytes
        self._files = files or Files()
        self._now_us = now_us
        self._lock = threading.Lock()
        self._owned: int | None = _own(directory / ".lock")
        try:
            self._sweep()
            # Also above what was set aside: under a name given twice, the one would replace the other.
            named = [written_us(path.name) or 0 for path in self.waiting() + self.aside()]
            self._newest_us = max(named, default=0)
            self.holds()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of the directory; only once: the number of a closed descriptor may be used again."""
        number, self._owned = self._owned, None
        if number is not None:
            os.close(number)

    def write(self, batches: Sequence[Claimed]) -> Path:
        """The batches, safe under this name when it returns. SpillFailed: nothing of them is."""
        written_us = self._next_us()
        data = spill.encode(batches, written_us)
        final = self.directory / spill.name(written_us)
        try:
            self._claim_room(len(data))
            self._write(final, data)
        except OSError as error:
            SPILL_FAILED.labels(errno.errorcode.get(error.errno or 0, "unknown")).inc()
            raise SpillFailed(f"{final}: {error.strerror or error}") from error
        SPILL_WRITTEN.inc(len(batches))
        return final

    def waiting(self) -> list[Path]:
        """The files to store, oldest first."""
        return sorted(path for path in self.directory.iterdir() if path.name.endswith(spill.SUFFIX))

    def holds(self) -> tuple[int, int]:
        """(files, bytes) that wait to be stored: measured, since files are also cut short and put back."""
        sizes = [size for path in self.waiting() if (size := _size(path)) is not None]
        SPILL_FILES.set(len(sizes))
        SPILL_BYTES.set(sum(sizes))
        return len(sizes), sum(sizes)

    def aside(self) -> list[Path]:
        return sorted(path for path in self.directory.iterdir() if path.suffix in (BAD, OLD))

    def read(self, path: Path) -> spill.Contents:
        return spill.decode(self._files.read(path))

    def too_old(self, contents: spill.Contents) -> bool:
        return self._now_us() - contents.written_us > OLDEST_DAYS * 86_400_000_000

    def remove(self, path: Path) -> None:
        """Stored and told: the file has done its work."""
        self._files.unlink(path)
        self._files.sync_directory(self.directory)
        self.holds()

    def set_aside(self, path: Path, suffix: str, why: str) -> None:
        aside = _free(path, suffix)
        self._files.rename(path, aside)
        SPILL_ASIDE.labels(suffix.lstrip(".")).inc()
        log.error("spill file set aside as %s: %s", aside, why)
        self._files.sync_directory(self.directory)
        self.holds()

    def _write(self, final: Path, data: bytes) -> None:
        temporary = final.with_suffix(".tmp")
        try:
            self._files.write(temporary, data)
            self._files.rename(temporary, final)
        except OSError:
            with contextlib.suppress(OSError):  # a start deletes it if this cannot
                self._files.unlink(temporary)
            raise
        # Unsynced, the rename may or may not last. The batches stay in the broker then; whichever of the two
        # copies is stored second, the ledger knows it. So the file is left where it is.
        self._files.sync_directory(self.directory)
        self.holds()

    def _claim_room(self, size: int) -> None:
        if self.holds()[1] + size > self._most_bytes:
            raise OSError(errno.EDQUOT, f"would hold more than SPILL_BYTES={self._most_bytes}")

    def _next_us(self) -> int:
        """Names rise even where the clock does not."""
        with self._lock:
            self._newest_us = max(self._newest_us + 1, self._now_us())
            return self._newest_us

    def _sweep(self) -> None:
        for path in self.directory.glob("*.tmp"):
            self._files.unlink(path)


def _own(path: Path) -> int:
    """The lock's descriptor; the kernel lets go of it when the process ends, however it ends."""
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for pause in GLANCES:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number
        except BlockingIOError:
            time.sleep(pause)
    os.close(number)
    raise DirectoryTaken(
        f"{path.parent} belongs to another running process: give each worker its own WORKER_NAME."
    )


def _size(path: Path) -> int | None:
    """None for a file that the flusher has just removed."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _free(path: Path, suffix: str) -> Path:
    """A name that no other has: a file that was set aside, and put back by a person, may come again."""
    names = itertools.chain([path.name], (f"{path.name}.{number}" for number in itertools.count(2)))
    return next(aside for name in names if not (aside := path.with_name(name + suffix)).exists())


def written_us(name: str) -> int | None:
    """When a file was written, as its name says (a header may be damaged); None for somebody else's name."""
    stem = name.partition(".")[0]
    return int(stem) if stem.isascii() and stem.isdigit() else None
