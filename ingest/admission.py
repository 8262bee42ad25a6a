"""When to refuse, and when to wait.

Full: above a share of the broker's memory nothing new is taken, since a broker at its bound can no longer
hand out what it holds. Crowded: above a smaller one, a source that holds more than its part of it is refused
and the others are not (`fairness.py`). Where there is one source only, there is nobody to keep room for.
Refusing costs no round trip: the broker is polled, at most every quarter of a second, by one thread at a
time. Retry-After is what draining will take.

Gone: many agents give up after one or two refusals, so a restart of the broker is waited out, for at most
BROKER_WAIT_SECONDS and by at most half the threads. The others answer at once, or a broker that hangs would
take every thread with it. Once it is known to be gone no more than that half even ask.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, repeat
from typing import TypeVar

from django.conf import settings

from ingest import fairness
from ingest.buffer import Buffer, Depth
from ingest.directory import SourceEntry
from ingest.errors import BrokerFull, BrokerGone, OverShare

POLL_SECONDS = 0.25
PATIENCE_SECONDS = 2.0  # a thread this long with the broker counts as waiting; a slow fsync takes less
PAUSES = (0.05, 0.1, 0.2, 0.4)  # between tries, the last one over and over

Answer = TypeVar("Answer")


class Admission:
    """One a process; thread-safe."""

    def __init__(
        self,
        buffer: Buffer,
        *,
        share: float | None = None,
        fair_share: float | None = None,
        wait_seconds: float | None = None,
        threads: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """What is not given is the settings'."""
        self._buffer = buffer
        self._share = settings.ADMISSION_SHARE if share is None else share
        self._fair_share = settings.ADMISSION_FAIR_SHARE if fair_share is None else fair_share
        self._wait_seconds = settings.BROKER_WAIT_SECONDS if wait_seconds is None else wait_seconds
        self._most_waiting = max(1, (settings.INGEST_THREADS if threads is None else threads) // 2)
        self._clock = clock
        self._sleep = sleep
        self._polling = threading.Lock()
        self._polled = float("-inf")
        self._refusal: int | None = None  # the Retry-After of now, None while there is room
        self.crowded = False  # above the fair share
        self._overdrawn: Mapping[int, int] = {}  # source -> its Retry-After, while it is
        self._lock = threading.Lock()
        self._talking: dict[int, float] = {}  # thread -> since when it is with the broker
        self._waiting: set[int] = set()  # threads that have been told that it is gone
        self._gone = False  # the last word of it

    def check(self, source: int, sources: Mapping[int, SourceEntry]) -> None:
        """Raises BrokerFull, or OverShare, while the broker has no room for this source."""
        if self._clock() - self._polled >= POLL_SECONDS and self._polling.acquire(blocking=False):
            try:
                self._poll(sources)
            finally:
                self._polling.release()
        if self._refusal is not None:
            raise BrokerFull(
                "The broker is full: no more is taken until it drains.", retry_after=self._refusal
            )
        if (seconds := self._overdrawn.get(source)) is not None:
            raise OverShare(
                "The broker fills up, and this source holds more of it than its share: what room there is "
                "left is for the others until this one's lines drain.",
                retry_after=seconds,
            )

    def _poll(self, sources: Mapping[int, SourceEntry]) -> None:
        self._polled = self._clock()
        try:
            with self.talking():
                depth = self._buffer.depth()
        except BrokerGone:
            return  # accepting will find that out, and wait for it
        self._refusal = retry_after(depth) if depth.memory_share >= self._share else None
        self.crowded = depth.memory_share >= self._fair_share
        shared = self.crowded and len(sources) > 1
        weights = {source: entry.weight for source, entry in sources.items()} if shared else {}
        self._overdrawn = fairness.overdrawn(depth, weights, self._fair_share) if shared else {}

    def waiting(self, attempt: Callable[[], Answer]) -> Answer:
        """What `attempt` gives, tried again while the broker is gone. It must be safe to run twice."""
        deadline = self._clock() + self._wait_seconds
        pauses = chain(PAUSES, repeat(PAUSES[-1]))
        with self.talking():
            while True:
                try:
                    answer = attempt()
                    self._gone = False
                    return answer
                except BrokerGone:
                    self._gone = True
                    pause = next(pauses)
                    if self._clock() + pause >= deadline or not self._may_wait():
                        raise
                    self._sleep(pause)

    @contextmanager
    def talking(self) -> Iterator[None]:
        """Around whatever asks the broker. Raises BrokerGone where enough threads wait for its answer."""
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
        """How many threads wait. While nobody has had an answer, each that asks does."""
        if self._gone:
            return len(self._talking)
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
    return fairness.seconds(depth.queued_rows, depth.drain_rate)
