"""The query language evaluated in plain Python, line by line: what the SQL of plan.py must agree with.

Written from docs/searching.md, not from the SQL: no shared helper but the parser and the reader of times.
"""

import ipaddress
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any

from ingest.record import LogRecord
from webapp.logs import times
from webapp.logs.tree import (
    And,
    Between,
    Clause,
    Equals,
    Exists,
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

FULLY_NUMERIC = re.compile(r"[+-]?(\d{1,100}(\.\d{0,100})?|\.\d{1,100})([eE][+-]?\d{1,2})?", re.ASCII)
JSON_NUMBER = re.compile(r"-?(0|[1-9]\d{0,99})(\.\d{1,100})?([eE][+-]?\d{1,2})?", re.ASCII)


@dataclass(frozen=True)
class Stored:
    """A line as it lies in the table, with its attributes decoded (numbers as Decimal)."""

    record: LogRecord
    attributes: dict[str, Any]
    source: str
    batch: uuid.UUID


def matches(node: Node, line: Stored, now_ns: int) -> bool:
    match node:
        case And(parts):
            return all(matches(part, line, now_ns) for part in parts)
        case Or(parts):
            return any(matches(part, line, now_ns) for part in parts)
        case Not(part):
            return not matches(part, line, now_ns)
        case Clause(field, test):
            if field.kind is Kind.ANY:
                return anywhere(test, line)
            if field.kind is Kind.ATTRIBUTE:
                return attribute(test, line.attributes.get(field.name))
            return builtin(field.name, test, line, now_ns)
    raise AssertionError(node)


def builtin(name: str, test: Test, line: Stored, now_ns: int) -> bool:
    record = line.record
    match name:
        case "message":
            return message(test, record.message)
        case "service" | "host":
            value = record.service if name == "service" else record.host
            return value == test.value if isinstance(test, Equals) else bool(value) and text(test, value)
        case "severity":
            level = record.severity
            return level is not None and (not isinstance(test, Levels) or test.low <= level <= test.high)
        case "trace_id" | "span_id":
            raw = record.trace_id if name == "trace_id" else record.span_id
            return raw is not None and text(test, raw.hex())
        case "source":
            return text(test, line.source)
        case "batch":
            return text(test, str(line.batch))
    ns = record.time_us * 1000 + record.nanos
    return isinstance(test, Exists) or (isinstance(test, Between) and instant(test, ns, now_ns))


def instant(test: Between, ns: int, now_ns: int) -> bool:
    edges = [edge and times.instant(edge.value, now_ns, UTC) for edge in (test.low, test.high)]
    above = test.low is None or (ns >= edges[0] if test.low.inclusive else ns > edges[0])
    below = test.high is None or (ns <= edges[1] if test.high.inclusive else ns < edges[1])
    return above and below


def message(test: Test, value: str) -> bool:
    if isinstance(test, Exists):
        return value != ""
    if isinstance(test, Equals | Like):
        return contains(test, value)
    return text(test, value)


def contains(test: Equals | Like, value: str) -> bool:
    parts = (test.value,) if isinstance(test, Equals) else test.parts
    pattern = "".join(pattern_of(part if not isinstance(part, str) else folded(part)) for part in parts)
    return re.search(pattern, folded(value), re.DOTALL) is not None


def folded(value: str) -> str:
    """Each character by itself, as the database does: none becomes two."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in value)


def pattern_of(part: str | bool | None) -> str:
    return ".*" if part is None else "." if part is True else re.escape(str(part))


def anywhere(test: Test, line: Stored) -> bool:
    if not isinstance(test, Equals | Like):
        return True
    record = line.record
    texts = [record.message, record.service, record.host]
    texts += [raw.hex() for raw in (record.trace_id, record.span_id) if raw is not None]
    texts += [told for value in line.attributes.values() for told in map(scalar_text, scalars(value)) if told]
    return any(contains(test, value) for value in texts)


# ---- one value ----


def text(test: Test, value: str) -> bool:
    match test:
        case Equals(wanted):
            return value == wanted
        case Like(parts):
            return re.fullmatch("".join(map(pattern_of, parts)), value, re.DOTALL) is not None
        case Regex(pattern):
            body, flags = python_regex(pattern)
            return re.search(body, value, flags) is not None
        case Network(cidr):
            return in_network(value, cidr)
        case Between():
            return number_in(test, value)
    return True


def python_regex(pattern: str) -> tuple[str, re.RegexFlag]:
    flags = re.IGNORECASE if pattern.startswith("(?i)") else re.RegexFlag(0)
    body = pattern.removeprefix("(?i)").replace("[:alnum:]_", "\\w")
    return body.replace("\\y", "\\b").replace("\\Y", "\\B").replace("$", "\\Z"), flags


def in_network(value: str, cidr: str) -> bool:
    try:
        return "%" not in value and ipaddress.ip_address(value) in ipaddress.ip_network(cidr)
    except ValueError:
        return False


def number_in(test: Between, value: str) -> bool:
    if not FULLY_NUMERIC.fullmatch(value):
        return False
    number = Decimal(value)
    above = test.low is None or compare(number, Decimal(test.low.value), test.low.inclusive)
    return above and (test.high is None or compare(Decimal(test.high.value), number, test.high.inclusive))


def compare(larger: Decimal, smaller: Decimal, inclusive: bool) -> bool:
    return larger >= smaller if inclusive else larger > smaller


# ---- attributes ----


def attribute(test: Test, value: Any) -> bool:
    if isinstance(test, Exists):
        return value is not None
    return any(scalar(test, one) for one in scalars(value))


def scalars(value: Any) -> list[Any]:
    """An array stands for its scalars; null and what is nested deeper are none."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str | bool | Decimal | int)]


def scalar_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def scalar(test: Test, value: Any) -> bool:
    if isinstance(test, Equals):
        return value in json_values(test) and any(type(value) is type(form) for form in json_values(test))
    if isinstance(test, Between):
        return not isinstance(value, bool) and number_in(test, scalar_text(value))
    return text(test, scalar_text(value))


def json_values(test: Equals) -> list[Any]:
    forms: list[Any] = [test.value]
    if not test.quoted:
        if JSON_NUMBER.fullmatch(test.value):
            forms.append(Decimal(test.value))
        forms += [{"true": True, "false": False}[test.value]] if test.value in ("true", "false") else []
    return forms


# ---- the value a facet counts a line under ----


def value(field: str, line: Stored) -> str | None:
    record = line.record
    match field:
        case "service" | "host":
            return (record.service if field == "service" else record.host) or None
        case "source":
            return line.source
        case "severity":
            names = ("trace", "debug", "info", "warn", "error", "fatal")
            return None if record.severity is None else names[(record.severity - 1) // 4]
    found = line.attributes.get(field)
    if isinstance(found, list | dict):
        return json_text(found)
    return None if found is None else scalar_text(shortened(found))


def shortened(value: Any) -> Any:
    """200.0 is 200."""
    if not isinstance(value, Decimal):
        return value
    text = format(value, "f")
    return Decimal(text.rstrip("0").rstrip(".")) if "." in text else value


def json_text(value: Any) -> str:
    """As the database writes it."""
    if isinstance(value, list):
        return "[" + ", ".join(map(json_text, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {json_text(one)}" for key, one in value.items()) + "}"
    if value is None or isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return scalar_text(value)


Matcher = Callable[[Node, Stored, int], bool]
