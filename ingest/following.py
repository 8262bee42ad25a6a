"""A path that is written to and rotated, followed: each poll sends what became whole since the one before.

A poll sends the lines that began before the last one: by now they, and a trace that goes on with them, are
written to their end. Behind a new file of the name the old one is read on until it was quiet for a while: its
writer may not have noticed. A file cut short in place (copytruncate) is begun anew, once what only its copy
has was sent. Where a rotation fell between two runs, the older file is finished first.
"""

import glob
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ingest import chunks
from ingest.journal import JournalBusy
from ingest.shipment import OnChunk, Shipment, Tally, journals_of

QUIET_SECONDS = 10.0  # of a file that was rotated away; writers are told to reopen within a second or two


@dataclass
class Held:
    """One open file of the path."""

    file: BinaryIO
    shipment: Shipment
    changed: float  # when its size last differed
    from_start: bool
    settled: int = 0  # its size at the poll before

    def send(self, now: float, tally: Tally, on_chunk: OnChunk) -> None:
        if self.settled > (0 if self.from_start else self.shipment.place.offset):
            self.shipment.send(tally, on_chunk, from_start=self.from_start, until=self.settled)
            self.from_start = False
        if (size := self.size()) != self.settled:
            self.settled, self.changed = size, now

    def size(self) -> int:
        return os.fstat(self.file.fileno()).st_size

    def close(self) -> None:
        self.shipment.close()
        self.file.close()


@dataclass
class Follower:
    path: Path
    board: Callable[[BinaryIO], Shipment]
    directory: Path  # of the journals
    from_start: bool = False
    tally: Tally = field(default_factory=Tally)
    _current: Held | None = None
    _leaving: list[Held] = field(default_factory=list)
    _begun: bool = False

    def poll(self, now: float, on_chunk: OnChunk) -> None:
        """Raises what `Sender.post` raises; nothing is lost by that, the next poll goes on."""
        if not self._begun:
            self._begun = True
            self.take_up(now)
        self.look(now, on_chunk)
        for held in [*self._leaving]:
            held.send(now, self.tally, on_chunk)
            if now - held.changed > QUIET_SECONDS:
                held.shipment.send(self.tally, on_chunk)  # to its end, whole line or not
                self._leaving.remove(held)
                held.close()
        if self._current:
            self._current.send(now, self.tally, on_chunk)

    def take_up(self, now: float) -> None:
        """What was rotated away since the last run."""
        for sibling in siblings(self.path):
            if known_lines(sibling, self.directory):
                try:
                    self._leaving.append(self.held(sibling.open("rb"), now))
                except (JournalBusy, OSError):
                    continue  # followed under that name, or gone meanwhile

    def look(self, now: float, on_chunk: OnChunk) -> None:
        """Which file the path names now, and whether that is still what it was."""
        held = self._current
        if held and held.shipment.renewed():
            if held.shipment.cut_short():
                self.finish_copy(held.shipment, on_chunk)
                held.shipment.begin_anew()
            self._current = None
            held.close()
            held = None
        try:
            named = self.path.stat()
            if held and os.path.samestat(named, os.fstat(held.file.fileno())):
                return
            if held:
                held.changed, self._current = now, None
                self._leaving.append(held)
            if named.st_size:  # an empty file has no head to be known by
                self._current = self.held(self.path.open("rb"), now)
        except FileNotFoundError:
            return  # between two files; what is held is read on

    def held(self, file: BinaryIO, now: float) -> Held:
        try:
            shipment = self.board(file)
        except BaseException:
            file.close()
            raise
        if not self.from_start:
            self.tally.skipped += shipment.place.line - 1
        return Held(file, shipment, now, self.from_start)

    def finish_copy(self, shipment: Shipment, on_chunk: OnChunk) -> None:
        """The lines between the last poll and the cut, from the copy: same places, so the same batches."""
        for copy in filter(None, map(opened, siblings(self.path))):
            with copy:
                if shipment.is_copy(copy):
                    shipment.file = copy
                    shipment.send(self.tally, on_chunk)
                    return

    def close(self) -> None:
        for held in [*self._leaving, *([self._current] if self._current else [])]:
            held.close()


def siblings(path: Path) -> list[Path]:
    """Files whose name begins with the path's, oldest first; any may be gone the next moment."""
    found: list[tuple[float, Path]] = []
    for one in path.parent.glob(f"{glob.escape(path.name)}?*"):
        with suppress(FileNotFoundError):
            found.append((one.stat().st_mtime, one))
    return [one for _, one in sorted(found) if one.is_file()]


def opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except OSError:  # gone, or not ours to read
        return None


def known_lines(path: Path, directory: Path) -> bool:
    if (file := opened(path)) is None:
        return False
    with file:
        try:
            return bool(journals_of(directory, chunks.fingerprint(file)))
        except chunks.NotLines:
            return False
