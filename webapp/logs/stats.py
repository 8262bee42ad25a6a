"""What the numbers of one field come to: how many, least, most, mean, percentiles, whole and over time.

A number is what the query language compares: a JSON number or a fully numeric text. Percentiles are values
that were there (of an even number the lower middle one), counted and not estimated. Arrays and other values
are `other`, lines without the field `missing`. Exact decimals throughout: nothing passes through a float.
"""

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import msgspec
from psycopg import sql

from webapp.access.scope import Scope
from webapp.logs import scalars, steps, times
from webapp.logs.asking import Answering, Ask, answering, bad_value, prepared, storable
from webapp.logs.binding import SQL
from webapp.logs.clauses import field_of
from webapp.logs.covering import covering, told, whole
from webapp.logs.mending import Note
from webapp.logs.plan import Span
from webapp.logs.tree import Field, Kind

MAX_BUCKETS = 500
NO_PERCENTILES: list[Decimal | None] = [None] * 4
EXACTLY = Context(prec=200_000)  # more digits than PostgreSQL keeps
Number = msgspec.Raw | None  # a JSON number as exact as it is stored; None where there is none


class Numbers(msgspec.Struct, frozen=True):
    count: int
    min: Number
    max: Number
    avg: Number
    p50: Number
    p90: Number
    p95: Number
    p99: Number


class Bucket(Numbers, frozen=True):
    time: str


@dataclass(frozen=True, slots=True)
class Stats:
    field: str
    total: int  # count + other + missing
    count: int
    other: int
    missing: int
    min: Number
    max: Number
    avg: Number
    p50: Number
    p90: Number
    p95: Number
    p99: Number
    start: str
    end: str
    step: str
    series: list[Bucket]
    as_of: str
    partial: bool
    covered: dict[str, str] | None
    warnings: tuple[Note, ...]
    took_ms: int


def stats(ask: Ask, scope: Scope, name: str, *, buckets: int = 60) -> Stats:
    """Raises ReadError (the caller's mistake) or StoreError (our trouble)."""
    ready = prepared(ask)
    field = numeric(name)
    if not 1 <= buckets <= MAX_BUCKETS:
        raise bad_value("buckets", f"Statistics have 1 to {MAX_BUCKETS} buckets.")
    with answering(ask, scope, ready) as answer:
        edges = whole(answer)
        step = steps.nice(*edges, buckets, ready.zone)
        begins = list(steps.edges(*edges, step, ready.zone))
        rows, covered = covering(
            answer, edges, lambda part, ms: counted(answer, field, begins, part, ms), answer.clock.left_ms()
        )
        by_bucket = {row[0]: row[1:] for row in rows}
        total, present, *numbers = by_bucket.get(None, (0, 0, 0, None, None, None, None))
        count = numbers[0]
        return Stats(
            name,
            total,
            count,
            present - count,
            total - present,
            *described(*numbers)[1:],
            start=times.rfc3339(edges[0]),
            end=times.rfc3339(edges[1]),
            step=str(step),
            series=[bucket(begin, by_bucket.get(at)) for at, begin in enumerate(begins)],
            as_of=answer.reader.token.encode(),
            partial=covered is not None,
            covered=told(covered),
            warnings=ready.warnings,
            took_ms=answer.clock.took_ms(),
        )


def numeric(name: str) -> Field:
    """Raises Refused."""
    field = Field(name[1:], Kind.ATTRIBUTE) if name.startswith("@") else field_of(name)
    if not field.name or not storable(field.name):
        raise bad_value("name", "This is no name of a field.")
    if field.kind is Kind.BUILTIN and field.name not in ("severity", "service", "host"):
        raise bad_value("name", f"{field.name} holds no numbers: take an attribute, or severity.")
    return field


def counted(answer: Answering, field: Field, begins: list[int], part: Span, most_ms: int) -> list[Any] | None:
    """A row a bucket, and one of the whole, whose bucket is NULL."""
    present, number = forms(answer, field)
    statement = sql.SQL(
        """
        WITH found AS (
            SELECT width_bucket(time, %(begins)s::timestamptz[]) - 1 AS bucket, {present} AS present,
                   {number} AS number
            FROM log WHERE {where}
        )
        SELECT bucket, count(*), count(*) FILTER (WHERE present), count(number), min(number), max(number),
               round(avg(number), 9),
               percentile_disc(ARRAY[0.5, 0.9, 0.95, 0.99]) WITHIN GROUP (ORDER BY number)
        FROM found GROUP BY GROUPING SETS ((), (bucket))
        """
    ).format(present=present, number=number, where=answer.plan.where(part))
    return answer.rows(statement, {"begins": [times.to_datetime(begin) for begin in begins]}, most_ms)


def forms(answer: Answering, field: Field) -> tuple[SQL, SQL]:
    """Whether a line has the field, and its number."""
    bind = answer.plan.bind
    if field.kind is Kind.BUILTIN:
        if field.name == "severity":
            return sql.SQL("severity IS NOT NULL"), sql.SQL("severity::numeric")
        column = sql.Identifier(field.name)
        return sql.SQL("{} <> ''").format(column), scalars.text_number(bind, sql.SQL("{}").format(column))
    value = scalars.attribute(bind, field.name)
    number = sql.SQL("CASE jsonb_typeof({}) WHEN 'number' THEN {} WHEN 'string' THEN {} END").format(
        value, scalars.as_number(value), scalars.text_number(bind, scalars.bare_text(value))
    )
    return sql.SQL("coalesce(jsonb_typeof({}) <> 'null', false)").format(value), number


def bucket(begin: int, row: tuple[Any, ...] | None) -> Bucket:
    _, _, *numbers = row or (0, 0, 0, None, None, None, None)
    return Bucket(*described(*numbers), time=times.rfc3339(begin))


def described(
    count: int,
    least: Decimal | None,
    most: Decimal | None,
    mean: Decimal | None,
    percentiles: list[Decimal | None] | None,
) -> tuple[int, Number, Number, Number, Number, Number, Number, Number]:
    p50, p90, p95, p99 = (json_of(value) for value in percentiles or NO_PERCENTILES)
    return count, json_of(least), json_of(most), json_of(mean), p50, p90, p95, p99


def json_of(number: Decimal | None) -> Number:
    """In digits, without the zeros at the end; with an exponent only where the number is very long."""
    if number is None:
        return None
    short = number.normalize(EXACTLY)
    return msgspec.Raw((f"{short:f}" if abs(short.adjusted()) < 40 else f"{short:E}").encode())
