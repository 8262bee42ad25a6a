"""How long after its 2xx a batch is found by a search: some batches are looked for while the load goes on.

Each is looked for from the moment of its answer until a search shows it, so one that waits out an outage
counts with the outage's length; batches accepted meanwhile are taken as well, up to MOST_PENDING at a time. A
search goes over a range that holds nothing else of the run and costs next to nothing.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from webapp.challenge.journal import Entry

EVERY_SECONDS = 0.5  # at most one batch in so much time is looked for
MOST_PENDING = 20
FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.02, 1.0, 1.5


@dataclass
class Pending:
    batch: int
    since: float
    next_look: float
    pause: float = FIRST_PAUSE


@dataclass
class Watcher:
    is_there: Callable[[int], bool]
    found: list[float] = field(default_factory=list)  # seconds
    pending: list[Pending] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    took: float = 0.0  # when a batch was last taken

    def offer(self, entry: Entry) -> None:
        """Of any thread, right after the answer."""
        now = time.monotonic()
        with self.lock:
            if entry.n and now - self.took >= EVERY_SECONDS and len(self.pending) < MOST_PENDING:
                self.took = now
                self.pending.append(Pending(entry.batch, now, now))

    def run(self) -> None:
        """Until told to stop."""
        while not self.stop.is_set():
            self.look()
            self.stop.wait(self.idle())

    def finish(self, seconds: float) -> None:
        """The load is over: what is looked for may still be found, for so long. Of another thread."""
        deadline = time.monotonic() + seconds
        while self.pending and time.monotonic() < deadline:
            time.sleep(FIRST_PAUSE)

    def idle(self) -> float:
        with self.lock:
            next_look = min((one.next_look for one in self.pending), default=time.monotonic() + FIRST_PAUSE)
        return max(0.0, next_look - time.monotonic())

    def look(self) -> None:
        with self.lock:
            due = [one for one in self.pending if one.next_look <= time.monotonic()]
        for one in due:
            there, now = self.is_there(one.batch), time.monotonic()
            with self.lock:
                if there:
                    self.pending.remove(one)
                    self.found.append(now - one.since)
                else:
                    one.next_look = now + one.pause
                    one.pause = min(LONGEST_PAUSE, one.pause * GROWTH)
