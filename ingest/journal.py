"""A journal of what was answered: one JSON value a line, each fsynced before `append` returns.

Written by one process at a time (a lock on the file says so), only ever appended to. A line that a crash cut
short is the last one, was never relied upon, and is cut off when the journal is opened again.
"""

import fcntl
import json
import os
from pathlib import Path
from typing import Any, Self


class JournalBusy(RuntimeError):
    """Permanent while the other process lives: two writers would disagree on what is done."""


class Journal:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise JournalBusy(f"{path} is in use by another process.") from error
        self.entries = self._recover()
        sync_directory(path.parent)

    def _recover(self) -> list[Any]:
        whole = self.path.read_bytes()
        kept = whole[: whole.rfind(b"\n") + 1]
        if len(kept) < len(whole):
            os.ftruncate(self._file, len(kept))
        return [json.loads(line) for line in kept.splitlines()]

    def append(self, entry: Any) -> None:
        """On return the entry outlives a power cut."""
        os.write(self._file, json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        os.fsync(self._file)
        self.entries.append(entry)

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def sync_directory(directory: Path) -> None:
    """A new file's name is durable only once its directory is."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
