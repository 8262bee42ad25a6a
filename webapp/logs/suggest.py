"""Why a search found nothing: values and fields that are nearly what was written, and the newest match ever.

For each `field:value` that must hold by itself, the values that the field has where the rest of the query
holds: those that differ in letter case alone, then by few letters. So what a fix would find is counted
already. Where two such clauses fail at once, both are mended together. All of it within two seconds: what
is not known by then is left out, and `partial` says so.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from psycopg import sql

from webapp.access.scope import Scope
from webapp.logs import catalogue, search
from webapp.logs.asking import Answering, Ask, Clock, Prepared, Refused, answering, prepared
from webapp.logs.binding import both
from webapp.logs.covering import covering, whole
from webapp.logs.errors import OutOfTime
from webapp.logs.facets import forms, named_in
from webapp.logs.lines import Line
from webapp.logs.mending import Note, quoted
from webapp.logs.plan import TIME, Plan, Span, in_scope
from webapp.logs.tree import And, Clause, Equals, Field, Kind, Node, Or

MOST_MS = 2000
FIXES_SHARE = 0.5  # of the time; the newest line has the rest
MOST_CLAUSES = 3
MOST_VALUES = 2000  # the commonest of a field are looked at
MOST_FIXES = 3
LONGEST = 100  # characters of a value that anybody mistypes
BARE = re.compile(r"[^\W_][\w.\-/]*")  # stands without quotes behind a colon
GROUPED = ("service", "host", "source")


@dataclass(frozen=True, slots=True)
class Fix:
    message: str
    q: str  # the whole corrected query
    lines: int
    lines_relation: str  # eq or gte


@dataclass(frozen=True, slots=True)
class Suggestion:
    newest: Line | None
    fixes: list[Fix]
    as_of: str
    partial: bool
    warnings: tuple[Note, ...]
    took_ms: int


@dataclass(frozen=True, slots=True)
class Doubt:
    """Clauses of one field of which one must hold, and what else must."""

    clauses: tuple[Clause, ...]
    rest: And

    @property
    def field(self) -> Field:
        return self.clauses[0].field


@dataclass(frozen=True, slots=True)
class Near:
    """A value that is there, in the place of one that was written."""

    clause: Clause
    value: str
    distance: int  # 0: the letter case alone
    lines: int
    relation: str

    @property
    def rank(self) -> tuple[int, int]:
        return self.distance, -self.lines


def suggest(ask: Ask, scope: Scope) -> Suggestion:
    """Raises ReadError (the caller's mistake) or StoreError (our trouble)."""
    ready = prepared(ask)
    ask = replace(ask, timeout_ms=min(ask.timeout_ms or MOST_MS, MOST_MS))
    with answering(ask, scope, ready) as answer:
        answer.reader.require(None)
        found = Finder(answer, ask, scope, ready)
        fixes = found.fixes()
        newest = found.newest()
        return Suggestion(
            newest=newest,
            fixes=fixes,
            as_of=answer.reader.token.encode(),
            partial=found.partial,
            warnings=ready.warnings,
            took_ms=answer.clock.took_ms(),
        )


def parts_of(tree: Node) -> tuple[Node, ...]:
    return tree.parts if isinstance(tree, And) else (tree,)


def doubts(tree: Node) -> Iterator[Doubt]:
    """What a single value decides, as it stands in the text: filters beside it have no place there."""
    parts = parts_of(tree)
    for part in parts:
        clauses = part.parts if isinstance(part, Or) else (part,)
        simple = tuple(clause for clause in clauses if isinstance(clause, Clause) and mendable(clause))
        if len(simple) == len(clauses) and len({clause.field for clause in simple}) == 1:
            yield Doubt(simple, And(tuple(other for other in parts if other is not part)))


def mendable(clause: Clause) -> bool:
    field = clause.field
    known = field.kind is Kind.ATTRIBUTE or (field.kind is Kind.BUILTIN and field.name in GROUPED)
    return known and isinstance(clause.test, Equals) and clause.place[1] > 0


class Finder:
    """One answer's search for better questions. `partial` once something was not looked at in time."""

    def __init__(self, answer: Answering, ask: Ask, scope: Scope, ready: Prepared) -> None:
        self.answer, self.ask, self.scope, self.ready = answer, ask, scope, ready
        self.partial = False

    def within(self, tree: Node, most_ms: int, span: Span | None = None) -> Answering:
        plan = self.answer.plan
        mine = Plan(tree, self.scope, self.answer.reader.token, span or plan.span, plan.setting)
        return replace(self.answer, plan=mine, clock=Clock(max(1, min(most_ms, self.answer.clock.left_ms()))))

    # ---- the newest line ----

    def newest(self) -> Line | None:
        """Of the query at any time."""
        timeless = And(tuple(part for part in parts_of(self.ready.tree) if named_in(part) != {TIME}))
        answer = self.within(timeless, self.answer.clock.left_ms(), Span())
        turn = search.Turn(ascending=False, limit=1, at=None, width=search.FIRST_SLICE)
        found = search.walk(answer, turn)
        self.partial |= found.stopped is not None
        return next(iter(answer.lines(found.rows[:1])), None)

    # ---- better questions ----

    def fixes(self) -> list[Fix]:
        asked = list(doubts(self.ready.tree))[:MOST_CLAUSES]
        if not asked:
            return []
        most_ms = int(self.answer.clock.left_ms() * FIXES_SHARE)
        ends = self.answer.clock.took_ms() + most_ms
        made: list[tuple[tuple[int, int], Fix]] = []
        for left, doubt in zip(range(len(asked) + 1, 1, -1), asked, strict=True):
            share = (ends - self.answer.clock.took_ms()) // left
            near, there = self.near(doubt, share)
            made += [(one.rank, self.fix(one)) for one in near]
            if not there:
                made += self.other_names(doubt, share)
        if not made and len(asked) > 1:
            made += self.together(asked, ends - self.answer.clock.took_ms())
        best = sorted(made, key=lambda ranked: ranked[0])
        return [fix for _, fix in best if self.reads(fix.q)][:MOST_FIXES]

    def fix(self, near: Near) -> Fix:
        field, written = near.clause.field, text_of(near.clause)
        what = "in this letter case" if near.distance == 0 else "here"
        message = f"{field.name} is never {quoted(written)} {what}; {quoted(near.value)} is there."
        return Fix(message, mended(self.ask.q, [near]), near.lines, near.relation)

    def near(self, doubt: Doubt, most_ms: int) -> tuple[list[Near], bool]:
        """The nearest values, and whether the field is there at all."""
        values, relation = self.values(doubt, most_ms)
        if any(text_of(clause) in values for clause in doubt.clauses):
            return [], True
        found = [
            Near(clause, value, distance, lines, relation)
            for clause in doubt.clauses
            for value, lines in values.items()
            if (distance := apart(text_of(clause), value)) is not None
        ]
        return sorted(found, key=lambda near: near.rank)[:MOST_FIXES], bool(values)

    def values(self, doubt: Doubt, most_ms: int) -> tuple[dict[str, int], str]:
        answer = self.within(doubt.rest, most_ms)
        try:
            rows, covered = covering(
                answer, whole(answer), lambda part, ms: counted(answer, doubt, part, ms), most_ms
            )
        except OutOfTime:
            self.partial = True
            return {}, "gte"
        self.partial |= covered is not None
        return dict(rows), "eq" if covered is None else "gte"

    def together(self, asked: list[Doubt], most_ms: int) -> list[tuple[tuple[int, int], Fix]]:
        """Each by itself finds nothing because another fails too: all of them mended at once."""
        fields = {doubt.field for doubt in asked}
        rest = And(tuple(part for part in parts_of(self.ready.tree) if not named_in(part) <= fields))
        chosen: list[Near] = []
        for doubt in asked:
            near, there = self.near(replace(doubt, rest=rest), most_ms // (len(asked) + 1))
            if not near and not there:
                return []
            chosen += near[:1]
        if not chosen:
            return []
        q = mended(self.ask.q, chosen)
        values = " and ".join(f"{near.clause.field.name} {quoted(near.value)}" for near in chosen)
        return self.if_found(q, f"There is {values}.", sum(near.distance for near in chosen))

    def other_names(self, doubt: Doubt, most_ms: int) -> list[tuple[tuple[int, int], Fix]]:
        """The field is not there at all: fields whose names are nearly the one that was written."""
        if doubt.field.kind is not Kind.ATTRIBUTE or len(doubt.clauses) > 1:
            return []
        clause, made = doubt.clauses[0], list[tuple[tuple[int, int], Fix]]()
        before, after = self.ask.q[: clause.place[0]], self.ask.q[clause.place[0] :]
        written = f"{clause.field.name}:"
        if not before.endswith(written):
            return []
        names = ((apart(clause.field.name, name), name) for name in self.names())
        for distance, name in sorted((apart, name) for apart, name in names if apart is not None):
            q = f"{before.removesuffix(written)}{name}:{after}"
            message = f"No line here has {quoted(clause.field.name)}; {quoted(name)} is there."
            made += self.if_found(q, message, distance)
            if len(made) == MOST_FIXES or not BARE.fullmatch(name):
                break
        return made

    def names(self) -> Iterable[str]:
        """Of the catalogue, whatever the range."""
        bind = self.answer.plan.bind
        hidden = bind([source for source, _ in self.answer.reader.token.hidden], "int[]")
        seen = both([in_scope(bind, self.scope), sql.SQL("source <> ALL({})").format(hidden)])
        statement = sql.SQL(
            "SELECT DISTINCT name FROM log_field WHERE type <> {} AND {} AND slot > now() - interval '2 days'"
        ).format(sql.Literal(catalogue.LEFT_OFF), seen)
        rows = self.answer.rows(statement, most_ms=MOST_MS // 10)
        self.partial |= rows is None
        return [name for (name,) in rows or []]

    def if_found(self, q: str, message: str, distance: int) -> list[tuple[tuple[int, int], Fix]]:
        if not self.reads(q):
            return []
        tree = prepared(replace(self.ask, q=q)).tree
        answer = self.within(tree, MOST_MS // 5)
        lines = search.counted_to(answer, search.COUNT_BOUND, None)
        self.partial |= lines is None
        if not lines:
            return []
        relation = "gte" if lines >= search.COUNT_BOUND else "eq"
        return [((distance, -lines), Fix(message, q, lines, relation))]

    def reads(self, q: str) -> bool:
        try:
            prepared(replace(self.ask, q=q))
        except Refused:
            return False
        return True


def counted(answer: Answering, doubt: Doubt, part: Span, most_ms: int) -> list[tuple[str, int]] | None:
    """Values and their lines; first those that are the same but for the letter case."""
    bind = answer.plan.bind
    raw, text, _ = forms(bind, doubt.field, answer.sources)
    same = bind([text_of(clause).lower() for clause in doubt.clauses], "text[]")
    statement = sql.SQL(
        """
        WITH counted AS MATERIALIZED (
            SELECT {raw} AS value, count(*) AS lines FROM log WHERE {where} GROUP BY 1
        ), told AS (
            SELECT {text} AS text, sum(lines)::bigint AS lines FROM counted GROUP BY 1
        )
        SELECT text, lines FROM told WHERE length(text) <= {longest}
        ORDER BY lower(text) = ANY({same}) DESC, lines DESC LIMIT {most}
        """
    ).format(
        raw=raw,
        where=answer.plan.where(part),
        text=text,
        longest=sql.Literal(LONGEST),
        same=same,
        most=sql.Literal(MOST_VALUES),
    )
    return answer.rows(statement, most_ms=most_ms)


# ---- words ----


def text_of(clause: Clause) -> str:
    assert isinstance(clause.test, Equals)
    return clause.test.value


def mended(q: str, chosen: Iterable[Near]) -> str:
    """From the end on, so that the places before stay right."""
    for near in sorted(chosen, key=lambda near: near.clause.place, reverse=True):
        start, length = near.clause.place
        bare = BARE.fullmatch(near.value) and not q.startswith('"', start)
        q = q[:start] + (near.value if bare else quoted(near.value)) + q[start + length :]
    return q


def apart(written: str, there: str) -> int | None:
    """How many letters were mistyped, 0 for the letter case; None for more than anybody mistypes."""
    if len(written) > LONGEST or written == there:
        return None
    most = min(3, (len(written) + 2) // 3)
    return distance(written.casefold(), there.casefold(), most)


def distance(a: str, b: str, most: int) -> int | None:
    """Letters inserted, left out, replaced, or swapped with their neighbour; None above `most`."""
    if abs(len(a) - len(b)) > most:
        return None
    before: list[int] = []
    row = list(range(len(b) + 1))
    for at, letter in enumerate(a, 1):
        before, above, row = row, before, [at]
        for to, other in enumerate(b, 1):
            cost = min(before[to] + 1, row[to - 1] + 1, before[to - 1] + (letter != other))
            if above and to > 1 and letter == b[to - 2] and a[at - 2] == other:
                cost = min(cost, above[to - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return None
    return row[-1] if row[-1] <= most else None
