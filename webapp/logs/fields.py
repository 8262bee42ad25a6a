"""Which fields lines have: from the catalogue at once, or of every line of a search with `exact`.

From the catalogue the range counts in whole ten minutes, of the query only its `time:` is heeded, and numbers
are estimates that say so; scope and sources are heeded always. `waiting` lines came too lately to be in it.
With `exact` all lines of the search are looked at, or what the time allows of its newest part.
"""

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from webapp.access.scope import Scope
from webapp.logs import catalogue, sketch, times
from webapp.logs.asking import Answering, Ask, answering, bad_value, prepared, storable
from webapp.logs.binding import SQL, both, containing
from webapp.logs.covering import covering, told, whole
from webapp.logs.errors import OutOfTime
from webapp.logs.mending import Note
from webapp.logs.plan import Span, in_scope, sources_named
from webapp.logs.snapshot import arrived
from webapp.logs.tree import Equals

MOST = 1000  # fields of an answer, the commonest


@dataclass(frozen=True, slots=True)
class Known:
    name: str
    types: list[str]
    count: int  # lines that have it
    count_relation: str  # eq, estimated, or gte where the time ran out
    distinct: int | None  # None: nobody counts the different times and batches
    distinct_relation: str
    example: str | None
    builtin: bool


@dataclass(frozen=True, slots=True)
class Fields:
    fields: list[Known]
    exact: bool
    left_off: int  # lines of fields beyond the catalogue's bound, each field's by itself
    waiting: int  # lines that the catalogue does not count yet
    as_of: str
    partial: bool
    covered: dict[str, str] | None
    warnings: tuple[Note, ...]
    took_ms: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a way of looking found: fields but those of every line, and how many lines of which sources."""

    known: list[Known]
    lines: int
    sources: list[int]
    relation: str
    left_off: int = 0
    waiting: int = 0
    covered: Span | None = None


def fields(ask: Ask, scope: Scope, *, contains: str = "", exact: bool = False) -> Fields:
    """Raises ReadError (the caller's mistake) or StoreError (our trouble)."""
    ready = prepared(ask)
    if not storable(contains):
        raise bad_value("contains", "This holds a character that no line holds.")
    with answering(ask, scope, ready) as answer:
        seen = looked_at(answer, contains) if exact else looked_up(answer, ask, scope, contains)
        known = seen.known + [one for one in always(answer, seen) if contains.lower() in one.name]
        return Fields(
            fields=sorted(known, key=lambda one: (not one.builtin, -one.count, one.name))[:MOST],
            exact=exact,
            left_off=seen.left_off,
            waiting=seen.waiting,
            as_of=answer.reader.token.encode(),
            partial=seen.covered is not None,
            covered=told(seen.covered),
            warnings=ready.warnings,
            took_ms=answer.clock.took_ms(),
        )


def always(answer: Answering, seen: Seen) -> list[Known]:
    """What every line has."""
    if not seen.lines:
        return []
    names = {number: name for name, number in answer.sources.items()}
    source = names.get(seen.sources[0], str(seen.sources[0]))
    at = times.rfc3339(answer.reader.token.time_us * 1000)
    relation = "gte" if seen.relation == "gte" else "eq"
    return [
        Known("source", ["string"], seen.lines, seen.relation, len(seen.sources), relation, source, True),
        Known("time", ["string"], seen.lines, seen.relation, None, seen.relation, at, True),
        Known("batch", ["string"], seen.lines, seen.relation, None, seen.relation, None, True),
    ]


# ---- the catalogue ----


def looked_up(answer: Answering, ask: Ask, scope: Scope, contains: str) -> Seen:
    where = catalogued(answer, ask, scope)
    whole = read(
        answer,
        sql.SQL(
            "SELECT coalesce(sum(lines) FILTER (WHERE name = 'time'), 0)::bigint,"
            " coalesce(sum(lines) FILTER (WHERE type = {left_off}), 0)::bigint,"
            " array_agg(DISTINCT source ORDER BY source) FROM log_field"
            " WHERE builtin AND name IN ('time', '') AND {where}"
        ).format(left_off=sql.Literal(catalogue.LEFT_OFF), where=where),
    )
    lines, left_off, sources = whole[0]
    rows = read(
        answer,
        sql.SQL(
            "SELECT name, array_agg(DISTINCT type ORDER BY type), sum(lines)::bigint, sum(looked)::bigint,"
            " bit_count(bit_or(sketch))::int, max(example), builtin FROM log_field"
            " WHERE name ILIKE {pattern} AND NOT (builtin AND name IN ('time', '')) AND {where}"
            " GROUP BY builtin, name ORDER BY 3 DESC LIMIT {most}"
        ).format(
            pattern=answer.plan.bind(containing((contains,)), "text"), where=where, most=sql.Literal(MOST)
        ),
    )
    known = [estimated(lines, *row) for row in rows]
    return Seen(known, lines, sources or [], "estimated", left_off, waiting(answer))


def read(answer: Answering, statement: sql.Composed, params: dict[str, Any] | None = None) -> list[Any]:
    rows = answer.rows(statement, params)
    if rows is None:
        raise OutOfTime("The catalogue of fields was not read in time.")
    return rows


def catalogued(answer: Answering, ask: Ask, scope: Scope) -> SQL:
    """The catalogue's rows of the range that this reader may see and asks for."""
    bind, span = answer.plan.bind, answer.plan.span
    parts = [in_scope(bind, scope)]
    if ask.sources:
        numbers = {
            number
            for name in ask.sources
            for number in sources_named(answer.sources, Equals(name, quoted=True))
        }
        parts.append(sql.SQL("source = ANY({})").format(bind(sorted(numbers), "int[]")))
    if hidden := [source for source, _ in answer.reader.token.hidden]:
        parts.append(sql.SQL("source <> ALL({})").format(bind(hidden, "int[]")))
    if span.start is not None:
        start = bind(times.to_datetime(span.start), "timestamptz")
        parts.append(sql.SQL("slot > {} - interval '10 min'").format(start))
    if span.end is not None:
        parts.append(sql.SQL("slot < {}").format(bind(times.to_datetime(span.end), "timestamptz")))
    return both(parts)


def estimated(
    total: int, name: str, types: list[str], lines: int, looked: int, bits: int, example: str, builtin: bool
) -> Known:
    count = min(lines, total)  # what a sample says of a field that every line has may be a little more
    distinct = sketch.among(sketch.estimate(bits), looked, count)
    return Known(name, types, count, "estimated", distinct, "estimated", example, builtin)


def waiting(answer: Answering) -> int:
    reader = answer.reader
    new = arrived(catalogue.edge(reader.conn, reader.now), reader.now)
    statement = sql.SQL("SELECT coalesce(sum(rows), 0)::bigint FROM log_segment WHERE {}").format(new.sql)
    return int(read(answer, statement, new.params)[0][0])


# ---- every line ----


def looked_at(answer: Answering, contains: str) -> Seen:
    pattern = answer.plan.bind(containing((contains,)), "text")
    rows, covered = covering(
        answer, whole(answer), lambda part, ms: scanned(answer, pattern, part, ms), answer.clock.left_ms()
    )
    relation = "eq" if covered is None else "gte"
    ((lines, sources), *found) = rows or [(0, [])]
    known = [
        Known(name, types, count, relation, distinct, relation, example, builtin)
        for builtin, name, types, count, distinct, example in found
    ]
    return Seen(known, lines, sources or [], relation, covered=covered)


def scanned(answer: Answering, pattern: SQL, part: Span, most_ms: int) -> list[Any] | None:
    """How many lines of which sources, then a row for each field."""
    where = answer.plan.where(part)
    ends = answer.clock.took_ms() + most_ms
    lines = sql.SQL("SELECT count(*), array_agg(DISTINCT source ORDER BY source) FROM log WHERE {}").format(
        where
    )
    first = answer.rows(lines, most_ms=most_ms)
    if first is None:
        return None
    statement = sql.SQL(
        """
        WITH given AS (
            SELECT builtin, name, type, text, count(*) AS lines FROM log {each}
            WHERE {where} AND name ILIKE {pattern} GROUP BY builtin, name, type, text
        )
        SELECT builtin, name, array_agg(DISTINCT type ORDER BY type), sum(lines)::bigint,
               count(DISTINCT text COLLATE "C"), left(min(text COLLATE "C"), {characters})
        FROM given GROUP BY builtin, name ORDER BY 4 DESC LIMIT {most}
        """
    ).format(
        each=catalogue.EACH,
        where=where,
        pattern=pattern,
        characters=sql.Literal(catalogue.EXAMPLE_CHARACTERS),
        most=sql.Literal(MOST),
    )
    found = answer.rows(statement, most_ms=ends - answer.clock.took_ms())
    return None if found is None else [*first, *found]
