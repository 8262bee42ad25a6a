"""Counting over a whole range, or over as much of its newest part as the time allows.

A range with an open end is closed where the token's lines end, the same under one token, always: so that
counts of one search under one as_of have the same edges.
"""

from collections.abc import Callable
from typing import Any

from psycopg import sql

from webapp.logs import times
from webapp.logs.asking import Answering
from webapp.logs.errors import OutOfTime
from webapp.logs.plan import Span

FULL_SHARE = 0.7  # of the time, for the whole range at once; the rest is for parts of it
EXTREME_SHARE = 0.3
FIRST_PART, GROWTH = 64, 4  # the first part is a 64th of the range

Count = Callable[[Span, int], list[Any] | None]  # a part, and the ms it may take


def covering(
    answer: Answering, whole: tuple[int, int], count: Count, most_ms: int
) -> tuple[list[Any], Span | None]:
    """What `count` gave, and what that covers if it is not the whole range."""
    start, end = whole
    if start >= end:
        return [], None
    until = answer.clock.took_ms() + most_ms
    rows = count(Span(start, end), int(most_ms * FULL_SHARE))
    if rows is not None:
        return rows, None
    best: list[Any] = []
    covered = Span(end, end)
    width = (end - start) // FIRST_PART
    while 0 < width < end - start:
        part = Span(end - width, end)
        got = count(part, until - answer.clock.took_ms())
        if got is None:
            break
        best, covered, width = got, part, width * GROWTH
    return best, covered


def whole(answer: Answering) -> tuple[int, int]:
    """The range, an open end of it where the token's lines end."""
    span, now = answer.plan.span, answer.plan.setting.now_ns
    start, end = span.start, span.end
    if start is None:
        first = extreme(answer, "min", span)
        start = min(now if first is None else first, now if end is None else end)
    if end is None:
        # Clocks that run ahead put lines beyond now: only there is anything to look for.
        last = extreme(answer, "max", Span(max(now, start), None))
        end = max(now, start + 1, 0 if last is None else last + 1000)
    return start, max(start, end)


def extreme(answer: Answering, which: str, span: Span) -> int | None:
    """Of all the token's lines, not only the matching ones: an index gives it at once. Raises OutOfTime."""
    statement = sql.SQL("SELECT {}(time) FROM log WHERE {} AND {}").format(
        sql.Identifier(which), answer.plan.within(span), answer.plan.seen
    )
    rows = answer.rows(statement, most_ms=int(answer.clock.total_ms * EXTREME_SHARE))
    if rows is None:
        raise OutOfTime("The first and the last line were not found in time.")
    return times.nanoseconds(rows[0][0]) if rows[0][0] else None


def told(span: Span | None) -> dict[str, str] | None:
    if span is None:
        return None
    assert span.start is not None and span.end is not None
    return {"start": times.rfc3339(span.start), "end": times.rfc3339(span.end)}
