"""Whether a running process gets on: asked beside the supervisor's loop, which waits for nobody.

The same rule as the chart's: what has once answered and then fails several times in a row is to be killed.
One that is still starting gets longer, for it may have to wait for the broker.
"""

import threading
import time
from collections.abc import Callable

EVERY_SECONDS = 10.0
ANSWER_SECONDS = 10.0  # a busy machine answers late
FAILURES = 4
START_SECONDS = 120.0


class Watch:
    """Of one life of one process. The thread only asks; who reads `dead` does the killing."""

    def __init__(self, live: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._live = live
        self._clock = clock
        self._began = clock()
        self._heard = False
        self._failures = 0
        self._over = threading.Event()
        threading.Thread(target=self._ask_on, name="liveness", daemon=True).start()

    @property
    def dead(self) -> bool:
        if self._heard:
            return self._failures >= FAILURES
        return self._clock() - self._began > START_SECONDS

    def end(self) -> None:
        self._over.set()

    def _ask_on(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            if self._live():
                self._heard, self._failures = True, 0
            else:
                self._failures += 1
