"""The deadline of a database call, kept by the client.

A server that hangs (stopped, its disk stuck) still acknowledges TCP, so neither statement_timeout nor
keepalives nor tcp_user_timeout ever fires. Here one thread watches every call in flight and shuts the socket
of one that is late; the blocked call then fails with psycopg's OperationalError, and its outcome is unknown
like any lost one's.
"""

import contextlib
import heapq
import itertools
import os
import socket
import threading
import time
from collections.abc import Iterator

from prometheus_client import Counter

DEADLINE_HITS = Counter("logboom_deadline_hits_total", "Database calls cut off because they took too long")


class Leash:
    """One call: when it must be over, and the socket to shut when it is not."""

    def __init__(self, expires: float) -> None:
        self.expires = expires
        self.expired = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def hold(self, fileno: int) -> None:
        """The call goes on over this socket; a duplicate, since the number of a closed one is used again."""
        with self._lock:
            self._drop()
            self._socket = socket.socket(fileno=os.dup(fileno))
            if self.expired:
                self._shut()

    def release(self) -> None:
        with self._lock:
            self._drop()

    def cut(self) -> None:
        with self._lock:
            self.expired = True
            DEADLINE_HITS.inc()
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # not connected any more: as good as shut
                self._socket.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Watchdog:
    """Cuts every call that outlives its deadline. One thread, started with the first call."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = itertools.count()
        self._heap: list[tuple[float, int, Leash]] = []
        self._live: set[Leash] = set()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[Leash]:
        leash = Leash(time.monotonic() + seconds)
        self._watch(leash)
        try:
            yield leash
        finally:
            with self._changed:
                self._live.discard(leash)
            leash.release()

    def _watch(self, leash: Leash) -> None:
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadline", daemon=True)
                self._thread.start()
            self._live.add(leash)
            heapq.heappush(self._heap, (leash.expires, next(self._number), leash))
            if self._heap[0][2] is leash:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            for leash in self._late():
                leash.cut()

    def _late(self) -> list[Leash]:
        """Waits for the next moment that matters; the calls that are late then."""
        with self._changed:
            while self._heap and self._heap[0][2] not in self._live:
                heapq.heappop(self._heap)
            self._changed.wait(self._heap[0][0] - time.monotonic() if self._heap else None)
            late = []
            while self._heap and self._heap[0][0] <= time.monotonic():
                leash = heapq.heappop(self._heap)[2]
                if leash in self._live:
                    late.append(leash)
            return late
