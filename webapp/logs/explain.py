"""What a search does: in words, in numbers and in SQL. It is run for that, under the reader's scope and time.

Each statement of the search is run as the search would run it, with PostgreSQL watching, until the page would
be full. The numbers are PostgreSQL's own: lines it looked at, pages that were in its memory or were not. They
count what the reader's scope then left out: so whoever may not read every source is not told them. Nobody is
told PostgreSQL's plan.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import sql

from webapp.access.scope import Scope
from webapp.logs import times, words
from webapp.logs.asking import Answering, Ask, Prepared
from webapp.logs.mending import Note
from webapp.logs.plan import Span
from webapp.logs.search import (
    COUNT_BOUND,
    Count,
    Order,
    Turn,
    begun,
    count_statement,
    opened,
    slice_statement,
    slices,
)
from webapp.logs.snapshot import below, edges

WATCHED = sql.SQL("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {}")
# Not lines: where a batch is looked up, and a day's compressed form, which lies below the day's own node.
BESIDE = ("log_batch", "log_segment", "compress_")

Part = Literal["lines", "total"]


@dataclass(frozen=True, slots=True)
class Scan:
    rows: int  # lines that were looked at
    hit: int  # pages that were in PostgreSQL's memory
    read: int  # and those that were not

    def __add__(self, other: "Scan") -> "Scan":
        return Scan(self.rows + other.rows, self.hit + other.hit, self.read + other.read)


@dataclass(frozen=True, slots=True)
class Statement:
    part: Part
    start: str | None  # of the range that it looks through
    end: str | None
    matched: int
    scan: Scan | None
    tables: list[str]  # days
    took_ms: float
    sql: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Segments:
    """A segment is one transaction of a worker; skipped are those with no line in the range that was read."""

    total: int
    considered: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Explained:
    plan: list[str]
    matched: int
    scan: Scan | None
    segments: Segments | None
    statements: list[Statement]
    as_of: str
    partial: bool
    warnings: tuple[Note, ...]
    took_ms: int


def explain(
    ask: Ask,
    scope: Scope,
    *,
    limit: int = 100,
    order: Order = "desc",
    count: Count = "bound",
    cursor: str = "",
) -> Explained:
    """Raises ReadError (the caller's mistake) or StoreError (our trouble)."""
    ready, come, turn = begun(ask, limit, order, cursor)
    with opened(ask, scope, ready, come) as answer:
        ran = list(lines_of(answer, turn))
        ran += total_of(answer, ran, turn, "none" if come else count)
        return explained(answer, scope, ready, turn, ran)


# ---- running ----


def lines_of(answer: Answering, turn: Turn) -> Iterator[Statement | None]:
    """Slice by slice, as the search walks; None where the time ran out."""
    left = turn.limit + 1
    for part in slices(answer, turn) if turn.limit and not answer.plan.span.empty else ():
        ran = watched(answer, "lines", part, slice_statement(answer, turn, part, left))
        yield ran
        left -= ran.matched if ran else left
        if left <= 0:
            return


def total_of(
    answer: Answering, ran: Sequence[Statement | None], turn: Turn, count: Count
) -> list[Statement | None]:
    """The search counts when its page does not hold all there is."""
    if count == "none" or None in ran:
        return []
    if turn.limit and sum(one.matched for one in ran if one) <= turn.limit:
        return []
    bound = None if count == "exact" else COUNT_BOUND + 1
    return [watched(answer, "total", answer.plan.span, count_statement(answer, bound))]


def watched(
    answer: Answering, part: Part, span: Span, statement: tuple[sql.Composed, dict[str, Any]]
) -> Statement | None:
    query, params = statement
    rows = answer.rows(WATCHED.format(query), params)
    if rows is None:
        return None
    seen: dict[str, Any] = rows[0][0][0]
    top = seen["Plan"]
    nodes = list(scans(top))
    return Statement(
        part=part,
        start=told(span.start),
        end=told(span.end),
        # A count is one row; what it counted comes from below.
        matched=round(rows_of(top if part == "lines" else top["Plans"][0])),
        scan=Scan(
            round(sum(looked_at(node) for node in nodes)), top["Shared Hit Blocks"], top["Shared Read Blocks"]
        ),
        tables=sorted({node["Relation Name"] for node in nodes}),
        took_ms=seen["Execution Time"],
        sql=query.as_string(answer.reader.conn),
        parameters=used({**answer.plan.values, **params}, query.as_string(answer.reader.conn)),
    )


def scans(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Nodes that read a day's lines, and did: not what joins days, nor a day that was left out on the way."""
    name = node.get("Relation Name", "")
    if name and name != "log" and not name.startswith(BESIDE) and node["Actual Loops"]:
        yield node
    for child in node.get("Plans", ()):
        yield from scans(child)


def rows_of(node: Mapping[str, Any]) -> float:
    return float(node["Actual Rows"] * node["Actual Loops"])


def looked_at(node: Mapping[str, Any]) -> float:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return rows_of(node) + float(removed * node["Actual Loops"])


def used(params: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {name: plain(value) for name, value in params.items() if f"%({name})s" in text}


def plain(value: Any) -> Any:
    """As JSON can say it."""
    match value:
        case datetime():
            return times.rfc3339(times.nanoseconds(value))
        case bytes():
            return value.hex()
        case UUID():
            return str(value)
        case list():
            return [plain(item) for item in value]
        case _:
            return value


def told(ns: int | None) -> str | None:
    return None if ns is None else times.rfc3339(ns)


# ---- telling ----


def explained(
    answer: Answering, scope: Scope, ready: Prepared, turn: Turn, ran: Sequence[Statement | None]
) -> Explained:
    statements = [one for one in ran if one is not None]
    if scope.sources is not None:
        statements = [replace(one, scan=None) for one in statements]
    scans = [one.scan for one in statements if one.scan]
    segments = segments_of(answer, statements) if scope.sources is None else None
    return Explained(
        plan=[*asked(answer, scope, ready, turn), *did(statements, segments, partial=None in ran)],
        matched=sum(one.matched for one in statements if one.part == "lines"),
        scan=sum(scans, Scan(0, 0, 0)) if scope.sources is None else None,
        segments=segments,
        statements=statements,
        as_of=answer.reader.token.encode(),
        partial=None in ran,
        warnings=ready.warnings,
        took_ms=answer.clock.took_ms(),
    )


SEGMENTS = """
SELECT count(*), count(*) FILTER (WHERE time_max >= coalesce(%(low)s::timestamptz, '-infinity')
                                    AND time_min < coalesce(%(high)s::timestamptz, 'infinity'))
FROM log_segment WHERE rows > 0 AND {}
"""


def segments_of(answer: Answering, statements: Sequence[Statement]) -> Segments | None:
    """None where there was no time left to count them."""
    starts, ends = [one.start for one in statements], [one.end for one in statements]
    params = {
        "low": None if None in starts else min((start for start in starts if start), default="infinity"),
        "high": None if None in ends else max((end for end in ends if end), default="-infinity"),
    }
    token = answer.reader.token
    statement = sql.SQL(SEGMENTS).format(below(token, "", "as_of"))
    rows = answer.rows(statement, {**params, **edges(token, "as_of")})
    if rows is None:
        return None
    total, considered = rows[0]
    return Segments(total, considered, total - considered)


def asked(answer: Answering, scope: Scope, ready: Prepared, turn: Turn) -> Iterator[str]:
    span = answer.plan.span
    if span.empty:
        yield "The range is empty: nothing is read."
        return
    start, end = told(span.start) or "the first line", told(span.end) or "the last line"
    yield f"Range: {start} to {end}, the end not included."
    if scope.sources is not None:
        yield f"Only lines of the {counted(len(scope.sources), 'source')} that you may see."
    for sentence in words.sentences(ready.tree):
        yield f"Wanted: {sentence}."
    at = times.rfc3339(answer.reader.token.time_us * 1000)
    yield f"Of the lines that were stored by {at}; what came later is left out."
    direction = "oldest" if turn.ascending else "newest"
    yield (
        f"The range is read from its {direction} end in slices, each longer than the last, until"
        f" {counted(turn.limit, 'line')} and one more are found. The one index is that of time: it picks days"
        " and a part of them; what else is wanted is compared line by line."
    )


def did(statements: Sequence[Statement], segments: Segments | None, *, partial: bool) -> Iterator[str]:
    found = [one for one in statements if one.part == "lines"]
    if found:
        days = counted(len({table for one in found for table in one.tables}), "day")
        matched = sum(one.matched for one in found)
        yield f"{counted(len(found), 'slice')} of {days}{looked(found)} found {matched:,}."
    for one in statements:
        if one.part == "total":
            yield f"Counting{looked([one])} came to {one.matched:,}."
    if segments and statements:
        yield f"{segments.skipped:,} of {counted(segments.total, 'segment')} lie outside what was read."
    if partial:
        yield "The time ran out: the rest of the range was not read."


def looked(statements: Sequence[Statement]) -> str:
    scan = sum((one.scan for one in statements if one.scan), Scan(0, 0, 0))
    if not all(one.scan for one in statements):
        return ""
    pages = f"{counted(scan.hit + scan.read, 'page')}, {scan.read:,} not in PostgreSQL's memory"
    return f" looked at {counted(scan.rows, 'line')} in {pages}, and"


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
