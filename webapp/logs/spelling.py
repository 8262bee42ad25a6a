"""A tree -> the query in its plainest spelling: one space, few parentheses, a field's own name, OR in a list.

Values stand as they were written: each clause knows its place in the text. What comes out parses to the same
tree; where it would not, the text is left as it was.
"""

import re

from webapp.logs import query
from webapp.logs.mending import QueryError, quoted
from webapp.logs.query import Parsed
from webapp.logs.tree import (
    ALIASES,
    BUILTIN,
    MESSAGE,
    And,
    Clause,
    Equals,
    Exists,
    Field,
    Kind,
    Node,
    Not,
    Or,
    Regex,
)

PLAIN_NAME = re.compile(r"[^\W\d][\w.\-/@$#%+]*")


def canonical(text: str, parsed: Parsed) -> str:
    spelled = Speller(text).whole(parsed.tree)
    try:
        same = query.parse(spelled).tree == parsed.tree
    except QueryError:
        same = False
    return spelled if same else text


class Speller:
    def __init__(self, text: str) -> None:
        self.text = text

    def whole(self, node: Node) -> str:
        """Of the top, and of what stands in parentheses."""
        match node:
            case And(()):
                return ""
            case And(parts):
                return " ".join(map(self.part, parts))
            case Or(parts):
                return self.listed(parts) or " OR ".join(map(self.part, parts))
            case _:
                return self.part(node)

    def part(self, node: Node) -> str:
        """Of one side of an AND or an OR."""
        match node:
            case And(()):
                return "*"
            case And():
                return f"({self.whole(node)})"
            case Or(parts):
                return self.listed(parts) or f"({self.whole(node)})"
            case Not(part):
                return f"NOT {self.part(part)}"
            case Clause():
                return self.clause(node)

    def listed(self, parts: tuple[Node, ...]) -> str:
        """field:(a OR b), where all are of one field; "" where they are not."""
        clauses = [part for part in parts if isinstance(part, Clause)]
        fields = {clause.field for clause in clauses}
        if len(clauses) < len(parts) or len(fields) != 1 or not all(map(self.has_name, clauses)):
            return ""
        values = [self.value(clause) for clause in clauses]
        if any("," in value and not value.endswith('"') for value in values):
            return ""  # in a list the comma ends a value
        return f"{self.name(fields.pop())}:({' OR '.join(values)})"

    def clause(self, clause: Clause) -> str:
        if not self.has_name(clause):
            return self.written(clause)
        return f"{self.name(clause.field)}:{self.value(clause)}"

    def has_name(self, clause: Clause) -> bool:
        """A bare word or phrase is of the message without saying so."""
        bare = isinstance(clause.test, Equals) and clause.test.quoted
        return not (bare and clause.field == MESSAGE)

    def value(self, clause: Clause) -> str:
        if isinstance(clause.test, Exists):
            return "*"
        return f"~{self.written(clause)}" if isinstance(clause.test, Regex) else self.written(clause)

    def written(self, clause: Clause) -> str:
        start, length = clause.place
        return self.text[start : start + length]

    def name(self, field: Field) -> str:
        if field.kind is Kind.ANY:
            return "*"
        forced = field.kind is Kind.ATTRIBUTE and (
            field.name in BUILTIN or field.name in ALIASES or field.name.startswith("attributes.")
        )
        spelled = field.name if PLAIN_NAME.fullmatch(field.name) else quoted(field.name)
        return f"@{spelled}" if forced else spelled
