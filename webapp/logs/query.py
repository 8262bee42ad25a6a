"""Text of a query -> tree, or one sentence that says what is wrong, where, and what was probably meant.

Pure: no clock, no database, no settings. The grammar is query.lark; what each clause means is in
docs/searching.md. Offsets and lengths count characters of the text as given.
"""

from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Any, cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedInput

from webapp.logs import mending
from webapp.logs.clauses import Raw, Scalar, clause, field_of, named, unescape, unquote
from webapp.logs.mending import Finding, Note, QueryError, Slip
from webapp.logs.tree import EVERYTHING, MESSAGE, And, Clause, Equals, Kind, Node, Not, Or

MAX_BYTES = 4096
MAX_NODES = 200
MAX_DEPTH = 32
MAX_MENDS = 5  # mistakes that one fix mends at once
NO_LIST = frozenset({Raw("AND", quoted=False), Raw("NOT", quoted=False)})
KEYWORDS = frozenset({"and", "or", "not"})


@dataclass(frozen=True, slots=True)
class Parsed:
    tree: Node
    warnings: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the tree on its way up, with what the bounds and the warnings need."""

    node: Node
    depth: int = 0
    size: int = 1
    findings: tuple[Finding, ...] = ()


def parse(text: str) -> Parsed:
    """Raises QueryError."""
    check_text(text)
    try:
        part = cast(Part, parser().parse(text))
        check_bounds(part, text)
    except (Slip, UnexpectedInput) as error:
        finding = found_in(error, text)
        raise QueryError(finding.note(corrected(finding, text))) from error
    return Parsed(part.node, tuple(finding.note(corrected(finding, text)) for finding in part.findings))


def check_text(text: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise QueryError(Note(0, len(text), f"A query has at most {MAX_BYTES} bytes; this one has {size}."))
    for offset, character in enumerate(text):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise QueryError(Note(offset, 1, "No line holds this character: ingest replaces it."))


def check_bounds(part: Part, text: str) -> None:
    if part.size > MAX_NODES:
        raise Slip(Finding((0, len(text)), f"A query has at most {MAX_NODES} parts, not {part.size}."))
    if part.depth > MAX_DEPTH:
        raise Slip(Finding((0, len(text)), f"A query nests at most {MAX_DEPTH} deep, not {part.depth}."))


def found_in(error: Slip | UnexpectedInput, text: str) -> Finding:
    return error.finding if isinstance(error, Slip) else mending.explain(error, text)


def corrected(finding: Finding, text: str) -> str | None:
    """A fix is offered only if it parses; one that runs into a second mistake takes that one's fix too."""
    for _ in range(MAX_MENDS):
        fix = finding.fix(text)
        if fix is None:
            return None
        try:
            parser().parse(fix)
            return fix
        except (Slip, UnexpectedInput) as error:
            finding, text = found_in(error, fix), fix
    return None


@cache
def parser() -> Lark:
    # The transformer runs inside the parser, bottom up: a deeply nested query recurses nowhere.
    return Lark.open("query.lark", rel_to=__file__, parser="lalr", lexer="contextual", transformer=Builder())


@v_args(inline=True)
class Builder(Transformer[Token, Part]):
    """One method per rule of the grammar."""

    def everything(self) -> Part:
        return Part(EVERYTHING, size=0)

    def disj(self, *parts: Part) -> Part:
        return joined(Or(tuple(part.node for part in parts)), parts)

    def conj(self, *parts: Part) -> Part:
        nodes = tuple(part.node for part in parts if part.node != EVERYTHING)
        return joined(nodes[0] if len(nodes) == 1 else And(nodes), parts)

    def negation(self, part: Part) -> Part:
        return Part(Not(part.node), part.depth + 1, part.size + 1, part.findings)

    def group(self, *children: Any) -> Part:
        part: Part = next(child for child in children if isinstance(child, Part))
        return replace(part, depth=part.depth + 1)

    def phrase(self, token: Token) -> Part:
        return Part(Clause(MESSAGE, Equals(unquote(token), quoted=True), place(token)))

    def word(self, token: Token) -> Part:
        if token == "*":
            return Part(EVERYTHING)
        name = unescape(token[:-1])
        if token.endswith(":") and field_of(name).kind is Kind.BUILTIN:
            raise Slip(mending.no_value(token, name))
        odd = token in KEYWORDS or token[0] == "*" or token[-1] == "*"
        node = Clause(MESSAGE, Equals(unescape(token), quoted=True), place(token))
        return Part(node, findings=(mending.hint(token),) if odd else ())

    def field(self, name: Token, scalar: Scalar) -> Part:
        return Part(clause(named(name), scalar))

    def field_list(self, name: Token, *children: Any) -> Part:
        scalars = next(child for child in children if isinstance(child, tuple))
        clauses = tuple(clause(named(name), scalar) for scalar in scalars)
        return Part(clauses[0] if len(clauses) == 1 else Or(clauses), size=1 + len(clauses))

    def list(self, *items: Any) -> tuple[Scalar, ...]:
        if odd := next((item for item in items if isinstance(item, Scalar) and item.word in NO_LIST), None):
            raise Slip(mending.keyword_in_list(odd.place))
        for before, item in zip(items, items[1:], strict=False):
            if isinstance(before, Scalar) and isinstance(item, Scalar):
                raise Slip(mending.gap(before.place, item.place))
        return tuple(item for item in items if isinstance(item, Scalar))

    def value(self, token: Token) -> Scalar:
        return Scalar(place(token), word=Raw(str(token), quoted=False))

    def quoted(self, token: Token) -> Scalar:
        return Scalar(place(token), word=Raw(unquote(token), quoted=True))

    def compare(self, operator: Token, token: Token) -> Scalar:
        start, length = place(token)
        whole = (operator.start_pos or 0, start + length - (operator.start_pos or 0))
        return Scalar(whole, operator=str(operator), word=bound(token))

    def regex(self, *tokens: Token) -> Scalar:
        return Scalar(place(tokens[-1]), regex=unquote(tokens[-1]))

    def range(self, opening: Token, low: Token, high: Token, closing: Token) -> Scalar:
        start = opening.start_pos or 0
        whole = (start, (closing.start_pos or 0) + 1 - start)
        return Scalar(whole, span=(str(opening), bound(low), bound(high), str(closing)))


def bound(token: Token) -> Raw:
    if token.type == "QUOTED":
        return Raw(unquote(token), quoted=True)
    return Raw(str(token), quoted=False)


def joined(node: Node, parts: tuple[Part, ...]) -> Part:
    return Part(
        node,
        max(part.depth for part in parts),
        1 + sum(part.size for part in parts),
        tuple(chain.from_iterable(part.findings for part in parts)),
    )


def place(token: Token) -> tuple[int, int]:
    return token.start_pos or 0, len(token)
