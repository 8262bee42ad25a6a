"""When to refuse, and when to wait.

Full: above a share of the broker's memory nothing new is taken, since a broker at its bound can no longer
hand out what it holds. Refusing costs no round trip: the share is polled, at most every quarter of a second,
by one thread at a time. Retry-After is what draining the backlog will take.

Gone: many agents give up after one or two refusals, so a restart of the broker is waited out, for at most
BROKER_WAIT_SECONDS and by at most half the threads. The others answer at once, or a broker that hangs would
take every thread with it, the probes' included.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from typing import TypeVar

from django.conf import settings

from ingest.buffer import Buffer, Depth
from ingest.errors import BrokerFull, BrokerGone

POLL_SECONDS = 0.25
PATIENCE_SECONDS = 2.0  # a thread this long with the broker counts as waiting; a slow fsync takes less
PAUSES = (0.05, 0.1, 0.2, 0.4)  # between tries, the last one over and over
RETRY_LEAST, RETRY_MOST = 1, 60  # seconds

Answer = TypeVar("Answer")


class Admission:
    """One a process; thread-safe."""

    def __init__(
        self,
        buffer: Buffer,
        *,
        share: float | None = None,
        wait_seconds: float | None = None,
        threads: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """What is not given is the settings'."""
        self._buffer = buffer
        self._share = settings.ADMISSION_SHARE if share is None else share
        self._wait_seconds = settings.BROKER_WAIT_SECONDS if wait_seconds is None else wait_seconds
        self._most_waiting = max(1, (settings.INGEST_THREADS if threads is None else threads) // 2)
        self._clock = clock
        self._sleep = sleep
        self._polling = threading.Lock()
        self._polled = float("-inf")
        self._refusal: int | None = None  # the Retry-After of now, None while there is room
        self._lock = threading.Lock()
        self._talking: dict[int, float] = {}  # thread -> since when it is with the broker
        self._waiting: set[int] = set()  # threads that have been told that it is gone

    def check(self) -> None:
        """Raises BrokerFull while the broker has no room. Never waits for the broker."""
        if self._clock() - self._polled >= POLL_SECONDS and self._polling.acquire(blocking=False):
            try:
                self._poll()
            finally:
                self._polling.release()
        if self._refusal is not None:
            raise BrokerFull(
                "The broker is full: no more is taken until it drains.", retry_after=self._refusal
            )

    def _poll(self) -> None:
        self._polled = self._clock()
        try:
            with self._talk():
                depth = self._buffer.depth()
        except BrokerGone:
            return  # accepting will find that out, and wait for it
        self._refusal = retry_after(depth) if depth.memory_share >= self._share else None

    def waiting(self, attempt: Callable[[], Answer]) -> Answer:
        """What `attempt` gives, tried again while the broker is gone. It must be safe to run twice."""
        deadline = self._clock() + self._wait_seconds
        pauses = chain(PAUSES, repeat(PAUSES[-1]))
        with self._talk():
            while True:
                try:
                    return attempt()
                except BrokerGone:
                    pause = next(pauses)
                    if self._clock() + pause >= deadline or not self._may_wait():
                        raise
                    self._sleep(pause)

    @contextmanager
    def _talk(self) -> Iterator[None]:
        me = threading.get_ident()
        with self._lock:
            if self._stuck() >= self._most_waiting:
                raise BrokerGone("The broker does not answer, and enough requests are waiting for it.")
            self._talking[me] = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._talking.pop(me, None)
                self._waiting.discard(me)

    def _stuck(self) -> int:
        late = self._clock() - PATIENCE_SECONDS
        return len(self._waiting | {thread for thread, since in self._talking.items() if since < late})

    def _may_wait(self) -> bool:
        """A place among those who wait, kept until the request ends."""
        me = threading.get_ident()
        with self._lock:
            if me not in self._waiting and len(self._waiting) >= self._most_waiting:
                return False
            self._waiting.add(me)
            return True


def retry_after(depth: Depth) -> int:
    """Whole seconds until the queue has drained at its present rate."""
    if depth.drain_rate <= 0:
        return RETRY_MOST
    return min(RETRY_MOST, max(RETRY_LEAST, math.ceil(depth.queued_rows / depth.drain_rate)))
