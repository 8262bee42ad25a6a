"""The conservation ledger: accepted = stored + duplicate + quarantined + queued + spilled, per minute of
acceptance, source and dialect. Two counts that never come from one another are held against each other.

The books say what came in: accepted and refused are counted by the accept script, duplicate by the move
that finds the batch known (balance.py copies both). Everything else is recounted: stored and quarantined
from `log_batch`, whose rows commit with their lines, found by acceptance number since each minute's are one
stretch; queued and spilled from the broker's entry of every batch that waits, never from a counter. A
spilled one counts with the rows that a worker found in its files (webapp/spilled.py): one that no volume
holds is missing. A batch that is committed and whose worker has not yet told the broker is in both; it counts
as stored.

A minute is **settled** when it ended more than SETTLE_SECONDS ago and, by the broker's clock, none of its
books has changed for SETTLE_SECONDS, to the end of the reading. Only a settled minute can be out of balance:
broker and database are not read at one instant, and while batches of a minute move, its lines are between
the two. A batch that simply waits, for an hour if need be, is queued and its minute balances. What waits is
read page by page: what moves meanwhile is of a minute that is not settled, and so are the minutes that the
time given for it did not suffice for.

Where the acceptances of a minute are not known, it is from before there was a ledger, or its ingest was: its
lines are `unknown`, and no difference.

With the broker away nothing is settled. Of a broker that lost its data the books that were copied remain:
what it held and nobody stored is a difference, for good. Lines accepted after the last copy (10 s, or longer
while the database was away) are then known to their senders alone; those of them that were stored stand as
lines that nobody accepted. Books are kept in the broker for a day after their last batch's end, so a
database away for longer loses counts, not lines. A client's repeat that the broker answers by itself is taken
in nowhere and in no book.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg

from ingest.broker import speaking
from ingest.buffer import Buffer, State
from ingest.waiting import LARGEST, Waiting, pages
from webapp.spilled import Files

SETTLE_SECONDS = 60
WAITING_SECONDS = 5.0  # for reading what waits: half a million batches
MOST_DAYS = 34  # a day less than `log_batch` remembers


class Place(NamedTuple):
    minute: int  # since 1970
    source: int
    dialect: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the ledger, or a sum of such lines."""

    refused: Mapping[str, int] = field(default_factory=dict)
    accepted: int = 0
    duplicate: int = 0
    stored: int = 0
    quarantined: int = 0
    queued: int = 0
    spilled: int = 0
    moving: int = 0  # what is out of balance in minutes that are not settled: no difference
    unknown: int = 0  # the same of minutes that cannot be recounted
    unheld: int = 0  # batches that the broker takes for spilled and no volume holds: their lines are missing

    @property
    def received(self) -> int:
        return self.accepted + sum(self.refused.values())

    @property
    def difference(self) -> int:
        """Above 0: lines are missing; below: there are more than were accepted."""
        found = self.stored + self.duplicate + self.quarantined + self.queued + self.spilled
        return self.accepted - found - self.moving - self.unknown

    def __add__(self, other: "Line") -> "Line":
        reasons = self.refused.keys() | other.refused.keys()
        refused = {name: self.refused.get(name, 0) + other.refused.get(name, 0) for name in sorted(reasons)}
        return Line(refused, *(getattr(self, name) + getattr(other, name) for name in COUNTS))


COUNTS = (
    "accepted", "duplicate", "stored", "quarantined", "queued", "spilled", "moving", "unknown", "unheld",
)  # fmt: skip
Lines = dict[Place, Line]


@dataclass(frozen=True, slots=True)
class Ledger:
    lines: Lines
    broker: bool  # False: the broker is away; what waits is not known and nothing is settled


class Span(NamedTuple):
    """Minutes from `start` to before `end`, and what is known of the acceptances given in them."""

    start: int
    end: int
    firsts: list[tuple[int, int]]  # minute, first acceptance: of those minutes that are known
    low: int  # acceptances of the span are from here
    high: int  # to before here

    def minute_of(self, acceptance: int) -> int:
        return max((minute for minute, first in self.firsts if first <= acceptance), default=self.start)


def read(
    conn: psycopg.Connection[Any],
    buffer: Buffer | None,
    start: int,
    end: int,
    seconds: float = WAITING_SECONDS,
) -> Ledger:
    """Minutes from `start` to before `end`. Wants a transaction of one snapshot. Raises BrokerGone."""
    return read_spans(conn, buffer, [(start, end)], seconds)


def read_spans(
    conn: psycopg.Connection[Any],
    buffer: Buffer | None,
    spans: list[tuple[int, int]],
    seconds: float = WAITING_SECONDS,
) -> Ledger:
    """The same of several ranges that have no minute in common."""
    asked_ms = now_ms(buffer) if buffer else time.time_ns() // 1_000_000
    tables = [(span, tabled(conn, span)) for span in (span_of(conn, *bounds) for bounds in spans)]
    deadline = time.monotonic() + seconds
    files = Files(buffer.client) if buffer else None
    lines: Lines = {}
    for span, found in tables:
        waits, unread = waiting(conn, buffer, span, files, deadline) if buffer and files else ({}, span.end)
        lines |= judged(named(added(found, waits)), span, unread, asked_ms)
    if buffer is None:
        return Ledger({place: unsettled(line) for place, line in lines.items()}, broker=False)
    since_ms = asked_ms - SETTLE_SECONDS * 1000
    return Ledger(settled(lines, buffer.moving(since_ms), since_ms), broker=True)


def now_ms(buffer: Buffer) -> int:
    with speaking():
        seconds, micros = buffer.client.time()
    return int(seconds) * 1000 + int(micros) // 1000


def judged(lines: Lines, span: Span, unread: int, asked_ms: int) -> Lines:
    """`unread`: the first minute of which not all that waits was read."""
    told = {minute for minute, _ in span.firsts}
    old = (asked_ms - 2 * SETTLE_SECONDS * 1000) // 60_000  # younger: its acceptances are not copied yet
    return {
        place: unknown(line)
        if place.minute not in told and place.minute < old
        else line
        if place.minute in told and place.minute < unread
        else unsettled(line)
        for place, line in lines.items()
    }


def settled(lines: Lines, moving: set[int], since_ms: int) -> Lines:
    """`since_ms`: a minute that ended later is too young."""
    return {
        place: unsettled(line) if place.minute in moving or (place.minute + 1) * 60_000 > since_ms else line
        for place, line in lines.items()
    }


def unsettled(line: Line) -> Line:
    return replace(line, moving=line.moving + line.difference, unheld=0)


def unknown(line: Line) -> Line:
    return replace(line, unknown=line.unknown + line.difference, unheld=0)


# ---- what the tables say ----

BOOKS = """
SELECT (extract(epoch FROM time) / 60)::bigint, source, dialect, refused, accepted, duplicate
FROM log_minute WHERE time >= to_timestamp(%s) AND time < to_timestamp(%s)
"""
STRETCHES = """
SELECT (extract(epoch FROM time) / 60)::bigint, first FROM log_stretch
WHERE time >= to_timestamp(%(start)s)
  AND time <= coalesce((SELECT min(time) FROM log_stretch WHERE time >= to_timestamp(%(end)s)), 'infinity')
ORDER BY first
"""
BEFORE = "SELECT last FROM log_stretch WHERE time < to_timestamp(%s) ORDER BY time DESC LIMIT 1"
# An acceptance above every known stretch is of a minute that is not copied yet, unless it is old.
RECOUNT = """
SELECT width_bucket(acceptance, %(firsts)s::int8[]), source, dialect, sum(rows)::bigint,
       sum(quarantined)::bigint
FROM log_batch WHERE acceptance >= %(first)s AND acceptance < %(beyond)s
  AND NOT (acceptance > (SELECT max(last) FROM log_stretch)
           AND committed > now() - %(young)s * interval '1 second')
GROUP BY 1, 2, 3
"""
COMMITTED = "SELECT acceptance FROM log_batch WHERE batch = ANY(%s)"


def span_of(conn: psycopg.Connection[Any], start: int, end: int) -> Span:
    values = {"start": start * 60, "end": end * 60}
    stretches: list[tuple[int, int]] = conn.execute(STRETCHES, values).fetchall()
    before = conn.execute(BEFORE, [start * 60]).fetchone()
    high = next((first for minute, first in stretches if minute >= end), LARGEST)
    firsts = [(minute, first) for minute, first in stretches if minute < end]
    return Span(start, end, firsts, before[0] + 1 if before else 0, high)


def tabled(conn: psycopg.Connection[Any], span: Span) -> Lines:
    books = {
        Place(*place): Line(refused, accepted, duplicate)
        for *place, refused, accepted, duplicate in conn.execute(
            BOOKS, [span.start * 60, span.end * 60]
        ).fetchall()
    }
    return added(books, stored(conn, span))


def stored(conn: psycopg.Connection[Any], span: Span) -> Lines:
    if not span.firsts:
        return {}
    firsts = [first for _, first in span.firsts]
    values = {"firsts": firsts, "first": firsts[0], "beyond": span.high, "young": 2 * SETTLE_SECONDS}
    return {
        Place(span.firsts[bucket - 1][0], source, dialect): Line(stored=rows, quarantined=quarantined)
        for bucket, source, dialect, rows, quarantined in conn.execute(RECOUNT, values).fetchall()
    }


# ---- what the broker says ----


def waiting(
    conn: psycopg.Connection[Any], buffer: Buffer, span: Span, files: Files, deadline: float
) -> tuple[Lines, int]:
    """What waits, and the first minute of which not all was read. Asks both by turns: neither idles long."""
    tally = Tally()
    for page in pages(buffer.client, span.low, span.high):
        inside = [w for w in page.batches if span.start <= w.minute < span.end]
        tally.add(inside, committed(conn, inside), files.rows)
        if page.beyond is not None and time.monotonic() > deadline:
            return tally.lines(), span.minute_of(page.beyond)
    return tally.lines(), span.end


def committed(conn: psycopg.Connection[Any], batches: list[Waiting]) -> set[int]:
    """Asked of no batch, too: PostgreSQL ends a transaction that is idle for some seconds."""
    return {number for (number,) in conn.execute(COMMITTED, [[w.batch for w in batches]]).fetchall()}


class Tally:
    def __init__(self) -> None:
        self._counts: dict[Place, list[int]] = {}  # rows queued, rows spilled, batches unheld

    def add(
        self, batches: Iterable[Waiting], committed: set[int], in_files: Callable[[int], int | None]
    ) -> None:
        for one in batches:
            if one.acceptance in committed:
                continue
            counts = self._counts.setdefault(Place(one.minute, one.source, one.dialect), [0, 0, 0])
            if one.state is State.QUEUED:
                counts[0] += one.rows
            elif (rows := in_files(one.acceptance)) is not None:
                counts[1] += rows
            else:
                counts[2] += 1

    def lines(self) -> Lines:
        return {
            place: Line(queued=queued, spilled=spilled, unheld=unheld)
            for place, (queued, spilled, unheld) in self._counts.items()
        }


def added(*books: Lines) -> Lines:
    found: Lines = {}
    for book in books:
        for place, line in book.items():
            found[place] = found[place] + line if place in found else line
    return found


def named(lines: Lines) -> Lines:
    """A batch put away unread has no dialect in the table: it goes to the lines that lack as much."""
    found = {place: line for place, line in lines.items() if place.dialect}
    for place, nameless in sorted(lines.items()):
        if place.dialect:
            continue
        left = nameless.quarantined
        for other in sorted(p for p in found if p[:2] == place[:2]):
            share = max(0, min(left, found[other].difference))
            found[other] += Line(quarantined=share)
            left -= share
        if left or nameless.accepted:
            found[place] = replace(nameless, quarantined=left)
    return found


# ---- sums ----


def by_source(lines: Lines) -> dict[int, Line]:
    found: dict[int, Line] = {}
    for place, line in lines.items():
        found[place.source] = found.get(place.source, Line()) + line
    return found


def by_dialect(lines: Lines) -> dict[str, Line]:
    found: dict[str, Line] = {}
    for place, line in lines.items():
        found[place.dialect] = found.get(place.dialect, Line()) + line
    return found


def by_minute(lines: Lines) -> dict[int, Line]:
    found: dict[int, Line] = {}
    for place, line in sorted(lines.items()):
        found[place.minute] = found.get(place.minute, Line()) + line
    return found


def total(lines: Lines) -> Line:
    return sum(lines.values(), Line())


def differences(lines: Lines) -> Lines:
    return {place: line for place, line in sorted(lines.items()) if line.difference}


def start_of(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)
