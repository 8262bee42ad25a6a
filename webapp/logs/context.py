"""What stood around a line: its neighbours in the one order of lines, on its host, service, source, or all.

Each side has a cursor that goes on away from the line, under the same as_of. A cursor brings its own side
only: whoever follows it has the other one already.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any, Literal

import msgspec

from webapp.access.scope import Scope
from webapp.logs import cursors, lines, times
from webapp.logs.asking import Answering, Ask, Clock, Prepared, answering, bad_value
from webapp.logs.cursors import Cursor
from webapp.logs.lines import Line, Place
from webapp.logs.plan import Plan, Span
from webapp.logs.search import FIRST_SLICE, Found, Turn, line_rows, walk
from webapp.logs.tree import EVERYTHING, Clause, Equals, Field, Kind, Node

MAX_AROUND = 1000

Around = Literal["host", "service", "source", "all"]


@dataclass(frozen=True, slots=True)
class Context:
    line: Line
    before: list[Line]  # both in order of time
    after: list[Line]
    prev: str | None  # a cursor to what stands before `before`; None where there is no more
    next: str | None
    as_of: str
    partial: bool
    covered: dict[str, str | None] | None  # what a partial answer has looked through
    took_ms: int


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two ways to go from the line: the lines there, nearest first, and the cursor behind them."""

    rows: list[Any]
    cursor: str | None
    stopped: Place | None  # where the time ran out


NOWHERE = Side([], None, None)


def context(
    line_id: str,
    scope: Scope,
    *,
    before: int = 20,
    after: int = 20,
    around: Around = "host",
    cursor: str = "",
    as_of: str = "",
    timeout_ms: int = 0,
) -> Context | None:
    """None for what is not there, and for what this scope may not see. Raises ReadError or StoreError."""
    for param, number in (("before", before), ("after", after)):
        if not 0 <= number <= MAX_AROUND:
            raise bad_value(param, f"0 to {MAX_AROUND:,} lines.")
    place = lines.decode_id(line_id)
    if place is None:
        return None
    digest = digest_of(line_id, around)
    come = cursors.decode(cursor, digest, as_of) if cursor else None
    ask = Ask(as_of=come.as_of if come else as_of, timeout_ms=timeout_ms)
    with answering(ask, scope, Prepared(EVERYTHING, UTC, ()), Span()) as answer:
        rows = line_rows(answer, place)
        if not rows:
            return None
        mine = narrowed(answer, scope, neighbours(answer, rows[0], around))
        back, on = sides(mine, place, (before, after), come, digest)
        return made(answer, rows[0], back, on)


def digest_of(line_id: str, around: str) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(("context", line_id, around))).digest()[:8]


def neighbours(answer: Answering, row: Any, around: Around) -> Node:
    """A line without a host stands among the lines without one."""
    if around == "all":
        return EVERYTHING
    names = {number: name for name, number in answer.sources.items()}
    value = {
        "host": row[lines.HOST],
        "service": row[lines.SERVICE],
        "source": names.get(row[lines.SOURCE], str(row[lines.SOURCE])),
    }[around]
    return Clause(Field(around, Kind.BUILTIN), Equals(value, quoted=True))


def narrowed(answer: Answering, scope: Scope, tree: Node) -> Answering:
    plan = Plan(tree, scope, answer.reader.token, Span(), answer.plan.setting)
    return replace(answer, plan=plan)


def sides(
    answer: Answering, place: Place, limits: tuple[int, int], come: Cursor | None, digest: bytes
) -> tuple[Side, Side]:
    if come:
        went = side(answer, come.place, limits[not come.back], come.back, come.width, digest)
        return (went, NOWHERE) if come.back else (NOWHERE, went)
    # The one side must not use up the other's time.
    half = replace(answer, clock=Clock(max(answer.clock.left_ms() // 2, 1)))
    back = side(half, place, limits[0], True, FIRST_SLICE, digest)
    return back, side(answer, place, limits[1], False, FIRST_SLICE, digest)


def side(answer: Answering, at: Place, limit: int, back: bool, width: int, digest: bytes) -> Side:
    found = walk(answer, Turn(ascending=not back, limit=limit, at=at, width=width))
    rows = found.rows[:limit]
    far = end_of(found, rows, at, limit)
    if far is None:
        return Side(rows, None, None)
    token = answer.reader.token.encode()
    way_on = Cursor(digest, token, None, None, far, back, found.width, None, None)
    return Side(rows, cursors.encode(way_on), found.stopped)


def end_of(found: Found, rows: list[Any], at: Place, limit: int) -> Place | None:
    """Where to go on from; None at the end of all lines."""
    if found.stopped:
        return found.stopped
    if len(found.rows) <= limit and limit:
        return None
    return lines.place_of(rows[-1]) if rows else at


def made(answer: Answering, row: Any, back: Side, on: Side) -> Context:
    rows = [*reversed(back.rows), row, *on.rows]
    told = answer.lines(rows)
    at = len(back.rows)
    partial = bool(back.stopped or on.stopped)
    return Context(
        line=told[at],
        before=told[:at],
        after=told[at + 1 :],
        prev=back.cursor,
        next=on.cursor,
        as_of=answer.reader.token.encode(),
        partial=partial,
        covered={"start": edge(back), "end": edge(on)} if partial else None,
        took_ms=answer.clock.took_ms(),
    )


def edge(side: Side) -> str | None:
    return None if side.stopped is None else times.rfc3339(side.stopped.ns)
