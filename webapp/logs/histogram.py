"""Counts over time: buckets on the calendar of a zone, cut by one field, adding up to the search's total.

The edges are made here (steps.py) and the server sorts lines between them, so that every edition counts
alike and a bucket of a day is a day also when clocks change. The first and the last bucket end where the
range ends. When the time runs out, the newest part that could be counted is the answer, marked partial.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from psycopg import sql

from webapp.access.scope import Scope
from webapp.logs import steps, times
from webapp.logs.asking import Answering, Ask, answering, bad_value, prepared
from webapp.logs.binding import SQL
from webapp.logs.clauses import field_of
from webapp.logs.errors import OutOfTime
from webapp.logs.mending import Note
from webapp.logs.plan import Span
from webapp.logs.tree import Field, Kind

MAX_BUCKETS = 2000
MAX_TOP = 100
FULL_SHARE = 0.7  # of the time, for the whole range at once; the rest is for parts of it
EXTREME_SHARE = 0.3
FIRST_PART, GROWTH = 64, 4  # the first part is a 64th of the range
LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
OTHER, MISSING = "other", "missing"
Cell = tuple[int, str | None, bool, int]  # bucket, value (None = without), among the top, lines


@dataclass(frozen=True, slots=True)
class Series:
    value: str
    kind: str  # value, other or missing: a service may be called "other"
    total: int
    counts: list[int]


@dataclass(frozen=True, slots=True)
class Histogram:
    start: str
    end: str
    step: str
    total: int
    times: list[str]  # where each bucket begins
    series: list[Series]
    as_of: str
    partial: bool
    covered: dict[str, str] | None
    warnings: tuple[Note, ...]
    took_ms: int


def histogram(
    ask: Ask,
    scope: Scope,
    *,
    step: str = "auto",
    buckets: int = 60,
    by: str = "severity",
    top: int = 10,
) -> Histogram:
    """Raises ReadError (the caller's mistake) or StoreError (our trouble)."""
    ready = prepared(ask)
    field = grouping(by)
    if not 1 <= buckets <= MAX_BUCKETS:
        raise bad_value("buckets", f"A histogram has 1 to {MAX_BUCKETS} buckets.")
    if not 1 <= top <= MAX_TOP:
        raise bad_value("top", f"1 to {MAX_TOP} values get a series of their own.")
    wanted = None if step == "auto" else step_of(step)
    with answering(ask, scope, ready) as answer:
        start, end = whole(answer)
        chosen = wanted or steps.nice(start, end, buckets, ready.zone)
        edges = list(bounded(steps.edges(start, end, chosen, ready.zone)))
        cells, covered = counted(answer, edges, end, value_of(answer, field), top)
        made = assembled(answer, (start, end), str(chosen), edges, cells, covered, field)
        return replace(made, warnings=ready.warnings)


def grouping(by: str) -> Field:
    field = field_of(by.removeprefix("@")) if not by.startswith("@") else Field(by[1:], Kind.ATTRIBUTE)
    if not field.name or "\0" in field.name:
        raise bad_value("by", "by names one field: severity, service, host, or an attribute.")
    if field.kind is Kind.BUILTIN and field.name not in ("severity", "service", "host", "source"):
        raise bad_value("by", f"{field.name} has too many values: by takes severity, service, host, source.")
    return field


def step_of(text: str) -> steps.Step:
    try:
        return steps.parse(text)
    except ValueError as error:
        raise bad_value("step", str(error)) from error


def bounded(edges: Iterable[int]) -> Iterator[int]:
    for number, edge in enumerate(edges):
        if number >= MAX_BUCKETS:
            raise bad_value("step", f"This step makes more than {MAX_BUCKETS} buckets of the range.")
        yield edge


def whole(answer: Answering) -> tuple[int, int]:
    """The range, an open end of it where the token's lines end; the same under one token, always."""
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


def value_of(answer: Answering, field: Field) -> SQL:
    """The text that names a line's series, NULL where the field is missing."""
    if field.kind is Kind.ATTRIBUTE:
        return sql.SQL("attributes ->> {}").format(answer.plan.bind(field.name, "text"))
    if field.name in ("service", "host"):
        return sql.SQL("nullif({}, '')").format(sql.Identifier(field.name))
    if field.name == "source":
        return sql.SQL("source::text")
    return sql.SQL("((severity - 1) / 4)::text")


# ---- counting ----


def counted(
    answer: Answering, edges: list[int], end: int, value: SQL, top: int
) -> tuple[list[Cell], Span | None]:
    """The cells, and what they cover if that is not all."""
    start = edges[0] if edges else end
    if start >= end:
        return [], None
    share = int(answer.clock.total_ms * FULL_SHARE)
    cells = cells_of(answer, edges, Span(start, end), value, top, share)
    if cells is not None:
        return cells, None
    best: list[Cell] = []
    covered = Span(end, end)
    width = (end - start) // FIRST_PART
    while 0 < width < end - start:
        part = Span(end - width, end)
        got = cells_of(answer, edges, part, value, top, None)
        if got is None:
            break
        best, covered, width = got, part, width * GROWTH
    return best, covered


def cells_of(
    answer: Answering, edges: list[int], part: Span, value: SQL, top: int, most_ms: int | None
) -> list[Cell] | None:
    statement = sql.SQL(
        """
        WITH counted AS MATERIALIZED (
            SELECT width_bucket(time, %(edges)s::timestamptz[]) AS bucket, {value} AS value, count(*) AS lines
            FROM log WHERE {where} GROUP BY 1, 2
        ), ranked AS (
            SELECT value, row_number() OVER (ORDER BY sum(lines) DESC, value) AS rank
            FROM counted WHERE value IS NOT NULL GROUP BY value
        )
        SELECT bucket - 1, CASE WHEN rank <= %(top)s THEN value END, value IS NOT NULL, sum(lines)::bigint
        FROM counted LEFT JOIN ranked USING (value) GROUP BY 1, 2, 3
        """
    ).format(value=value, where=answer.plan.where(part))
    params = {"edges": [times.to_datetime(edge) for edge in edges], "top": top}
    return answer.rows(statement, params, most_ms)


# ---- the answer ----


def assembled(
    answer: Answering,
    whole: tuple[int, int],
    step: str,
    edges: list[int],
    cells: list[Cell],
    covered: Span | None,
    field: Field,
) -> Histogram:
    counts: dict[tuple[str, str], list[int]] = {}
    for bucket, value, present, number in cells:
        key = (
            named(answer, field, value)
            if value is not None
            else (OTHER, OTHER)
            if present
            else (MISSING, MISSING)
        )
        counts.setdefault(key, [0] * len(edges))[bucket] += number
    series = [Series(value, kind, sum(row), row) for (value, kind), row in counts.items()]
    return Histogram(
        start=times.rfc3339(whole[0]),
        end=times.rfc3339(whole[1]),
        step=step,
        total=sum(one.total for one in series),
        times=[times.rfc3339(edge) for edge in edges],
        series=sorted(series, key=place_in_legend),
        as_of=answer.reader.token.encode(),
        partial=covered is not None,
        covered=None if covered is None else told(covered),
        warnings=(),
        took_ms=answer.clock.took_ms(),
    )


def named(answer: Answering, field: Field, value: str) -> tuple[str, str]:
    if field == Field("severity", Kind.BUILTIN):
        return LEVELS[int(value)], "value"
    if field == Field("source", Kind.BUILTIN):
        names = {str(number): name for name, number in answer.sources.items()}
        return names.get(value, value), "value"
    return value, "value"


def place_in_legend(series: Series) -> tuple[int, int, int, str]:
    """Severities from trace to fatal, other values by their lines; then what is left over."""
    kind = ("value", OTHER, MISSING).index(series.kind)
    level = LEVELS.index(series.value) if series.value in LEVELS else -1
    return kind, level, -series.total, series.value


def told(span: Span) -> dict[str, str]:
    assert span.start is not None and span.end is not None
    return {"start": times.rfc3339(span.start), "end": times.rfc3339(span.end)}
