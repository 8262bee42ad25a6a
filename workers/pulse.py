"""Whether this worker gets on. Liveness is progress: a process that is there but stands still must be killed,
and a kill is always safe here.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import Gauge

HEARTBEAT = Gauge(
    "logboom_worker_heartbeat_seconds", "When this worker was last seen to get on, seconds since 1970"
)
HEARTBEAT.set(float("nan"))  # beat has this gauge too, and none of its own
LOOP_SECONDS = 60.0  # a loop that said nothing for longer hangs; the flusher may be in a call or two
DUE_SECONDS = 90.0  # at every look something was due, and no task ever came: the consumer stands still


class Pulse:
    def __init__(
        self, file: Path, *, step_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._file = file
        self._step_seconds = step_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._loops: dict[str, float] = {}
        self._steps: dict[int, float] = {}
        self._due_since: float | None = None

    def beat(self, loop: str) -> None:
        self._loops[loop] = self._clock()
        if self.live():
            HEARTBEAT.set_to_current_time()
            with contextlib.suppress(OSError):  # a volume that fails is the spool's to tell; it ends no loop
                self._file.touch()

    def due(self) -> None:
        """Something is due, and this worker has just told all workers, itself included."""
        with self._lock:
            if self._due_since is None:
                self._due_since = self._clock()

    def nothing_due(self) -> None:
        """Others may have taken it all: hearing nothing is no deafness then."""
        with self._lock:
            self._due_since = None

    @contextmanager
    def step(self) -> Iterator[None]:
        me = threading.get_ident()
        with self._lock:
            self._due_since = None
            self._steps[me] = self._clock()
        try:
            yield
        finally:
            with self._lock:
                del self._steps[me]

    def live(self) -> bool:
        now = self._clock()
        with self._lock:
            deaf = self._due_since is not None and now - self._due_since > DUE_SECONDS
            stuck = any(now - began > self._step_seconds for began in self._steps.values())
        silent = any(now - beat > LOOP_SECONDS for beat in list(self._loops.values()))
        return not (deaf or stuck or silent)
