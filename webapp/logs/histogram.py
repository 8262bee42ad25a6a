"""Counts over time: buckets on the calendar of a zone, cut by one field, adding up to the search's total.

The edges are made here (steps.py) and the server sorts lines between them, so that every edition counts
alike and a bucket of a day is a day also when clocks change. The first and the last bucket end where the
range ends. When the time runs out, the newest part that could be counted is the answer, marked partial.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from psycopg import sql

from webapp.access.scope import Scope
from webapp.logs import scalars, steps, times
from webapp.logs.asking import Answering, Ask, Prepared, answering, bad_value, prepared, storable
from webapp.logs.binding import SQL
from webapp.logs.clauses import field_of
from webapp.logs.covering import covering, told, whole
from webapp.logs.mending import Note
from webapp.logs.plan import Span
from webapp.logs.tree import Field, Kind

MAX_BUCKETS = 2000
MAX_TOP = 100
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


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a histogram is asked for, checked. `step` is None for a usual one."""

    field: Field
    step: steps.Step | None
    buckets: int
    top: int


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
    drawing = checked(step, buckets, by, top)
    with answering(ask, scope, ready) as answer:
        return drawn(answer, ready, drawing, whole(answer), answer.clock.left_ms())


def checked(step: str, buckets: int, by: str, top: int) -> Drawing:
    """Raises Refused."""
    field = grouping("by", by)
    if not 1 <= buckets <= MAX_BUCKETS:
        raise bad_value("buckets", f"A histogram has 1 to {MAX_BUCKETS} buckets.")
    if not 1 <= top <= MAX_TOP:
        raise bad_value("top", f"1 to {MAX_TOP} values get a series of their own.")
    return Drawing(field, None if step == "auto" else step_of(step), buckets, top)


def drawn(
    answer: Answering, ready: Prepared, drawing: Drawing, whole: tuple[int, int], most_ms: int
) -> Histogram:
    step = drawing.step or steps.nice(*whole, drawing.buckets, ready.zone)
    edges = list(bounded(steps.edges(*whole, step, ready.zone)))
    value = value_of(answer, drawing.field)
    cells, covered = covering(
        answer, whole, lambda part, ms: cells_of(answer, edges, part, value, drawing.top, ms), most_ms
    )
    series = series_of(answer, drawing.field, cells, len(edges))
    return Histogram(
        start=times.rfc3339(whole[0]),
        end=times.rfc3339(whole[1]),
        step=str(step),
        total=sum(one.total for one in series),
        times=[times.rfc3339(edge) for edge in edges],
        series=series,
        as_of=answer.reader.token.encode(),
        partial=covered is not None,
        covered=told(covered),
        warnings=ready.warnings,
        took_ms=answer.clock.took_ms(),
    )


def grouping(param: str, name: str) -> Field:
    """Raises Refused."""
    field = Field(name[1:], Kind.ATTRIBUTE) if name.startswith("@") else field_of(name)
    if not field.name or not storable(field.name):
        raise bad_value(param, f"{param} names one field: severity, service, host, or an attribute.")
    if field.kind is Kind.BUILTIN and field.name not in ("severity", "service", "host", "source"):
        message = f"{field.name} has too many values: {param} takes severity, service, host, source."
        raise bad_value(param, message)
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


def value_of(answer: Answering, field: Field) -> SQL:
    """The text that names a line's series, NULL where the field is missing."""
    if field.kind is Kind.ATTRIBUTE:
        return one_spelling(scalars.attribute(answer.plan.bind, field.name))
    if field.name in ("service", "host"):
        return sql.SQL("nullif({}, '')").format(sql.Identifier(field.name))
    if field.name == "source":
        return sql.SQL("source::text")
    return sql.SQL("((severity - 1) / 4)::text")


def one_spelling(value: SQL) -> SQL:
    """The text of a JSON value; 200 and 200.0 are one, as they are for the query language."""
    return sql.SQL(
        "CASE jsonb_typeof({0}) WHEN 'number' THEN trim_scale({0}::numeric)::text ELSE {0} #>> '{{}}' END"
    ).format(value)


# ---- counting ----


def cells_of(
    answer: Answering, edges: list[int], part: Span, value: SQL, top: int, most_ms: int
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


def series_of(answer: Answering, field: Field, cells: list[Cell], buckets: int) -> list[Series]:
    counts: dict[tuple[str, str], list[int]] = {}
    for bucket, value, present, number in cells:
        left_over = (OTHER, OTHER) if present else (MISSING, MISSING)
        key = left_over if value is None else named(answer, field, value)
        counts.setdefault(key, [0] * buckets)[bucket] += number
    series = [Series(value, kind, sum(row), row) for (value, kind), row in counts.items()]
    return sorted(series, key=place_in_legend)


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
