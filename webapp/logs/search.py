"""Pages of lines, in order of (time, nanos, segment, position), both ways, each line exactly once.

The range is scanned in slices that grow as they leave the page's end, newest first or oldest first. A
statement that runs out of time has then still covered the slices before it: the answer is marked partial,
says what it covered, and its cursor goes on from there.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any, Literal

from psycopg import sql

from webapp.access.scope import Scope
from webapp.logs import cursors, lines, times
from webapp.logs.asking import Answering, Ask, Prepared, answering, bad_value, prepared
from webapp.logs.cursors import Cursor
from webapp.logs.errors import OutOfTime
from webapp.logs.lines import Line, Place
from webapp.logs.mending import Note
from webapp.logs.plan import Span
from webapp.logs.tree import EVERYTHING

MAX_LIMIT = 10_000
COUNT_BOUND = 10_000
# How much of an answer's time the count up to the bound may take: the lines are what was asked for.
BOUND_SHARE = 0.3
FIRST_SLICE = 900 * times.SECOND
LEAST_SLICE = times.SECOND // 100
GROWTH = 4
SHRINK = 8
WIDEST = 400 * 86_400 * times.SECOND  # beyond this one slice takes all that is left

PLACE_NAMES = ("at_time", "at_nanos", "at_seg", "at_pos")
BEYOND_PLACE = {
    True: sql.SQL("(time, nanos, seg, pos) > (%(at_time)s, %(at_nanos)s, %(at_seg)s, %(at_pos)s)"),
    False: sql.SQL("(time, nanos, seg, pos) < (%(at_time)s, %(at_nanos)s, %(at_seg)s, %(at_pos)s)"),
}

Order = Literal["desc", "asc"]
Count = Literal["exact", "bound", "none"]


@dataclass(frozen=True, slots=True)
class Page:
    total: int | None
    total_relation: str | None  # eq or gte
    logs: list[Line]
    next: str | None
    prev: str | None
    as_of: str
    as_of_time: str  # when that was, by the database's clock
    partial: bool
    covered: dict[str, str | None] | None  # what a partial answer has looked through
    warnings: tuple[Note, ...]
    took_ms: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One page's part of the walk: from where, which way, how many."""

    ascending: bool
    limit: int
    at: Place | None  # exclusive
    width: int


@dataclass(frozen=True, slots=True)
class Trip:
    """What a page has in common with the pages before and after it."""

    ready: Prepared
    digest: bytes
    count: Count
    come: Cursor | None  # that brought us here

    @property
    def back(self) -> bool:
        return self.come is not None and self.come.back

    @property
    def total(self) -> tuple[int | None, str | None] | None:
        return (self.come.total, self.come.relation) if self.come else None

    def cursor(
        self, answer: Answering, at: Place, back: bool, width: int, total: tuple[int | None, str | None]
    ) -> str:
        span = answer.plan.span
        token = answer.reader.token.encode()
        return cursors.encode(Cursor(self.digest, token, span.start, span.end, at, back, width, *total))


@dataclass(frozen=True, slots=True)
class Found:
    rows: list[Any]  # in the walk's order, one more than the limit if there is more
    stopped: Place | None  # where the time ran out; None if it did not
    width: int = FIRST_SLICE  # to go on with: less than the slice that was too much


def search(
    ask: Ask,
    scope: Scope,
    *,
    limit: int = 100,
    order: Order = "desc",
    count: Count = "bound",
    cursor: str = "",
) -> Page:
    """Raises ReadError (the caller's mistake) or StoreError (our trouble)."""
    ready, come, turn = begun(ask, limit, order, cursor)
    trip = Trip(ready, ask.digest(order), count, come)
    with opened(ask, scope, ready, come) as answer:
        return page(answer, turn, walk(answer, turn), trip)


def begun(ask: Ask, limit: int, order: Order, cursor: str) -> tuple[Prepared, Cursor | None, Turn]:
    """Where a page begins. Raises ReadError."""
    ready = prepared(ask)
    if not 0 <= limit <= MAX_LIMIT:
        raise bad_value("limit", f"A page has 0 to {MAX_LIMIT:,} lines.")
    come = cursors.decode(cursor, ask.digest(order), ask.as_of) if cursor else None
    turn = Turn(
        ascending=(order == "asc") != bool(come and come.back),
        limit=limit,
        at=come.place if come else None,
        width=come.width if come else FIRST_SLICE,
    )
    return ready, come, turn


def opened(ask: Ask, scope: Scope, ready: Prepared, come: Cursor | None) -> AbstractContextManager[Answering]:
    if come is None:
        return answering(ask, scope, ready)
    return answering(replace(ask, as_of=come.as_of), scope, ready, Span(come.start, come.end))


# ---- the walk ----


def walk(answer: Answering, turn: Turn) -> Found:
    rows: list[Any] = []
    for part in slices(answer, turn) if turn.limit and not answer.plan.span.empty else ():
        got = slice_rows(answer, turn, part, turn.limit + 1 - len(rows))
        if got is None:
            return Found(rows, *stopped(part, turn.ascending))
        rows += got
        if len(rows) > turn.limit:
            break
    return Found(rows, None)


def slices(answer: Answering, turn: Turn) -> Iterator[Span]:
    """Adjacent parts of the range from the walk's start on, each wider than the one before."""
    whole, ascending = answer.plan.span, turn.ascending
    near = start_of(whole, turn)
    edge = anchor(answer, near, turn)
    width = max(turn.width, LEAST_SLICE)
    while True:
        edge += width if ascending else -width
        last = width > WIDEST or beyond(edge, whole, ascending)
        far = (whole.end if ascending else whole.start) if last else edge
        yield Span(near, far) if ascending else Span(far, near)
        if last:
            return
        near, width = edge, width * GROWTH


def start_of(whole: Span, turn: Turn) -> int | None:
    """The walk's first instant. A place's own is still in it: the rest of the order tells its lines apart."""
    if turn.at is None:
        return whole.start if turn.ascending else whole.end
    return turn.at.time_us * 1000 + (0 if turn.ascending else 1000)


def anchor(answer: Answering, near: int | None, turn: Turn) -> int:
    """Where widths are counted from: the walk's start, or where there can first be lines at all."""
    if not turn.ascending:
        now = answer.plan.setting.now_ns
        return now if near is None else min(near, now)
    if turn.at is not None and near:
        return near
    return max(near or 0, first_time(answer))


def first_time(answer: Answering) -> int:
    statement = sql.SQL("SELECT min(time) FROM log WHERE {}").format(answer.plan.within(answer.plan.span))
    rows = answer.rows(statement)
    return times.nanoseconds(rows[0][0]) if rows and rows[0][0] else answer.plan.setting.now_ns


def beyond(edge: int, whole: Span, ascending: bool) -> bool:
    if ascending:
        return edge > times.LATEST or (whole.end is not None and edge >= whole.end)
    return edge <= 0 or (whole.start is not None and edge <= whole.start)


def slice_rows(answer: Answering, turn: Turn, part: Span, limit: int) -> list[Any] | None:
    return answer.rows(*slice_statement(answer, turn, part, limit))


def slice_statement(
    answer: Answering, turn: Turn, part: Span, limit: int
) -> tuple[sql.Composed, dict[str, Any]]:
    where = [answer.plan.where(part)]
    params: dict[str, Any] = {"page_limit": limit}
    if turn.at is not None:
        where.append(BEYOND_PLACE[turn.ascending])
        params |= dict(zip(PLACE_NAMES, turn.at.params(), strict=True))
    statement = sql.SQL("SELECT {} FROM log WHERE {} ORDER BY {} LIMIT %(page_limit)s").format(
        lines.COLUMNS, sql.SQL(" AND ").join(where), lines.ORDER[turn.ascending]
    )
    return statement, params


def stopped(part: Span, ascending: bool) -> tuple[Place, int]:
    """The near edge of the slice that was too much, and a width that may not be."""
    near, far = (part.start, part.end) if ascending else (part.end, part.start)
    edge = near if near is not None else 0 if ascending else times.LATEST
    width = abs(far - edge) if far is not None else FIRST_SLICE
    # No line has segment 0, so this place is the bare instant: what is at it is still to come when the walk
    # goes up, and done with when it goes down.
    return Place(edge // 1000, edge % 1000, 0, 0), max(min(width, WIDEST) // SHRINK, LEAST_SLICE)


# ---- the page ----


def page(answer: Answering, turn: Turn, found: Found, trip: Trip) -> Page:
    rows = found.rows[: turn.limit]
    far = found.stopped or (lines.place_of(rows[-1]) if rows and len(found.rows) > turn.limit else None)
    total, relation = trip.total or totals(answer, turn, found, trip)
    way_on = trip.cursor(answer, far, trip.back, found.width, (total, relation)) if far else None
    way_back = None
    if trip.come:
        # Back from the line nearest to where this page began; without one, from before where it began.
        near = lines.place_of(rows[0]) if rows else nudged(trip.come.place, turn.ascending)
        way_back = trip.cursor(answer, near, not trip.back, FIRST_SLICE, (total, relation))
    if trip.back:
        rows, way_on, way_back = rows[::-1], way_back, way_on
    return Page(
        total=total,
        total_relation=relation,
        logs=answer.lines(rows),
        next=way_on,
        prev=way_back,
        as_of=answer.reader.token.encode(),
        as_of_time=times.rfc3339(answer.reader.token.time_us * 1000),
        partial=found.stopped is not None,
        covered=covered(answer, turn, found.stopped),
        warnings=trip.ready.warnings,
        took_ms=answer.clock.took_ms(),
    )


def nudged(place: Place, ascending: bool) -> Place:
    """Places are exclusive: this one lets the line at `place` in again on the way back."""
    return place._replace(pos=place.pos + (1 if ascending else -1))


def covered(answer: Answering, turn: Turn, stop: Place | None) -> dict[str, str | None] | None:
    if stop is None:
        return None
    whole = answer.plan.span
    if turn.ascending:
        near = turn.at.ns if turn.at else whole.start
        return {"start": told(near), "end": told(stop.ns)}
    near = turn.at.ns if turn.at else whole.end
    return {"start": told(stop.ns if near is None else min(stop.ns, near)), "end": told(near)}


def told(ns: int | None) -> str | None:
    return None if ns is None else times.rfc3339(ns)


# ---- the total ----


def totals(answer: Answering, turn: Turn, found: Found, trip: Trip) -> tuple[int | None, str | None]:
    seen = len(found.rows)
    if trip.count == "none":
        return None, None
    if turn.limit and not trip.come and not found.stopped and seen <= turn.limit:
        return seen, "eq"
    if found.stopped:
        return seen, "gte"
    bound = None if trip.count == "exact" else COUNT_BOUND + 1
    share = None if trip.count == "exact" else int(answer.clock.total_ms * BOUND_SHARE)
    counted = counted_to(answer, bound, share)
    if counted is None:
        return seen, "gte"
    return (COUNT_BOUND, "gte") if bound and counted >= bound else (counted, "eq")


def counted_to(answer: Answering, bound: int | None, most_ms: int | None) -> int | None:
    rows = answer.rows(*count_statement(answer, bound), most_ms)
    return None if rows is None else int(rows[0][0])


def count_statement(answer: Answering, bound: int | None) -> tuple[sql.Composed, dict[str, Any]]:
    statement = sql.SQL(
        "SELECT count(*) FROM (SELECT FROM log WHERE {} LIMIT %(count_bound)s) AS found"
    ).format(answer.plan.where(answer.plan.span))
    return statement, {"count_bound": bound}


# ---- one line ----


def line(scope: Scope, line_id: str, as_of: str = "") -> Line | None:
    """None for what is not there, and for what this scope may not see."""
    place = lines.decode_id(line_id)
    if place is None:
        return None
    with answering(Ask(as_of=as_of), scope, Prepared(EVERYTHING, UTC, ()), at(place)) as answer:
        return next(iter(answer.lines(line_rows(answer, place))), None)


def line_rows(answer: Answering, place: Place) -> list[Any]:
    """One row, or none. Raises OutOfTime."""
    statement = sql.SQL("SELECT {} FROM log WHERE {} AND seg = %(seg)s AND pos = %(pos)s").format(
        lines.COLUMNS, answer.plan.where(at(place))
    )
    rows = answer.rows(statement, {"seg": place.seg, "pos": place.pos})
    if rows is None:
        raise OutOfTime("The line was not read in time.")
    return rows


def at(place: Place) -> Span:
    return Span(place.ns, place.ns + 1)
