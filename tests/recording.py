"""A volume that remembers what of it a power cut would leave.

What a process sees is a real directory. Beside it, `Disk` keeps what is certain: bytes that were fsynced, and
names whose directory was. After a cut, of all later creates, renames and unlinks any first part may have
happened, and bytes never synced are there in part, with sectors of anything. fsync that fails once has let go
of the bytes: a later one that succeeds says nothing about them (as Linux does).

The product's own `Files` runs on it: its module sees `RecordedOs` in the place of `os`. So a missing fsync is
a bug that a test on this volume finds.
"""

import errno
import os
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.trapped import Fault, Trap
from workers.spool import Files

SECTOR = 512


class Inode:
    """A file, whatever its name."""

    def __init__(self) -> None:
        self.data = b""  # as a process reads it
        self.synced = b""  # as a disk has it for certain
        self.lost = False  # an fsync has failed
        self.flips: set[int] = set()  # bits that are not as they were written

    @property
    def certain(self) -> bool:
        return self.data == self.synced

    def torn(self, dice: random.Random) -> bytes:
        """Some of what was not synced."""
        if self.certain:
            return self.data
        data = bytearray(self.data[: dice.randint(len(self.synced), len(self.data))])
        for start in range(len(self.synced), len(data), SECTOR):
            if dice.random() < 0.5:
                end = min(start + SECTOR, len(data))
                data[start:end] = dice.choice((bytes(end - start), dice.randbytes(end - start)))
        return bytes(data)


Names = dict[str, Inode]
Change = Mapping[str, Inode | None]  # of one directory entry or, by a rename, of two


class Disk:
    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self.full = 0  # for so many turns
        self.names: Names = {}
        self.durable: Names = {}
        self.pending: list[Change] = []

    def create(self, name: str) -> Inode:
        inode = Inode()
        self.change({name: inode})
        return inode

    def change(self, change: Change) -> None:
        apply(change, self.names)
        self.pending.append(change)

    def sync(self) -> None:
        self.durable, self.pending = dict(self.names), []

    def left_by(self, kept: int) -> Names:
        """The names after a power cut that so many of the unsynced changes survive."""
        names = dict(self.durable)
        for change in self.pending[:kept]:
            apply(change, names)
        return names

    def certain(self) -> list[Inode]:
        """The finished files that are there, whole, whatever a power cut takes."""
        futures = [finished(self.left_by(kept)) for kept in range(len(self.pending) + 1)]
        return [
            inode
            for inode in futures[0]
            if inode.certain and all(any(inode is other for other in future) for future in futures)
        ]

    def cut_power(self, kept: int, dice: random.Random) -> None:
        """Nobody may have the volume in use."""
        for name in self.names:
            (self.directory / name).unlink()
        self.names = self.left_by(kept)
        for name, inode in self.names.items():
            inode.data = inode.synced = inode.torn(dice)
            (self.directory / name).write_bytes(inode.data)
        self.sync()

    def flip(self, name: str, bit: int) -> None:
        inode = self.names[name]
        inode.flips ^= {bit}
        inode.data = flipped(inode.data, bit)
        if bit < 8 * len(inode.synced):
            inode.synced = flipped(inode.synced, bit)
        (self.directory / name).write_bytes(inode.data)


def apply(change: Change, names: Names) -> None:
    for name, inode in change.items():
        if inode is None:
            names.pop(name, None)
        else:
            names[name] = inode


def finished(names: Names) -> list[Inode]:
    return [inode for name, inode in names.items() if not name.endswith(".tmp")]


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class RecordingFiles(Files):
    """A worker's files on such a volume; `real` is whose work is recorded."""

    def __init__(self, disk: Disk, trap: Trap, real: Files, seen: "RecordedOs") -> None:
        self.disk, self.trap, self.real, self._seen = disk, trap, real, seen

    def write(self, path: Path, data: bytes) -> None:
        with self._seen.by(self):
            self.real.write(path, data)

    def sync_directory(self, path: Path) -> None:
        with self._seen.by(self):
            self.real.sync_directory(path)

    def read(self, path: Path) -> bytes:
        return self._through(lambda: self.real.read(path))

    def rename(self, old: Path, new: Path) -> None:
        def work() -> None:
            self.real.rename(old, new)
            self.disk.change({old.name: None, new.name: self.disk.names[old.name]})

        self._through(work)

    def unlink(self, path: Path) -> None:
        def work() -> None:
            self.real.unlink(path)
            self.disk.change({path.name: None})

        self._through(work)

    def _through(self, work: Callable[[], Any]) -> Any:
        return self.trap.through("file", work, lambda: failure(errno.EIO))


class RecordedOs:
    """`os` as `workers.spool` sees it while one of its files is written or its directory synced."""

    def __init__(self) -> None:
        self._files: RecordingFiles | None = None
        self._open: dict[int, Inode | Disk] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @contextmanager
    def by(self, files: RecordingFiles) -> Iterator[None]:
        before, self._files = self._files, files
        try:
            yield
        finally:
            self._files = before

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        if self._files is None:
            return os.open(path, flags, mode)
        disk = self._files.disk

        def work() -> int:
            number = os.open(path, flags, mode)
            self._open[number] = disk.create(path.name) if flags & os.O_CREAT else disk
            return number

        return self._files.trap.through("file", work, lambda: failure(errno.EIO))

    def write(self, number: int, data: memoryview) -> int:
        assert self._files is not None
        inode, trap = self._open[number], self._files.trap
        assert isinstance(inode, Inode)

        def some(part: memoryview) -> int:
            inode.data += bytes(part)
            return os.write(number, part)

        fault = trap.turn("write")
        if fault is Fault.FAIL_BEFORE:
            raise failure(errno.EIO)
        if fault is Fault.SHORT:
            return some(data[: max(1, len(data) // 2)])
        if fault is Fault.FAIL_AFTER or self._files.disk.full:
            some(data[: len(data) // 2])
            raise failure(errno.ENOSPC)
        done = some(data)
        if fault is Fault.CRASH_AFTER:
            trap.die()
        return done

    def fsync(self, number: int) -> None:
        assert self._files is not None
        of = self._open[number]

        def failed() -> OSError:
            if isinstance(of, Inode):
                of.lost = True
            return failure(errno.EIO)

        self._files.trap.through("file", lambda: synced(of), failed)

    def close(self, number: int) -> None:
        """Never fails: what could go wrong here went wrong before."""
        self._open.pop(number, None)
        os.close(number)


def synced(of: Inode | Disk) -> None:
    if isinstance(of, Disk):
        of.sync()
    elif not of.lost:
        of.synced = of.data


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))
