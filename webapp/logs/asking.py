"""What a reader asks, before any database is spoken to, and the one frame in which every answer is made.

An `Ask` is made of texts as the caller wrote them; `prepared` turns them into a tree or refuses, naming the
parameter. `answering` opens the read transaction, resolves the range against the token's own time (so that
two reads under one as_of agree about `now`), and compiles the plan.
"""

import contextlib
import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import msgspec
import psycopg
from django.conf import settings
from psycopg import sql

from webapp.access.models import Source
from webapp.access.scope import Scope
from webapp.logs import gone, query, times
from webapp.logs.clauses import Raw, Scalar, clause
from webapp.logs.errors import ReadError, classify
from webapp.logs.lines import Line, to_lines
from webapp.logs.mending import Note, QueryError, Slip
from webapp.logs.plan import Plan, Setting, Span
from webapp.logs.snapshot import Reader, reading
from webapp.logs.tree import EVERYTHING, And, Clause, Equals, Field, Kind, Node, Or

TELL_MS = 2000  # for looking up the batches of lines that are found
LEVEL = re.compile(r"(>=|<=|>|<)?([A-Za-z]+[1-4]?|[0-9]{1,2})")


class Refused(ReadError):
    """The caller's mistake (400), in one parameter."""

    def __init__(self, code: str, param: str, note: Note) -> None:
        super().__init__(note.message)
        self.code = code
        self.param = param
        self.note = note


def bad_value(param: str, message: str) -> Refused:
    return Refused("bad_value", param, Note(0, 0, message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Texts as the caller wrote them. A filter with several values takes any of them."""

    q: str = ""
    start: str = ""
    end: str = ""
    tz: str = "UTC"
    sources: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    as_of: str = ""
    timeout_ms: int = 0  # 0, or more than the server allows: the server's bound

    def digest(self, *more: str) -> bytes:
        """The same question gives the same eight bytes, whatever as_of and timeout."""
        parts = (self.q, self.start, self.end, self.tz, self.sources, self.services, self.severities, more)
        return hashlib.sha256(msgspec.msgpack.encode(parts)).digest()[:8]


@dataclass(frozen=True, slots=True)
class Prepared:
    tree: Node
    zone: tzinfo
    warnings: tuple[Note, ...]


def prepared(ask: Ask) -> Prepared:
    """Raises Refused."""
    zone = zone_of(ask.tz)
    span_of(ask, time.time_ns(), zone)
    try:
        parsed = query.parse(ask.q)
    except QueryError as error:
        raise Refused("query_syntax", "q", error.note) from error
    filters = [
        parsed.tree,
        any_of(Field("source", Kind.BUILTIN), ask.sources),
        any_of(Field("service", Kind.BUILTIN), ask.services),
        any_level(ask.severities),
    ]
    nodes = tuple(node for node in filters if node != EVERYTHING)
    return Prepared(nodes[0] if len(nodes) == 1 else And(flat(nodes)), zone, parsed.warnings)


def flat(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """An And within an And is one: `time:` clauses stay at the top, where they narrow the scan."""
    return tuple(part for node in nodes for part in (node.parts if isinstance(node, And) else (node,)))


def any_of(field: Field, values: tuple[str, ...]) -> Node:
    if not values:
        return EVERYTHING
    if any(not storable(value) for value in values):
        raise bad_value(field.name, "This holds a character that no line holds.")
    return Or(tuple(Clause(field, Equals(value, quoted=True)) for value in values))


def storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def any_level(values: tuple[str, ...]) -> Node:
    words = [word for value in values for word in value.split(",")]
    return Or(tuple(level(word.strip()) for word in words)) if words else EVERYTHING


def level(word: str) -> Clause:
    found = LEVEL.fullmatch(word)
    if not found:
        raise bad_value("severity", f"{word!r} is no severity: write error, >=warn, or 1 to 24.")
    scalar = Scalar((0, len(word)), operator=found[1], word=Raw(found[2], quoted=True))
    try:
        return clause(Field("severity", Kind.BUILTIN), scalar)
    except Slip as slip:
        raise Refused("bad_value", "severity", slip.finding.note(None)) from slip


def zone_of(name: str) -> tzinfo:
    try:
        return times.zone_of(name)
    except times.BadTime as error:
        raise bad_value("tz", str(error)) from error


def span_of(ask: Ask, now_ns: int, zone: tzinfo) -> Span:
    span = Span(instant("start", ask.start, now_ns, zone), instant("end", ask.end, now_ns, zone))
    if span.start is not None and span.end is not None and span.start > span.end:
        raise Refused("bad_time", "start", Note(0, len(ask.start), "The range ends before it starts."))
    return span


def instant(param: str, text: str, now_ns: int, zone: tzinfo) -> int | None:
    if not text.strip():
        return None
    try:
        return times.instant(text, now_ns, zone)
    except times.BadTime as error:
        raise Refused("bad_time", param, Note(0, len(text), str(error))) from error


# ---- the frame of an answer ----


class Clock:
    """What is left of the time an answer may take."""

    def __init__(self, timeout_ms: int) -> None:
        most = int(settings.QUERY_SECONDS * 1000)
        self.total_ms = min(timeout_ms, most) if timeout_ms > 0 else most
        self.began = time.monotonic()

    def left_ms(self) -> int:
        return self.total_ms - self.took_ms()

    def took_ms(self) -> int:
        return int((time.monotonic() - self.began) * 1000)


@dataclass(frozen=True, slots=True)
class Answering:
    """An open transaction, the plan for it, and the clock."""

    reader: Reader
    plan: Plan
    sources: dict[str, int]  # name -> number
    clock: Clock

    def rows(
        self, statement: sql.Composed, params: dict[str, Any] | None = None, most_ms: int | None = None
    ) -> list[Any] | None:
        """None when the time ran out. The transaction, and so the snapshot, lives on. Raises Gone."""
        gone.check()
        left = self.clock.left_ms() if most_ms is None else min(self.clock.left_ms(), most_ms)
        if left <= 0:
            return None
        conn = self.reader.conn
        conn.execute("SELECT set_config('statement_timeout', %s, true)", [str(left)])
        try:
            # Never prepared: a generic plan would know no instant, and so prune no partition.
            return conn.execute(statement, {**self.plan.values, **(params or {})}, prepare=False).fetchall()
        except psycopg.errors.QueryCanceled:
            gone.check()
            conn.execute("ROLLBACK TO SAVEPOINT answering")
            return None

    def lines(self, rows: list[Any]) -> list[Line]:
        """Rows made out as lines: what was found in the last millisecond is still told."""
        conn = self.reader.conn
        conn.execute("SELECT set_config('statement_timeout', %s, true)", [str(TELL_MS)])
        return to_lines(conn, rows, self.sources)


@contextlib.contextmanager
def answering(ask: Ask, scope: Scope, ready: Prepared, span: Span | None = None) -> Iterator[Answering]:
    """`span` is a cursor's, resolved when its first page was. Raises ReadError or StoreError."""
    clock = Clock(ask.timeout_ms)
    try:
        with reading(as_of=ask.as_of or None) as reader:
            now_ns = reader.token.time_us * 1000
            names = sources(reader.conn)
            plan = Plan(
                ready.tree,
                scope,
                reader.token,
                span or span_of(ask, now_ns, ready.zone),
                Setting(now_ns, names, ready.zone),
            )
            reader.require(None if plan.span.start is None else plan.span.start // 1000)
            reader.conn.execute("SAVEPOINT answering")
            yield Answering(reader, plan, names, clock)
    except psycopg.Error as error:
        raise classify(error) from error


def sources(conn: psycopg.Connection[Any]) -> dict[str, int]:
    table = sql.Identifier(Source._meta.db_table)
    return dict(conn.execute(sql.SQL("SELECT name, id FROM {}").format(table)).fetchall())
