"""`field:scalar` -> one clause of the tree, with the value in its normal form.

Here live the rules that need no grammar: which fields are built in, what a value may be on each of them,
wildcards, numbers, severities, ids, networks.
"""

import ipaddress
import re
import uuid
from dataclasses import dataclass
from datetime import UTC

from lark import Token

from ingest import severity
from webapp.logs import regex, times
from webapp.logs.mending import Finding, Slip
from webapp.logs.tree import (
    ALIASES,
    BUILTIN,
    Between,
    Bound,
    Clause,
    Equals,
    Exists,
    Field,
    Kind,
    Levels,
    Like,
    Network,
    Place,
    Regex,
    Test,
)

ESCAPE = re.compile(r'\\(["\\*?:])')
WILD = re.compile(r'\\(["\\*?:])|([*?])')
# What counts as "fully numeric", in a query and in the stored string alike; bounded, so that no exponent
# makes the server write a number of a million digits.
NUMBER = re.compile(r"[+-]?(?:[0-9]{1,100}(?:\.[0-9]{0,100})?|\.[0-9]{1,100})(?:[eE][+-]?[0-9]{1,2})?")
CIDR = re.compile(r"[0-9A-Fa-f.:]+/[0-9]{1,3}")
HEX_LENGTH = {"trace_id": 32, "span_id": 16}
# On these a span has no meaning; `message` is text to look into, the others are names.
NO_SPAN = frozenset({"message", "trace_id", "span_id", "source", "batch"})
TEXTUAL = frozenset({"message", "service", "host"})  # the built-in fields that take a regular expression


@dataclass(frozen=True, slots=True)
class Raw:
    text: str  # unquoted: as written, with its escapes; quoted: as meant
    quoted: bool


@dataclass(frozen=True, slots=True)
class Scalar:
    """What stands behind the colon, one of four kinds."""

    place: Place
    word: Raw | None = None
    operator: str | None = None  # with word: a comparison
    regex: str | None = None
    span: tuple[str, Raw, Raw, str] | None = None  # bracket, low, high, bracket


def unescape(text: str) -> str:
    return ESCAPE.sub(r"\1", text)


def unquote(token: str) -> str:
    return unescape(token[1:-1])


def named(token: Token) -> Field:
    """The field a FIELD terminal names. `@` or `attributes.` forces the attribute."""
    text = str(token)[:-1]
    if text == "*":
        return Field("*", Kind.ANY)
    forced = text.startswith("@")
    text = text[1:] if forced else text
    name = unquote(text) if text[0] in '"“' else unescape(text)
    return Field(name, Kind.ATTRIBUTE) if forced else field_of(name)


def field_of(name: str) -> Field:
    canonical = ALIASES.get(name, name)
    if canonical in BUILTIN:
        return Field(canonical, Kind.BUILTIN)
    return Field(name.removeprefix("attributes.") or name, Kind.ATTRIBUTE)


def clause(field: Field, scalar: Scalar) -> Clause:
    """Raises Slip."""
    word = scalar.word
    if field == Field("_exists_", Kind.ATTRIBUTE) and word and not scalar.operator:
        return Clause(field_of(unescape(word.text)), Exists(), scalar.place)
    return Clause(field, test(field, scalar), scalar.place)


def test(field: Field, scalar: Scalar) -> Test:
    if scalar.regex is not None:
        return expression(field, scalar.place, scalar.regex)
    if scalar.span is not None:
        opening, low, high, closing = scalar.span
        return span(field, scalar.place, bounded(low, opening == "["), bounded(high, closing == "]"))
    assert scalar.word is not None
    if scalar.operator:
        edge = Bound(plain(scalar.word), scalar.operator.endswith("="))
        above = scalar.operator.startswith(">")
        return span(field, scalar.place, edge if above else None, None if above else edge)
    return single(field, scalar.place, scalar.word)


def bounded(raw: Raw, inclusive: bool) -> Bound | None:
    return None if raw == Raw("*", False) else Bound(plain(raw), inclusive)


def plain(raw: Raw) -> str:
    return raw.text if raw.quoted else unescape(raw.text)


# ---- one value ----


def single(field: Field, place: Place, raw: Raw) -> Test:
    if raw == Raw("*", False):
        return Exists()
    if field.kind is Kind.BUILTIN and field.name in SPECIAL:
        return SPECIAL[field.name](field, place, raw)
    if not raw.quoted:
        if field.kind is not Kind.ANY and field.name != "message" and (network := network_of(raw.text)):
            return Network(network)
        if (parts := wildcards(raw.text)) is not None:
            return Like(parts)
    return Equals(plain(raw), raw.quoted)


def wildcards(text: str) -> tuple[str | bool | None, ...] | None:
    """The parts around unescaped `*` and `?`; None where there is neither."""
    parts: list[str | bool | None] = []
    last = 0
    literal = ""
    for found in WILD.finditer(text):
        literal += text[last : found.start()] + (found[1] or "")
        last = found.end()
        if found[2]:
            parts += [literal] if literal else []
            literal = ""
            if found[2] == "?" or parts[-1:] != [None]:
                parts.append(None if found[2] == "*" else True)
    literal += text[last:]
    if not parts:
        return None
    return (*parts, literal) if literal else tuple(parts)


def network_of(text: str) -> str | None:
    if not CIDR.fullmatch(text):
        return None
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return None


def level_test(field: Field, place: Place, raw: Raw) -> Test:
    return Levels(*levels(place, plain(raw)))


def levels(place: Place, text: str) -> tuple[int, int]:
    """The six names are four numbers each; another word, or a number, is the one that ingest makes of it."""
    number = severity.parse(text)
    if number is not None:
        named = number % 4 == 1 and not text.strip().isdigit()
        return number, number + 3 if named else number
    message = f"{text!r} is no severity: write trace, debug, info, warn, error, fatal, or 1 to 24."
    raise Slip(Finding(place, message))


def id_test(field: Field, place: Place, raw: Raw) -> Test:
    length = HEX_LENGTH[field.name]
    if not raw.quoted and (parts := wildcards(raw.text)) is not None:
        return Like(tuple(part.lower().replace("-", "") if isinstance(part, str) else part for part in parts))
    text = plain(raw).lower().replace("-", "")
    if not re.fullmatch(rf"[0-9a-f]{{{length}}}", text):
        hint = f"{field.name}:{text[:8]}* finds the ids that begin so."
        raise Slip(Finding(place, f"{field.name} has {length} hexadecimal digits.", hint))
    return Equals(text, quoted=True)


def batch_test(field: Field, place: Place, raw: Raw) -> Test:
    try:
        return Equals(str(uuid.UUID(plain(raw))), quoted=True)
    except ValueError:
        raise Slip(Finding(place, "batch is a UUID, as the answer to a POST gives it.")) from None


def time_test(field: Field, place: Place, raw: Raw) -> Test:
    edge = Bound(plain(raw), True)
    return span(field, place, edge, edge)


SPECIAL = {
    "severity": level_test,
    "trace_id": id_test,
    "span_id": id_test,
    "batch": batch_test,
    "time": time_test,
}


# ---- two ends ----


def span(field: Field, place: Place, low: Bound | None, high: Bound | None) -> Test:
    if field.kind is Kind.ANY or (field.kind is Kind.BUILTIN and field.name in NO_SPAN):
        raise Slip(Finding(place, f"{field.name} cannot be compared: it takes values, lists and wildcards."))
    if low is None and high is None:
        return Exists()
    if field == Field("severity", Kind.BUILTIN):
        return level_span(place, low, high)
    for edge in (low, high):
        if edge:
            check_edge(field, place, edge.value)
    return Between(low, high)


def level_span(place: Place, low: Bound | None, high: Bound | None) -> Levels:
    """>warn leaves all of warn out, >=warn begins at its first number."""
    first, last = 1, 24
    if low:
        band = levels(place, low.value)
        first = band[0] if low.inclusive else band[1] + 1
    if high:
        band = levels(place, high.value)
        last = band[1] if high.inclusive else band[0] - 1
    return Levels(first, last)


def check_edge(field: Field, place: Place, value: str) -> None:
    if field == Field("time", Kind.BUILTIN):
        try:
            times.instant(value, 0 if "now" not in value else times.LATEST // 2, UTC)
        except times.BadTime as error:
            raise Slip(Finding(place, str(error))) from error
    elif not NUMBER.fullmatch(value):
        message = f"A comparison wants a number; {value!r} is none."
        raise Slip(Finding(place, message, "Write field:value for the value itself."))


# ---- regular expressions ----


def expression(field: Field, place: Place, source: str) -> Test:
    if field.kind is Kind.ANY or (field.kind is Kind.BUILTIN and field.name not in TEXTUAL):
        raise Slip(Finding(place, f"{field.name} takes no regular expression."))
    try:
        return Regex(regex.translate(source))
    except regex.BadRegex as error:
        start = place[0] + 1 + error.offset
        within = (min(start, place[0] + place[1] - 1), max(error.length, 1))
        raise Slip(Finding(within, str(error), regex.SUBSET)) from error
