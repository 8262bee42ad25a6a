"""Places for requests with lines, fewer than there are threads: so one is always left for probes.

A place is waited for as long as places come free. Where none does for a while, a broker that hangs or senders
that stopped half-way hold them all, and whoever comes is refused at once until the first one is free again.
Senders that have been silent for SILENT_SECONDS are then cut off (`silence.py`): there is no other end to
them. It is longer than any answer takes: who waits for one shall not be taken for silent.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ingest.errors import NoThreads
from ingest.silence import cut_silent

PATIENCE_SECONDS = 2.0  # large bodies of many fields take a second each; a probe behind it waits no longer
LOOK_SECONDS = 1.0


class Gate:
    """One a process; thread-safe."""

    def __init__(
        self,
        places: int,
        silent_seconds: float,
        *,
        cut: Callable[[float], object] = cut_silent,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._silent_seconds = silent_seconds
        self._cut = cut
        self._clock = clock
        self._patience = patience
        self._stuck = False
        self._looking = threading.Lock()
        self._looked = float("-inf")

    @contextmanager
    def place(self) -> Iterator[None]:
        """Raises NoThreads where there is none."""
        if not self._places.acquire(timeout=0 if self._stuck else self._patience):
            self._stuck = True
            self._end_the_silent()
            raise NoThreads("Every thread is with a request that does not get on.", retry_after=2)
        try:
            yield
        finally:
            self._places.release()
            self._stuck = False

    def _end_the_silent(self) -> None:
        if self._clock() - self._looked >= LOOK_SECONDS and self._looking.acquire(blocking=False):
            try:
                self._looked = self._clock()
                self._cut(self._silent_seconds)
            finally:
                self._looking.release()
