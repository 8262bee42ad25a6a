"""Places for requests with lines, fewer than there are threads: so one is always left for probes.

A place is waited for as long as places come free. Where none does for a while, a broker that hangs or senders
that stopped half-way hold them all, and whoever comes is refused at once until the first one is free again.
Senders from whom next to nothing came for SLOW_SECONDS of that are cut off (`slowness.py`): there is no other
end to them. It is longer than any answer takes: who waits for one shall not be taken for slow.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ingest.errors import NoThreads

PATIENCE_SECONDS = 2.0  # large bodies of many fields take a second each; a probe behind it waits no longer
LOOK_SECONDS = 1.0


class Gate:
    """One a process; thread-safe."""

    def __init__(
        self,
        places: int,
        cut: Callable[[], object],
        *,
        patience: float = PATIENCE_SECONDS,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._cut = cut
        self._patience = patience
        self._look_seconds = look_seconds
        self._stuck = False
        self._looking = threading.Lock()  # held by the one thread that looks for the slow

    @contextmanager
    def place(self) -> Iterator[None]:
        """Raises NoThreads where there is none."""
        if not self._places.acquire(timeout=0 if self._stuck else self._patience):
            self._stuck = True
            if self._looking.acquire(blocking=False):
                threading.Thread(target=self._look, name="slowness", daemon=True).start()
            raise NoThreads("Every thread is with a request that does not get on.", retry_after=2)
        try:
            yield
        finally:
            self._places.release()
            self._stuck = False

    def _look(self) -> None:
        """Also while nobody else comes: the next one shall find a place."""
        try:
            while self._stuck:
                self._cut()
                time.sleep(self._look_seconds)
        finally:
            self._looking.release()
