"""Whether the threads that take lines in get on: a thread that stands still is lost until the process ends.

A request has its bounds: the broker is waited for so long and no longer. One that runs much longer hangs. A
sender that is slow is no hanging: while its bytes are waited for nothing counts, and each that comes counts
anew. With half the threads lost the process is to be killed, which is safe: nothing unanswered is promised.
"""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

STUCK_SECONDS = 120.0  # twice the longest that BROKER_WAIT_SECONDS may be


class Progress:
    def __init__(self, threads: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._threads = threads
        self._clock = clock
        self._since: dict[int, float] = {}  # thread -> since when it works without a sign

    def watched(self, application: Application) -> Application:
        def watching(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/livez" and not self.live():
                start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
                return [b"half the threads stand still\n"]
            environ["wsgi.input"] = Body(environ["wsgi.input"], self)
            self.working()
            try:
                return application(environ, start_response)
            finally:
                self.resting()

        return watching

    def working(self) -> None:
        self._since[threading.get_ident()] = self._clock()

    def resting(self) -> None:
        self._since.pop(threading.get_ident(), None)

    def live(self) -> bool:
        late = self._clock() - STUCK_SECONDS
        stuck = sum(since < late for since in list(self._since.values()))
        return 2 * stuck < self._threads


class Body:
    """The request's body: whoever reads it waits for the sender."""

    def __init__(self, inner: Any, progress: Progress) -> None:
        self._inner = inner
        self._progress = progress

    def read(self, *size: int) -> bytes:
        return self._waiting(self._inner.read, *size)

    def readline(self, *size: int) -> bytes:
        return self._waiting(self._inner.readline, *size)

    def _waiting(self, read: Callable[..., bytes], *size: int) -> bytes:
        self._progress.resting()
        try:
            return read(*size)
        finally:
            self._progress.working()
