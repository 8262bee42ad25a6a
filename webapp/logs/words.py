"""A tree in words: what a query asks for, as a person would say it."""

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
    Network,
    Node,
    Not,
    Or,
    Regex,
    Test,
)

NAMES = ("trace", "debug", "info", "warn", "error", "fatal")


def sentences(tree: Node) -> list[str]:
    """One for each part that has to hold."""
    parts = tree.parts if isinstance(tree, And) else (tree,)
    return [phrase(part) for part in parts] or ["every line"]


def phrase(node: Node) -> str:
    match node:
        case And(()):
            return "every line"
        case And(parts):
            return " and ".join(map(inner, parts))
        case Or(parts):
            return " or ".join(map(inner, parts))
        case Not(part):
            return f"not: {inner(part)} (lines without the field too)"
        case Clause(field, test):
            return clause(field, test)


def inner(node: Node) -> str:
    whole = phrase(node)
    return f"({whole})" if isinstance(node, And | Or) and len(node.parts) > 1 else whole


def clause(field: Field, test: Test) -> str:
    name = subject(field)
    match test:
        case Equals(value) if looked_into(field):
            return f'{name} contains "{value}", whatever the case'
        case Equals(value):
            return f'{name} is "{value}"'
        case Like(parts):
            verb = "contains" if looked_into(field) else "has the form"
            return f'{name} {verb} "{pattern(parts)}"'
        case Between():
            return f"{name} is {span(test)}"
        case Levels(low, high):
            return f"severity is {level(low, high)}"
        case Exists():
            return f"{name} is there"
        case Regex(expression):
            return f'some part of {name} fits the expression "{expression}"'
        case Network(cidr):
            return f"{name} is an address of {cidr}"


def looked_into(field: Field) -> bool:
    return field.kind is Kind.ANY or field == Field("message", Kind.BUILTIN)


def subject(field: Field) -> str:
    if field.kind is Kind.ANY:
        return "message, a name, an id or any attribute"
    return field.name if field.kind is Kind.BUILTIN else f"attribute {field.name}"


def pattern(parts: tuple[str | bool | None, ...]) -> str:
    return "".join("*" if part is None else "?" if part is True else str(part) for part in parts)


def span(test: Between) -> str:
    low, high = test.low, test.high
    ends = []
    if low is not None:
        ends.append(f"{'at least' if low.inclusive else 'above'} {low.value}")
    if high is not None:
        ends.append(f"{'at most' if high.inclusive else 'below'} {high.value}")
    return " and ".join(ends) or "there"


def level(low: int, high: int) -> str:
    if low > high:
        return "none that exists"
    first, last = named(low), named(high)
    return f"{first} ({low} to {high})" if first == last else f"{first} to {last} ({low} to {high})"


def named(number: int) -> str:
    return NAMES[(number - 1) // 4]
