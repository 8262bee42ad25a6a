"""Every line of a search, page after page under one as_of, in the memory of one page.

Each page is a transaction of its own: a client that reads slowly holds no connection and no snapshot. The
first page settles the set and the range, the others go on from place to place, so that whatever is stored
meanwhile, each line comes once.
"""

import time
from dataclasses import dataclass, field, replace

from webapp.access.scope import Scope
from webapp.logs import lines
from webapp.logs.asking import Ask, Prepared, answering, prepared
from webapp.logs.errors import OutOfTime
from webapp.logs.lines import Line, Place
from webapp.logs.plan import Span
from webapp.logs.search import FIRST_SLICE, Found, Order, Turn, walk
from webapp.logs.token import Token

PAGE_LINES = 1000
# Pages in a row that found nothing and came no further; each looks at a shorter slice than the last.
MOST_STANDING = 5


@dataclass
class Export:
    """Raises Refused when made; `page` raises ReadError or StoreError."""

    ask: Ask  # its timeout is for all pages together; 0 is none
    scope: Scope
    order: Order
    done: bool = False
    token: Token | None = None  # of the set, once the first page was read
    ready: Prepared = field(init=False)
    span: Span | None = None
    at: Place | None = None
    width: int = FIRST_SLICE
    standing: int = 0
    ends: float | None = None

    def __post_init__(self) -> None:
        self.ready = prepared(self.ask)
        if self.ask.timeout_ms:
            self.ends = time.monotonic() + self.ask.timeout_ms / 1000

    def page(self, most_ms: int = 0) -> list[Line]:
        """The next lines; none, perhaps, where time ran out. `done` says that there is no more."""
        with answering(self.asked(most_ms), self.scope, self.ready, self.span) as answer:
            turn = Turn(ascending=self.order == "asc", limit=PAGE_LINES, at=self.at, width=self.width)
            found = walk(answer, turn)
            rows = found.rows[:PAGE_LINES]
            told = answer.lines(rows)
            self.token, self.span = answer.reader.token, answer.plan.span
            self.go_on(found, lines.place_of(rows[-1]) if rows else None)
            return told

    def asked(self, most_ms: int) -> Ask:
        """Raises OutOfTime."""
        if self.ends is not None:
            left_ms = int((self.ends - time.monotonic()) * 1000)
            if left_ms <= 0:
                raise OutOfTime("The time was over before the last line.")
            most_ms = min(most_ms or left_ms, left_ms)
        as_of = self.token.encode() if self.token else self.ask.as_of
        return replace(self.ask, as_of=as_of, timeout_ms=most_ms)

    def go_on(self, found: Found, last: Place | None) -> None:
        if not found.stopped and len(found.rows) <= PAGE_LINES:
            self.done = True
            return
        place = found.stopped or last
        assert place is not None
        self.standing = 0 if self.further(place) else self.standing + 1
        if self.standing >= MOST_STANDING:
            raise OutOfTime("Even a short stretch of the range was not read in time.")
        self.at, self.width = place, found.width

    def further(self, place: Place) -> bool:
        return self.at is None or (place > self.at if self.order == "asc" else place < self.at)
