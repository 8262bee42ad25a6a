"""What the explorer makes of a click is read by the language as it was meant.

The tables lie beside the page's sources, where its own tests hold edit.ts to them; here the parser
judges them.
"""

import json
from pathlib import Path

import pytest

from ingest import severity
from webapp import ui
from webapp.logs.clauses import field_of
from webapp.logs.query import parse
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

TABLES = Path(ui.__file__).parent / "explorer" / "src" / "query"
CLAUSES: list[dict[str, str]] = json.loads((TABLES / "clauses.json").read_text())
EDITS: list[dict[str, str]] = json.loads((TABLES / "edits.json").read_text())


def field_named(name: str) -> Field:
    """As the API reads the name of a field: an @ in front forces the attribute."""
    return Field(name[1:], Kind.ATTRIBUTE) if name.startswith("@") else field_of(name)


@pytest.mark.parametrize("row", CLAUSES, ids=lambda row: row["clause"])
def test_a_clause_finds_exactly_the_value_it_was_made_of(row: dict[str, str]) -> None:
    tree = parse(row["clause"]).tree
    assert isinstance(tree, Clause)
    assert tree.field == field_named(row["field"])
    assert isinstance(tree.test, Equals)
    assert tree.test.value == row["value"]


@pytest.mark.parametrize("value", ["500", "-5", "1.5e+30", "true"])
def test_what_reads_as_a_number_or_a_boolean_also_finds_the_number_or_the_boolean(value: str) -> None:
    written = next(row["clause"] for row in CLAUSES if row["value"] == value)
    assert parse(written).tree == Clause(
        Field(written.split(":")[0], Kind.ATTRIBUTE), Equals(value, quoted=False)
    )


@pytest.mark.parametrize("rest", [True, False], ids=["the rest holds", "the rest does not"])
@pytest.mark.parametrize("row", EDITS, ids=lambda row: f"{row['q']} {row['field']}={row['value']}")
def test_an_edited_query_lets_through_what_was_asked_for(row: dict[str, str], rest: bool) -> None:
    """Lines that differ in this field: filtering keeps no other value, excluding takes away just this one.

    Excluding what alone was let through turns that round, so it may also let others in.
    """
    field = field_named(row["field"])
    picked = row["value"] or None
    for value in (None, "api", "web", "a,b", "w2", "error", "info", "warn", "3", "7", "1", "a", "b"):
        before, kept, left, alone = (
            passes(parse(row[name]).tree, field, value, rest) for name in ("q", "filter", "exclude", "only")
        )
        if value == picked:
            assert not left
            assert (kept and alone) or not before
        else:
            assert not kept and not alone
            assert left or not before


@pytest.mark.parametrize("row", [row for row in EDITS if ":(" in row["toggled"]], ids=lambda row: row["q"])
def test_a_value_ticked_in_a_list_leaves_the_other_ticked_ones_in(row: dict[str, str]) -> None:
    field = field_named(row["field"])
    for value in ("web", "a,b", "w2", "error", "3"):
        if passes(parse(row["q"]).tree, field, value, True):
            assert passes(parse(row["toggled"]).tree, field, value, True)


def passes(node: Node, field: Field, value: str | None, rest: bool) -> bool:
    """Whether a line passes that has this value in the field, and for which other clauses hold or do not."""
    match node:
        case And(parts):
            return all(passes(part, field, value, rest) for part in parts)
        case Or(parts):
            return any(passes(part, field, value, rest) for part in parts)
        case Not(part):
            return not passes(part, field, value, rest)
        case Clause(named, test):
            return rest if named != field else value is not None and holds(test, value)


def holds(test: Test, value: str) -> bool:
    match test:
        case Equals(wanted):
            return value == wanted
        case Exists():
            return True
        case Levels(low, high):
            return low <= (severity.parse(value) or 0) <= high
        case Between(low, high) if value.isdigit():
            return (not low or int(low.value) <= int(value)) and (not high or int(value) <= int(high.value))
        case Like((str(start), None)):
            return value.startswith(start)
        case _:
            return False
