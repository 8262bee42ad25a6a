"""A client that goes away takes its SQL with it: whoever asked is a `Caller`, and every read of his is known.

The event loop hears him go (webapp/asgi.py), the SQL runs in threads; a context variable leads from one to
the other. `snapshot.reading` is where reads are entered, so that no endpoint can forget to. Without a caller,
as in a command or a test, nothing is kept.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import psycopg
from prometheus_client import Counter

from webapp.logs.errors import ReadError

CANCEL_SECONDS = 2.0
AGAIN_SECONDS = 0.05
GIVE_UP_SECONDS = 10.0  # a server that hangs hears no cancelling either
CANCELLED = Counter("logboom_web_reads_cancelled", "Reads that were ended because their client had gone")


class Gone(ReadError):
    """Nobody waits for this answer any more."""


class Caller:
    """One request, in as many threads as it reads from."""

    def __init__(self) -> None:
        self.left = False
        self._lock = threading.Lock()
        self._reads: list[psycopg.Connection[Any]] = []

    def check(self) -> None:
        """Raises Gone."""
        if self.left:
            raise Gone("The client has gone.")

    @contextlib.contextmanager
    def reading(self, conn: psycopg.Connection[Any]) -> Iterator[None]:
        with self._lock:
            self.check()
            self._reads.append(conn)
        try:
            yield
        except psycopg.errors.QueryCanceled:
            self.check()
            raise
        finally:
            # Before the connection goes back to the pool: nobody else's statement must be cancelled.
            with self._lock:
                self._reads.remove(conn)

    def leave(self) -> None:
        """Ends every read; returns when there is none. Blocks, so call it from a thread."""
        self.left = True
        ends = time.monotonic() + GIVE_UP_SECONDS
        CANCELLED.inc(self._cancel())
        # Again and again: a cancel that comes between two statements is lost.
        while self._reads and time.monotonic() < ends:
            time.sleep(AGAIN_SECONDS)
            self._cancel()

    def _cancel(self) -> int:
        with self._lock:
            for conn in self._reads:
                with contextlib.suppress(psycopg.Error):  # a server that cannot be told is gone, and its SQL
                    conn.cancel_safe(timeout=CANCEL_SECONDS)
            return len(self._reads)


CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)


def check() -> None:
    """Raises Gone where nobody waits for the answer."""
    if caller := CALLER.get():
        caller.check()


def reading(conn: psycopg.Connection[Any]) -> contextlib.AbstractContextManager[None]:
    caller = CALLER.get()
    return caller.reading(conn) if caller else contextlib.nullcontext()
