"""The values of a field and how many lines have each, and the summary: what a page asks first.

A facet counts the search's lines without the field's own clauses (`own=exclude`), so that a second value can
be picked beside the first; a value is `selected` if those clauses let it in. Values, `other` and `missing`
add up to `total`, always. An array counts once, as its JSON text; 200, 200.0 and "200" are one value, as they
are for the query language. When the time runs out, each facet says what newest part it covers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from psycopg import sql

from webapp.access.scope import Scope
from webapp.logs import histogram
from webapp.logs.asking import Answering, Ask, Prepared, answering, bad_value, prepared, storable
from webapp.logs.binding import SQL, Binder, containing
from webapp.logs.covering import covering, told, whole
from webapp.logs.histogram import LEVELS, Histogram, grouping
from webapp.logs.mending import Note
from webapp.logs.plan import Plan, Span
from webapp.logs.tree import EVERYTHING, And, Clause, Field, Kind, Node, Not, Or

MAX_FIELDS = 20
MAX_LIMIT = 1000
DEFAULT_FIELDS = ("severity", "service", "host", "source")
HISTOGRAM_SHARE = 0.4  # of a summary's time; the facets share what is left

Own = Literal["exclude", "include"]


@dataclass(frozen=True, slots=True)
class Value:
    value: str
    count: int
    selected: bool


@dataclass(frozen=True, slots=True)
class Facet:
    field: str  # as it was asked for
    type: str | None  # string, number, boolean, array, object, or mixed; None where nothing was seen
    total: int
    missing: int
    other: int  # lines whose value is not listed
    distinct: int  # values, or with `contains` those that contain it
    distinct_relation: str  # eq; gte where not all lines were looked at
    values: list[Value]
    covered: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Facets:
    facets: list[Facet]
    as_of: str
    partial: bool
    warnings: tuple[Note, ...]
    took_ms: int


@dataclass(frozen=True, slots=True)
class Summary:
    total: int
    total_relation: str  # gte where the time ran out
    histogram: Histogram
    facets: list[Facet]
    as_of: str
    partial: bool
    warnings: tuple[Note, ...]
    took_ms: int


@dataclass(frozen=True, slots=True)
class Counting:
    """What facets are asked for, checked."""

    fields: tuple[tuple[str, Field], ...]  # by the name it was asked with
    limit: int
    contains: str
    own: Own


def facets(
    ask: Ask,
    scope: Scope,
    *,
    fields: Sequence[str] = (),
    limit: int = 10,
    contains: str = "",
    own: Own = "exclude",
) -> Facets:
    """Raises ReadError (the caller's mistake) or StoreError (our trouble)."""
    ready = prepared(ask)
    counting = checked(fields, limit, contains, own)
    with answering(ask, scope, ready) as answer:
        made = counted(answer, scope, ready, counting, whole(answer))
        return Facets(
            facets=made,
            as_of=answer.reader.token.encode(),
            partial=any(facet.covered for facet in made),
            warnings=ready.warnings,
            took_ms=answer.clock.took_ms(),
        )


def summary(
    ask: Ask,
    scope: Scope,
    *,
    step: str = "auto",
    buckets: int = 60,
    by: str = "severity",
    top: int = 10,
    fields: Sequence[str] = (),
    limit: int = 10,
    contains: str = "",
    own: Own = "exclude",
) -> Summary:
    """Total, histogram and facets of one transaction. Raises ReadError or StoreError."""
    ready = prepared(ask)
    drawing = histogram.checked(step, buckets, by, top)
    counting = checked(fields, limit, contains, own)
    with answering(ask, scope, ready) as answer:
        edges = whole(answer)
        most_ms = int(answer.clock.left_ms() * HISTOGRAM_SHARE)
        over_time = histogram.drawn(answer, ready, drawing, edges, most_ms)
        made = counted(answer, scope, ready, counting, edges)
        return Summary(
            total=over_time.total,
            total_relation="gte" if over_time.partial else "eq",
            histogram=over_time,
            facets=made,
            as_of=over_time.as_of,
            partial=over_time.partial or any(facet.covered for facet in made),
            warnings=ready.warnings,
            took_ms=answer.clock.took_ms(),
        )


def checked(fields: Sequence[str], limit: int, contains: str, own: Own) -> Counting:
    """Raises Refused."""
    names = tuple(dict.fromkeys(fields or DEFAULT_FIELDS))
    if len(names) > MAX_FIELDS:
        raise bad_value("field", f"At most {MAX_FIELDS} fields at once.")
    if not 1 <= limit <= MAX_LIMIT:
        raise bad_value("limit", f"A facet lists 1 to {MAX_LIMIT:,} values.")
    if not storable(contains):
        raise bad_value("contains", "This holds a character that no line holds.")
    return Counting(tuple((name, grouping("field", name)) for name in names), limit, contains, own)


# ---- a field's own clauses ----


def parted(tree: Node, field: Field) -> tuple[Node, Node]:
    """The tree without what is only about this field, and that."""
    parts = tree.parts if isinstance(tree, And) else (tree,)
    own = tuple(part for part in parts if named_in(part) == {field})
    return And(tuple(part for part in parts if part not in own)), And(own)


def named_in(node: Node) -> set[Field]:
    match node:
        case And(parts) | Or(parts):
            return {field for part in parts for field in named_in(part)}
        case Not(part):
            return named_in(part)
        case Clause(field):
            return {field}


# ---- counting ----


@dataclass(frozen=True, slots=True)
class Column:
    """One field to count, with the clauses of the query that are about it alone."""

    name: str
    field: Field
    own: Node


def counted(
    answer: Answering, scope: Scope, ready: Prepared, counting: Counting, edges: tuple[int, int]
) -> list[Facet]:
    made: dict[str, Facet] = {}
    left = len(counting.fields)
    for tree, columns in scans(ready.tree, counting):
        plan = Plan(tree, scope, answer.reader.token, answer.plan.span, answer.plan.setting)
        most_ms = answer.clock.left_ms() * len(columns) // left
        left -= len(columns)
        made |= scanned(replace(answer, plan=plan), counting, columns, edges, most_ms)
    return [made[name] for name, _ in counting.fields]


def scans(tree: Node, counting: Counting) -> list[tuple[Node, list[Column]]]:
    """What one scan can count: all fields without clauses of their own, and each of the others by itself."""
    together: list[Column] = []
    alone: list[tuple[Node, list[Column]]] = []
    for name, field in counting.fields:
        rest, own = parted(tree, field)
        if own == EVERYTHING:
            together.append(Column(name, field, own))
        else:
            alone.append((rest if counting.own == "exclude" else tree, [Column(name, field, own)]))
    return [(tree, together), *alone] if together else alone


def scanned(
    answer: Answering, counting: Counting, columns: list[Column], edges: tuple[int, int], most_ms: int
) -> dict[str, Facet]:
    rows, covered = covering(
        answer, edges, lambda part, ms: rows_of(answer, counting, columns, part, ms), most_ms
    )
    found: list[list[Any]] = [[] for _ in columns]
    for number, *row in rows:
        found[number].append(row)
    return {
        column.name: facet(column.name, rows, covered) for column, rows in zip(columns, found, strict=True)
    }


def facet(name: str, rows: list[Any], covered: Span | None) -> Facet:
    total, missing, distinct, types = rows[0][:4] if rows else (0, 0, 0, [])
    values = [Value(text, lines, picked) for *_, text, lines, picked in rows if text is not None]
    return Facet(
        field=name,
        type=None if not types else types[0] if len(types) == 1 else "mixed",
        total=total,
        missing=missing,
        other=total - missing - sum(value.count for value in values),
        distinct=distinct,
        distinct_relation="eq" if covered is None else "gte",
        values=sorted(values, key=lambda value: (-value.count, value.value)),
        covered=told(covered),
    )


def chosen(plan: Plan, own: Node) -> SQL:
    """Over a group of lines with one value: whether the field's own clauses let any of them in."""
    if own == EVERYTHING:
        return sql.SQL("false")
    return sql.SQL("coalesce(bool_or({}), false)").format(plan.node(own))


# Lines are grouped by the stored value; what costs more is done once a value, not once a line.
ONE = """
counted AS MATERIALIZED (
    SELECT {raw} AS value, count(*) AS lines, {selected} AS selected FROM log WHERE {where} GROUP BY 1
)
"""
# Several fields of the same lines, for half the CPU of a scan each. OFFSET keeps what takes the values out of
# a line from being done again for every set.
SEVERAL = """
line AS (SELECT {raws} FROM log WHERE {where} OFFSET 0),
counted AS MATERIALIZED (
    SELECT {names}, grouping({names}) AS which, count(*) AS lines FROM line GROUP BY GROUPING SETS ({sets})
)
"""
# One row a listed value, each beginning with the whole's numbers; one row, too, where none is listed.
TOLD = """
told{n} AS MATERIALIZED (
    SELECT {text} AS text, sum(lines)::bigint AS lines, bool_or(selected) AS selected,
           min({kind}) AS kind, max({kind}) AS last_kind
    FROM ({counted}) AS counted GROUP BY 1
), listed{n} AS (
    SELECT text, lines, selected FROM told{n} WHERE text ILIKE {pattern}
    ORDER BY selected DESC, lines DESC, text COLLATE "C" LIMIT {limit}
), whole{n} AS (
    SELECT coalesce(sum(lines), 0)::bigint,
           coalesce(sum(lines) FILTER (WHERE text IS NULL), 0)::bigint,
           count(*) FILTER (WHERE text ILIKE {pattern}),
           ARRAY(SELECT kind FROM told{n} WHERE text IS NOT NULL
                 UNION SELECT last_kind FROM told{n} WHERE text IS NOT NULL)
    FROM told{n}
)
"""
COUNTED_ALONE = sql.SQL("SELECT value, lines, selected FROM counted")


def rows_of(
    answer: Answering, counting: Counting, columns: list[Column], part: Span, most_ms: int
) -> list[Any] | None:
    """Of each column, by its number."""
    plan = answer.plan
    shapes = [forms(plan.bind, column.field, answer.sources) for column in columns]
    raws = [raw for raw, _, _ in shapes]
    if len(columns) == 1:
        selected = chosen(plan, columns[0].own)
        ctes: list[SQL] = [sql.SQL(ONE).format(raw=raws[0], selected=selected, where=plan.where(part))]
    else:
        ctes = [together(raws, plan.where(part))]
    pattern = plan.bind(containing((counting.contains,)), "text")
    limit = plan.bind(counting.limit, "bigint")
    for number, (_, text, kind) in enumerate(shapes):
        source = COUNTED_ALONE if len(columns) == 1 else one_of(number, len(columns))
        ctes.append(
            sql.SQL(TOLD).format(
                n=sql.Literal(number),
                text=text,
                kind=kind,
                counted=source,
                pattern=pattern,
                limit=limit,
            )
        )
    answers = [
        sql.SQL("SELECT {0}, whole{0}.*, listed{0}.* FROM whole{0} LEFT JOIN listed{0} ON true").format(
            sql.Literal(number)
        )
        for number in range(len(columns))
    ]
    statement = sql.SQL("WITH {} {}").format(sql.SQL(", ").join(ctes), sql.SQL(" UNION ALL ").join(answers))
    return answer.rows(statement, most_ms=most_ms)


def together(raws: list[SQL], where: SQL) -> SQL:
    names = [sql.Identifier(f"v{number}") for number in range(len(raws))]
    comma = sql.SQL(", ")
    return sql.SQL(SEVERAL).format(
        raws=comma.join(sql.SQL("{} AS {}").format(*pair) for pair in zip(raws, names, strict=True)),
        where=where,
        names=comma.join(names),
        sets=comma.join(sql.SQL("({})").format(name) for name in names),
    )


def one_of(number: int, columns: int) -> SQL:
    """The groups of one set: `grouping` has a bit for each column not in it, the first the highest."""
    which = (1 << columns) - 1 - (1 << (columns - 1 - number))
    return sql.SQL("SELECT {} AS value, lines, false AS selected FROM counted WHERE which = {}").format(
        sql.Identifier(f"v{number}"), sql.Literal(which)
    )


def forms(bind: Binder, field: Field, sources: dict[str, int]) -> tuple[SQL, SQL, SQL]:
    """What lines are grouped by; its text, NULL for a missing field; and the name of its type."""
    string = sql.SQL("'string'")
    if field.kind is Kind.ATTRIBUTE:
        return (
            sql.SQL("attributes -> {}").format(bind(field.name, "text")),
            sql.SQL(
                "CASE jsonb_typeof(value) WHEN 'number' THEN trim_scale(value::numeric)::text"
                " ELSE value #>> '{{}}' END"
            ).format(),
            sql.SQL("jsonb_typeof(value)"),
        )
    if field.name in ("service", "host"):
        return sql.SQL("service" if field.name == "service" else "host"), sql.SQL("nullif(value, '')"), string
    if field.name == "source":
        names = bind(list(sources), "text[]")
        numbers = bind(list(sources.values()), "int[]")
        named = sql.SQL("coalesce(({})[array_position({}, value)], value::text)").format(names, numbers)
        return sql.SQL("source"), named, string
    level = sql.SQL("({})[value + 1]").format(bind(list(LEVELS), "text[]"))
    return sql.SQL("(severity - 1) / 4"), level, string
