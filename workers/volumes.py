"""Spill directories from outside: what lies there and whether its worker runs. Reads only, and takes nothing.

Whether somebody owns a directory is asked of its lock, for an instant. Files come and go meanwhile: one that
is gone when it is looked at has been stored.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workers import spill
from workers.errors import Damaged
from workers.spool import BAD, OLD, OLDEST_DAYS, written_us

Kind = Literal["waiting", "damaged", "old", "unfinished"]
KINDS: dict[str, Kind] = {spill.SUFFIX: "waiting", BAD: "damaged", OLD: "old", ".tmp": "unfinished"}
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class File:
    path: Path
    kind: Kind
    size: int
    batches: int  # as their records say: nothing is checked here
    rows: int
    age_seconds: float | None  # None: its name tells no time
    reason: str  # why it was set aside; "" = it was not


@dataclass(frozen=True)
class Volume:
    directory: Path
    worker: str
    running: bool  # False: orphaned, nobody stores its files
    files: list[File]

    @property
    def waiting(self) -> list[File]:
        return [file for file in self.files if file.kind == "waiting"]

    @property
    def aside(self) -> list[File]:
        return [file for file in self.files if file.kind in ("damaged", "old")]


def volumes(root: Path) -> list[Volume]:
    return [look(directory) for directory in directories(root)]


def directories(root: Path) -> Iterator[Path]:
    """The root itself may be one worker's volume."""
    if (root / ".lock").exists():
        yield root
    for child in sorted(root.iterdir()) if root.is_dir() else []:
        if child.is_dir() and (child / ".lock").exists() and os.access(child, os.R_OK):
            yield child


def look(directory: Path) -> Volume:
    found = [file for path in sorted(directory.iterdir()) if (file := look_at(path))]
    return Volume(directory, directory.name, owned(directory), found)


def look_at(path: Path) -> File | None:
    kind = KINDS.get(path.suffix)
    if kind is None or not (kind == "unfinished" or spill.SUFFIX in path.suffixes):
        return None
    with contextlib.suppress(FileNotFoundError):
        with path.open("rb") as file:
            records = list(spill.skim(file))
            size = os.fstat(file.fileno()).st_size
        rows = sum(rows for _, rows in records)
        return File(path, kind, size, len(records), rows, age_seconds(path), reason(path, kind))
    return None


def owned(directory: Path) -> bool:
    """Whether a process has it: its worker, or a drain."""
    number = os.open(directory / ".lock", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(number)
    return False


def age_seconds(path: Path) -> float | None:
    written = written_us(path.name)
    return None if written is None else max(0.0, time.time() - written / 1_000_000)


def reason(path: Path, kind: Kind) -> str:
    if kind == "old":
        return f"older than {OLDEST_DAYS} days: the ledger may have forgotten its batches"
    return f"damaged: {damage(path)}" if kind == "damaged" else ""


def damage(path: Path) -> str:
    """ "" for a whole file."""
    try:
        return spill.decode(path.read_bytes()).damage or "nothing is wrong with it now"
    except Damaged as error:
        return str(error)
