"""The conservation ledger: accepted = stored + duplicate + quarantined + queued + spilled, per minute of
acceptance, source and dialect. Two counts that never come from one another are held against each other.

The books say what came in: accepted and refused are counted by the accept script, duplicate by the move
that finds the batch known (balance.py copies both). Everything else is recounted: stored and quarantined
from `log_batch`, whose rows commit with their lines, found by acceptance number since each minute's are one
stretch; queued and spilled from the broker's entry of every batch that waits, never from a counter. A batch
that is committed and whose worker has not yet told the broker is in both; it counts as stored.

A minute is **settled** when it ended more than SETTLE_SECONDS ago and, by the broker's clock, none of its
books has changed for SETTLE_SECONDS, to the end of the reading. Only a settled minute can be out of balance:
broker and database are not read at one instant, and while batches of a minute move, its lines are between
the two. A batch that simply waits, for an hour if need be, is queued and its minute balances.

A minute whose stretch is not known is never settled: it is from before there was a ledger, or its ingest was.

With the broker away nothing is settled. Of a broker that lost its data the books that were copied remain:
what it held and nobody stored is a difference, for good. Lines accepted after the last copy (10 s, or longer
while the database was away) are then known to their senders alone; those of them that were stored stand as
lines that nobody accepted. Books are kept in the broker for a day after their last batch's end, so a
database away for longer loses counts, not lines. A client's repeat that the broker answers by itself is taken
in nowhere and in no book.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg

from ingest.broker import speaking
from ingest.buffer import Buffer, State
from ingest.waiting import Waiting, held

SETTLE_SECONDS = 60
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

    @property
    def received(self) -> int:
        return self.accepted + sum(self.refused.values())

    @property
    def difference(self) -> int:
        """Above 0: lines are missing; below: there are more than were accepted."""
        found = self.stored + self.duplicate + self.quarantined + self.queued + self.spilled
        return self.accepted - found - self.moving

    def __add__(self, other: "Line") -> "Line":
        reasons = self.refused.keys() | other.refused.keys()
        refused = {name: self.refused.get(name, 0) + other.refused.get(name, 0) for name in sorted(reasons)}
        return Line(refused, *(getattr(self, name) + getattr(other, name) for name in COUNTS))


COUNTS = ("accepted", "duplicate", "stored", "quarantined", "queued", "spilled", "moving")
Lines = dict[Place, Line]


@dataclass(frozen=True, slots=True)
class Held:
    """What the broker said before the tables were read."""

    asked_ms: int
    waiting: list[Waiting]


@dataclass(frozen=True, slots=True)
class Ledger:
    lines: Lines
    broker: bool  # False: the broker is away; what waits is not known and nothing is settled


def read(conn: psycopg.Connection[Any], buffer: Buffer | None, start: int, end: int) -> Ledger:
    """Minutes from `start` to before `end`. Wants a transaction of one snapshot. Raises BrokerGone."""
    return read_spans(conn, buffer, [(start, end)])


def read_spans(conn: psycopg.Connection[Any], buffer: Buffer | None, spans: list[tuple[int, int]]) -> Ledger:
    """The same of several ranges that have no minute in common."""
    held = held_by(buffer) if buffer else None
    lines = {place: line for span in spans for place, line in tabled(conn, held, *span).items()}
    if buffer is None or held is None:
        return Ledger({place: unsettled(line) for place, line in lines.items()}, broker=False)
    since = held.asked_ms - SETTLE_SECONDS * 1000
    return Ledger(settled(lines, buffer.moving(since), since), broker=True)


def held_by(buffer: Buffer) -> Held:
    with speaking():
        seconds, micros = buffer.client.time()
    return Held(seconds * 1000 + micros // 1000, held(buffer.client))


def settled(lines: Lines, moving: set[int], since_ms: int) -> Lines:
    """`since_ms`: a minute that ended later is too young."""
    return {
        place: unsettled(line) if place.minute in moving or (place.minute + 1) * 60_000 > since_ms else line
        for place, line in lines.items()
    }


def unsettled(line: Line) -> Line:
    return replace(line, moving=line.moving + line.difference)


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
BEYOND = 2**63 - 1


def tabled(conn: psycopg.Connection[Any], held: Held | None, start: int, end: int) -> Lines:
    books = {
        Place(*place): Line(refused, accepted, duplicate)
        for *place, refused, accepted, duplicate in conn.execute(BOOKS, [start * 60, end * 60]).fetchall()
    }
    stretches: list[tuple[int, int]] = conn.execute(
        STRETCHES, {"start": start * 60, "end": end * 60}
    ).fetchall()
    lines = added(books, stored(conn, stretches, end))
    if held:
        known = [w for w in held.waiting if start <= w.minute < end]
        lines = added(lines, waiting_lines(known, committed(conn, known)))
    told = {minute for minute, _ in stretches}
    return {place: line if place.minute in told else unsettled(line) for place, line in named(lines).items()}


def stored(conn: psycopg.Connection[Any], stretches: list[tuple[int, int]], end: int) -> Lines:
    after = next((first for minute, first in stretches if minute >= end), BEYOND)
    inside = [(minute, first) for minute, first in stretches if minute < end]
    if not inside:
        return {}
    firsts = [first for _, first in inside]
    values = {"firsts": firsts, "first": firsts[0], "beyond": after, "young": 2 * SETTLE_SECONDS}
    return {
        Place(inside[bucket - 1][0], source, dialect): Line(stored=rows, quarantined=quarantined)
        for bucket, source, dialect, rows, quarantined in conn.execute(RECOUNT, values).fetchall()
    }


def committed(conn: psycopg.Connection[Any], waiting: list[Waiting]) -> set[int]:
    if not waiting:
        return set()
    return {number for (number,) in conn.execute(COMMITTED, [[w.batch for w in waiting]]).fetchall()}


def waiting_lines(waiting: Iterable[Waiting], committed: set[int]) -> Lines:
    lines: Lines = {}
    for one in waiting:
        if one.acceptance not in committed:
            queued = one.state is State.QUEUED
            line = Line(queued=one.rows) if queued else Line(spilled=one.rows)
            place = Place(one.minute, one.source, one.dialect)
            lines[place] = lines.get(place, Line()) + line
    return lines


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


def differences(lines: Lines) -> dict[Place, int]:
    return {place: line.difference for place, line in sorted(lines.items()) if line.difference}


def start_of(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)
