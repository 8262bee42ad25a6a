"""Room for bodies: how many bytes of them a process holds at once, whatever the number of its threads.

What one body comes to once inflated is bounded elsewhere, by its own size and by heavy ones going alone.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ingest.bodies import Readable
from ingest.errors import NoMemory


class Room:
    """One a process; thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._lock = threading.Lock()

    @contextmanager
    def holding(self, stream: Readable, length: int | None) -> Iterator[Readable]:
        """The body to read. One of announced length has its place before a byte of it is read."""
        counted = Counted(self, stream) if length is None else None
        taken = length or 0
        self._take(taken)
        try:
            yield counted or stream
        finally:
            self._give_back(counted.taken if counted else taken)

    def _take(self, count: int) -> None:
        with self._lock:
            if self._held + count > self._most:
                raise NoMemory("So many bodies are being worked on that there is no room for this one.")
            self._held += count

    def _give_back(self, count: int) -> None:
        with self._lock:
            self._held -= count


class Counted:
    """A body of unannounced length takes its place as it comes."""

    def __init__(self, room: Room, stream: Readable) -> None:
        self._room, self._stream = room, stream
        self.taken = 0

    def read(self, size: int) -> bytes:
        part = self._stream.read(size)
        self._room._take(len(part))
        self.taken += len(part)
        return part
