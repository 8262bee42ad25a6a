"""Tree + scope + token -> the WHERE of every read. The scope is no option: nothing is compiled without it.

Each clause becomes an expression that is true, false or NULL, and NULL (no such field) counts as false:
AND and OR keep that meaning by themselves, NOT becomes IS NOT TRUE. No expression can fail on odd data:
casts stand behind a CASE that has looked first (scalars.py). Values travel as parameters only.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any

from psycopg import sql

from webapp.access.scope import Scope
from webapp.logs import scalars, times
from webapp.logs.binding import SQL, Binder, both, containing, either, like_pattern
from webapp.logs.snapshot import visible
from webapp.logs.token import Token
from webapp.logs.tree import (
    And,
    Between,
    Clause,
    Equals,
    Exists,
    Field,
    Kind,
    Levels,
    Like,
    Node,
    Not,
    Or,
    Test,
)

TIME = Field("time", Kind.BUILTIN)


@dataclass(frozen=True, slots=True)
class Span:
    """Instants in nanoseconds, the end not included; None is open."""

    start: int | None = None
    end: int | None = None

    def within(self, other: "Span") -> "Span":
        starts = [at for at in (self.start, other.start) if at is not None]
        ends = [at for at in (self.end, other.end) if at is not None]
        return Span(max(starts, default=None), min(ends, default=None))

    @property
    def empty(self) -> bool:
        return self.start is not None and self.end is not None and self.start >= self.end


@dataclass(frozen=True, slots=True)
class Setting:
    """What a tree's words refer to."""

    now_ns: int
    names: Mapping[str, int]  # source name -> number
    zone: tzinfo = UTC


class Plan:
    """One query, compiled once and run over any part of its range."""

    def __init__(self, tree: Node, scope: Scope, token: Token, span: Span, setting: Setting) -> None:
        self.setting = setting
        self.bind = Binder()
        self.span = span.within(top_span(tree, setting))
        self.seen, self.seen_values = visible(token)
        self.condition = both([in_scope(self.bind, scope), self.seen, self.node(tree)])

    def where(self, span: Span) -> SQL:
        """The part of the range that `span` covers."""
        return both([self.within(self.span.within(span)), self.condition])

    @property
    def values(self) -> dict[str, Any]:
        return {**self.bind.values, **self.seen_values}

    # ---- the tree ----

    def node(self, node: Node) -> SQL:
        match node:
            case And(parts):
                return both([self.node(part) for part in parts])
            case Or(parts):
                return either([self.node(part) for part in parts])
            case Not(part):
                return sql.SQL("({}) IS NOT TRUE").format(self.node(part))
            case Clause(field, test):
                return self.clause(field, test)

    def clause(self, field: Field, test: Test) -> SQL:
        if field.kind is Kind.ATTRIBUTE:
            return scalars.attribute_test(self.bind, field.name, test)
        if field.kind is Kind.ANY:
            return self.anywhere(test)
        match field.name:
            case "message":
                return self.message(test)
            case "service" | "host":
                return self.name(sql.SQL("service" if field.name == "service" else "host"), test)
            case "severity":
                return severity(self.bind, test)
            case "trace_id" | "span_id":
                return identifier(self.bind, field.name, test)
            case "source":
                return self.source(test)
            case "batch":
                return batch(self.bind, test)
            case _:
                return self.time(test)

    def message(self, test: Test) -> SQL:
        if isinstance(test, Exists):
            return sql.SQL("message <> ''")
        if isinstance(test, Equals | Like):
            return contains(self.bind, sql.SQL("message"), test)
        return scalars.text_test(self.bind, sql.SQL("message"), test)

    def name(self, column: SQL, test: Test) -> SQL:
        """service and host: the empty text is the missing field."""
        if isinstance(test, Equals):
            return scalars.text_test(self.bind, column, test)
        there = sql.SQL("{} <> ''").format(column)
        return (
            there if isinstance(test, Exists) else both([scalars.text_test(self.bind, column, test), there])
        )

    def source(self, test: Test) -> SQL:
        if isinstance(test, Exists):
            return sql.SQL("TRUE")
        numbers = sorted(sources_named(self.setting.names, test))
        return sql.SQL("source = ANY({})").format(self.bind(numbers, "int[]"))

    def time(self, test: Test) -> SQL:
        return self.within(span_of(test, self.setting)) if isinstance(test, Between) else sql.SQL("TRUE")

    def anywhere(self, test: Test) -> SQL:
        """`*:x`: in the message, in any other built-in text, in any attribute."""
        if not isinstance(test, Equals | Like):
            return sql.SQL("TRUE")
        columns = (
            sql.SQL("message"),
            sql.SQL("service"),
            sql.SQL("host"),
            sql.SQL("replace(trace_id::text, '-', '')"),
            sql.SQL("encode(span_id, 'hex')"),
        )
        found: list[SQL] = [contains(self.bind, column, test) for column in columns]
        found.append(
            sql.SQL(
                "EXISTS (SELECT FROM jsonb_path_query(attributes, 'lax $.*[*]') AS item (v) WHERE {})"
            ).format(contains(self.bind, scalars.scalar_text(sql.SQL("item.v")), test))
        )
        return either(found)

    # ---- time ----

    def within(self, span: Span) -> SQL:
        parts: list[SQL] = []
        if span.start is not None:
            parts.append(self.from_instant(span.start))
        if span.end is not None:
            parts.append(self.before_instant(span.end))
        return both(parts)

    def from_instant(self, ns: int) -> SQL:
        """The bare comparison of `time` prunes partitions, the pair is exact."""
        at = self.bind(times.to_datetime(ns), "timestamptz")
        if ns % 1000 == 0:
            return sql.SQL("time >= {}").format(at)
        return sql.SQL("(time >= {0} AND (time, nanos) >= ({0}, {1}))").format(
            at, self.bind(ns % 1000, "smallint")
        )

    def before_instant(self, ns: int) -> SQL:
        at = self.bind(times.to_datetime(ns), "timestamptz")
        if ns % 1000 == 0:
            return sql.SQL("time < {}").format(at)
        return sql.SQL("(time <= {0} AND (time, nanos) < ({0}, {1}))").format(
            at, self.bind(ns % 1000, "smallint")
        )


def top_span(tree: Node, setting: Setting) -> Span:
    """What `time:` clauses at the top of the tree leave of all time: the scan need not look elsewhere."""
    parts = tree.parts if isinstance(tree, And) else (tree,)
    span = Span()
    for part in parts:
        if isinstance(part, Clause) and part.field == TIME and isinstance(part.test, Between):
            span = span.within(span_of(part.test, setting))
    return span


def span_of(test: Between, setting: Setting) -> Span:
    low, high = (
        None if edge is None else times.instant(edge.value, setting.now_ns, setting.zone)
        for edge in (test.low, test.high)
    )
    return Span(
        None if low is None or test.low is None else low + (not test.low.inclusive),
        None if high is None or test.high is None else high + test.high.inclusive,
    )


def in_scope(bind: Binder, scope: Scope) -> SQL:
    if scope.sources is None:
        return sql.SQL("TRUE")
    return sql.SQL("source = ANY({})").format(bind(sorted(scope.sources), "int[]"))


def contains(bind: Binder, text: SQL, test: Equals | Like) -> SQL:
    """Whatever the case. LIKE is twice as fast, and the same where no letter has a case."""
    parts = (test.value,) if isinstance(test, Equals) else test.parts
    pattern = containing(parts)
    operator = sql.SQL("LIKE") if pattern.lower() == pattern.upper() else sql.SQL("ILIKE")
    return sql.SQL("{} {} {}").format(text, operator, bind(pattern, "text"))


def severity(bind: Binder, test: Test) -> SQL:
    if not isinstance(test, Levels):
        return sql.SQL("severity IS NOT NULL")
    return sql.SQL("severity BETWEEN {} AND {}").format(
        bind(test.low, "smallint"), bind(test.high, "smallint")
    )


def identifier(bind: Binder, name: str, test: Test) -> SQL:
    column = sql.SQL("trace_id" if name == "trace_id" else "span_id")
    if isinstance(test, Like):
        text = sql.SQL("replace(trace_id::text, '-', '')" if name == "trace_id" else "encode(span_id, 'hex')")
        return sql.SQL("{} LIKE {}").format(text, bind(like_pattern(test.parts), "text"))
    if not isinstance(test, Equals):
        return sql.SQL("{} IS NOT NULL").format(column)
    if name == "trace_id":
        return sql.SQL("trace_id = {}").format(bind(uuid.UUID(test.value), "uuid"))
    return sql.SQL("span_id = {}").format(bind(bytes.fromhex(test.value), "bytea"))


def batch(bind: Binder, test: Test) -> SQL:
    """A batch is a run of positions in one segment. Looked up first, so that its times can prune."""
    if not isinstance(test, Equals):
        return sql.SQL("TRUE")
    wanted = bind(uuid.UUID(test.value), "uuid")
    return sql.SQL(
        "(seg = (SELECT seg FROM log_batch WHERE batch = {0})"
        " AND pos >= (SELECT first_pos FROM log_batch WHERE batch = {0})"
        " AND pos < (SELECT first_pos + rows FROM log_batch WHERE batch = {0})"
        " AND time >= (SELECT time_min FROM log_segment JOIN log_batch USING (seg) WHERE batch = {0})"
        " AND time <= (SELECT time_max FROM log_segment JOIN log_batch USING (seg) WHERE batch = {0}))"
    ).format(wanted)


def sources_named(names: Mapping[str, int], test: Test) -> set[int]:
    """By name; a number stands for a source whose name is gone."""
    if isinstance(test, Like):
        pattern = "".join(
            ".*" if part is None else "." if part is True else re.escape(str(part)) for part in test.parts
        )
        return {number for name, number in names.items() if re.fullmatch(pattern, name, re.DOTALL)}
    value = test.value if isinstance(test, Equals) else ""
    if value in names:
        return {names[value]}
    return {int(value)} if re.fullmatch(r"[0-9]{1,9}", value) else set()
