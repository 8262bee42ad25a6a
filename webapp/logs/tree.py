"""The query as a tree: frozen, comparable, with every value already normalised.

Two trees that are equal mean the same. `place` (offset and length in the query's text, in characters) is for
messages only and takes no part in comparison.
"""

import dataclasses
from dataclasses import dataclass
from enum import Enum

Place = tuple[int, int]


class Kind(Enum):
    BUILTIN = "builtin"
    ATTRIBUTE = "attribute"
    ANY = "any"  # *:x


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Equals:
    """On message and on `*`: contains, whatever the case. Elsewhere the whole value, case and all."""

    value: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Like:
    """Literal runs with None for `*` (any run) and True for `?` (one character) between them."""

    parts: tuple[str | bool | None, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    value: str
    inclusive: bool


@dataclass(frozen=True, slots=True)
class Between:
    """A comparison or a range over numbers, or over instants on `time`; None is an open end."""

    low: Bound | None
    high: Bound | None


@dataclass(frozen=True, slots=True)
class Levels:
    """Severity numbers, both ends included; an impossible span (low > high) matches nothing."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Exists:
    pass


@dataclass(frozen=True, slots=True)
class Regex:
    """The expression as PostgreSQL takes it."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Network:
    cidr: str  # canonical


Test = Equals | Like | Between | Levels | Exists | Regex | Network


@dataclass(frozen=True, slots=True)
class Clause:
    field: Field
    test: Test
    place: Place = dataclasses.field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """An empty And is everything."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Lines for which the part does not hold, lines without its field among them."""

    part: "Node"


Node = And | Or | Not | Clause
EVERYTHING = And(())
MESSAGE = Field("message", Kind.BUILTIN)
BUILTIN = frozenset(
    {"time", "severity", "service", "host", "message", "trace_id", "span_id", "source", "batch"}
)
ALIASES = {"level": "severity"}
