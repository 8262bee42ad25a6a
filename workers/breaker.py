"""The breaker: whether the database is worth asking. Pure: the clock and the dice are given.

CLOSED  every call goes through.
OPEN    after a connection-level error or a deadline: nobody asks until the pause is over.
HALF    one prober asks (SELECT 1 and a one-row write); success closes, failure opens for twice as long.
Pauses double from 1 s to 8 s, each varied by 30 % so that workers do not return in step. A lock wait, a full
disk or bad data never comes here: a breaker that opened on those would stay open for ever. That the
database's disk takes nothing is noted beside it, for the person who must make room.
"""

import random
import threading
import time
from collections.abc import Callable
from enum import IntEnum

from prometheus_client import Counter, Gauge

SHORTEST = 1.0
LONGEST = 8.0
JITTER = 0.3


class Breaking(IntEnum):
    CLOSED = 0
    HALF = 1
    OPEN = 2


BREAKER_STATE = Gauge("logboom_breaker_state", "0 closed, 1 half open, 2 open")
DATABASE_FULL = Gauge(
    "logboom_database_full", "1 while the database is there and does not write: its disk is full or fails"
)
BREAKER_OPENED = Counter("logboom_breaker_opened_total", "Times the breaker went from closed to open")


class Breaker:
    def __init__(
        self, clock: Callable[[], float] = time.monotonic, dice: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._dice = dice
        self._lock = threading.Lock()
        self._pause = 0.0
        self._until = 0.0
        self._state = Breaking.CLOSED
        self.reason = ""
        self.full = ""  # why the database does not write although it is there

    @property
    def state(self) -> Breaking:
        return self._state

    @property
    def closed(self) -> bool:
        return self._state is Breaking.CLOSED

    def fail(self, reason: str) -> None:
        """The database did not answer. A late failure of a call made before it opened lengthens nothing."""
        with self._lock:
            self.reason = reason
            if self._state is Breaking.OPEN:
                return
            if self._state is Breaking.CLOSED:
                BREAKER_OPENED.inc()
            self._pause = min(max(2 * self._pause, SHORTEST), LONGEST)
            self._until = self._clock() + self._pause * (1 + JITTER * (2 * self._dice() - 1))
            self._set(Breaking.OPEN)

    def may_probe(self) -> bool:
        """True for one caller when the pause is over: it must then say `fail` or `succeed`."""
        with self._lock:
            if self._state is not Breaking.OPEN or self._clock() < self._until:
                return False
            self._set(Breaking.HALF)
            return True

    def succeed(self) -> None:
        """The probe was answered and written."""
        with self._lock:
            self._pause = 0.0
            self.reason = ""
            self._set(Breaking.CLOSED)

    def note_full(self, reason: str) -> None:
        self.full = reason
        DATABASE_FULL.set(bool(reason))

    def _set(self, state: Breaking) -> None:
        self._state = state
        BREAKER_STATE.set(state)
