"""The lines of a challenge: made from run, batch number and position alone, and known again by their hash.

A batch can be made anew at any time, so neither journal nor checker keeps its lines. Each line carries the
attributes challenge.run, challenge.batch and challenge.position. The hash of a batch is the sum of one hash a
line over everything a reader gets to see of it but the names that the server gives (id, batch, observed,
received): it does not depend on the order of reading, and the same function makes it from what was exported.

    batch = make(run, number, lines, poison)     batch.body, .sha256, .key, .sum, .planted
    line = decode(one line of an export)         place_of(line, run), line_hash(line)

Planted poison is what a sender gets wrong: refused by ingest for reasons that no setting moves, each line
marked with where it was planted. Lines of a batch that are fine keep positions 0 to n-1 among themselves.
"""

import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from webapp.logs import times

STEP_NS = 1_001  # between two lines: their nanoseconds differ
BATCH_NS = 10_000_000  # between two batches
MOST_LINES = 5_000  # of a batch: they fit between two
SUM_BITS = 64
RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")

Attributes = dict[str, Any]


class Line(msgspec.Struct, frozen=True):
    """A line as a reader sees it."""

    time: str
    severity_number: int | None
    service: str | None
    host: str | None
    message: str
    trace_id: str | None
    span_id: str | None
    source: str
    attributes: Attributes
    flags: list[str] = []
    id: str = ""
    batch: str | None = None


@dataclass(frozen=True)
class Planted:
    line: int  # of the body, from 1
    reason: str
    raw: bytes


@dataclass(frozen=True)
class Batch:
    run: str
    number: int
    lines: int  # that are to be stored
    body: bytes
    sha256: str
    sum: int
    planted: tuple[Planted, ...]

    @property
    def key(self) -> str:
        return f"challenge:{self.run}:{self.number}"


class Place(NamedTuple):
    batch: int
    position: int


def new_run(now_ns: int) -> str:
    """Its lines begin at that second; by the server's clock, so that none lies in its future."""
    at = datetime.fromtimestamp(now_ns // times.SECOND, UTC)
    return f"{at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def began_ns(run: str) -> int:
    at = datetime.strptime(run.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return times.nanoseconds(at)


def range_of(run: str, first: int, beyond: int) -> tuple[str, str]:
    """Start and end of the lines of these batches."""
    began = began_ns(run)
    return times.rfc3339(began + first * BATCH_NS), times.rfc3339(began + beyond * BATCH_NS)


def make(run: str, number: int, lines: int, poison: int = 0) -> Batch:
    """`lines` good lines, at most MOST_LINES, with `poison` bad ones between them."""
    began = began_ns(run) + number * BATCH_NS
    pieces: list[bytes] = []
    planted: list[Planted] = []
    total = 0
    before = Counter((piece + 1) * lines // (poison + 1) for piece in range(poison))
    for position in range(lines + 1):
        for _ in range(before[position]):
            reason, raw = poisoned(run, number, len(planted))
            pieces.append(raw)
            planted.append(Planted(len(pieces), reason, raw))
        if position < lines:
            sent, stored = line(run, number, position, began + position * STEP_NS)
            pieces.append(sent)
            total += line_hash(stored)
    body = b"\n".join(pieces) + b"\n"
    digest = hashlib.sha256(body).hexdigest()
    return Batch(run, number, lines, body, digest, total % 2**SUM_BITS, tuple(planted))


# ---- one line ----

MESSAGES = (
    "order {batch}-{position} went through all {position} steps",
    "GET /carts/{position}/items?page={batch} answered 200 in 12.{position} ms",
    "Grüße an Kunde №{position}: 価格は¥{batch} 🦆 und ein zusammengesetztes e\u0301",
    'Traceback (most recent call last):\n  File "till.py", line {position}\n\tKeyError: {batch}',
    "",
    'path C:\\till\\{batch} said "{position}"\tand \\u0041 stayed six characters',
    "a terminal's colour \x1b[31m{position}\x1b[0m, a bell \x07 and a line end\r\n{batch}",
    "  spaces around, {batch}:{position}  ",
    "a long one {batch}/{position}: " + "0123456789abcdef" * 64,
)
SEVERITIES: tuple[tuple[str | int | None, int | None], ...] = (
    ("info", 9), ("WARN", 13), ("notice", 10), (17, 17), ("debug", 5), (None, None), ("critical", 21),
)  # fmt: skip
# As it is sent, and as it is stored: dotted names for nested objects, numbers digit for digit.
EXTRAS: tuple[tuple[Attributes, Attributes], ...] = (
    ({}, {}),
    ({"order.total": Decimal("12.10")}, {"order.total": Decimal("12.10")}),
    (
        {"exact": Decimal("184467440737.09551617123456789"), "small": -7},
        {"exact": Decimal("184467440737.09551617123456789"), "small": -7},
    ),
    (
        {"user": {"id": 7, "name": "Zoë", "of": {"team": "tills"}}},
        {"user.id": 7, "user.name": "Zoë", "user.of.team": "tills"},
    ),
    ({"tags": ["a", 1, True, None, {"b": []}]}, {"tags": ["a", 1, True, None, {"b": []}]}),
    ({"ok": False, "nothing": {}, "ключ": "значение"}, {"ok": False, "nothing": {}, "ключ": "значение"}),
)
SOURCE = "challenge"  # stands for whatever source the lines went to: it is checked by itself
_encode = msgspec.json.Encoder(decimal_format="number").encode
_canonical = msgspec.json.Encoder(order="sorted").encode
_decoder = msgspec.json.Decoder(Line, float_hook=Decimal)
decode = _decoder.decode


def line(run: str, batch: int, position: int, at_ns: int) -> tuple[bytes, Line]:
    """What is sent, and what is to be read back."""
    turn = batch * 5 + position
    level, number = SEVERITIES[turn % len(SEVERITIES)]
    extra, stored = EXTRAS[turn % len(EXTRAS)]
    marks = {"challenge.run": run, "challenge.batch": batch, "challenge.position": position}
    at = f"{whole_second(at_ns // times.SECOND)}{at_ns % times.SECOND:09d}Z"
    message = MESSAGES[turn % len(MESSAGES)].format(batch=batch, position=position)
    service, host = f"challenge-{position % 5}", f"node-{batch % 8}" if position % 3 else None
    trace = f"{batch + 1:016x}{position // 4:016x}" if position % 2 else None
    span = f"{position + 1:016x}" if position % 4 == 1 else None
    known = {
        "time": FORMS[turn % len(FORMS)](at, at_ns), "level": level, "service": service, "host": host,
        "trace_id": trace, "span_id": span,
    }  # fmt: skip
    given = {name: value for name, value in known.items() if value is not None}
    sent = _encode({**given, "message": message, "attributes": {**marks, **extra}})
    return sent, Line(at, number, service, host, message, trace, span, SOURCE, {**marks, **stored})


@lru_cache(maxsize=4)
def whole_second(second: int) -> str:
    """Up to its decimal point; a batch lies within one."""
    return times.rfc3339(second * times.SECOND)[:-10]


FORMS: tuple[Callable[[str, int], str | int], ...] = (
    lambda text, ns: text,
    lambda text, ns: ns,
    lambda text, ns: text.replace("T", " ").replace("Z", "+00:00"),
)


def line_hash(line: Line) -> int:
    words = (
        line.time, line.severity_number, line.service, line.host, line.message, line.trace_id, line.span_id,
        line.attributes, line.flags,
    )  # fmt: skip
    return int.from_bytes(hashlib.sha256(_canonical(words)).digest()[: SUM_BITS // 8])


def place_of(line: Line, run: str) -> Place | None:
    """None for a line whose marks are not those of this run."""
    batch, position = line.attributes.get("challenge.batch"), line.attributes.get("challenge.position")
    if line.attributes.get("challenge.run") != run or type(batch) is not int or type(position) is not int:
        return None
    return Place(batch, position) if batch >= 0 and position >= 0 else None


# ---- poison ----

POISON: tuple[tuple[str, str], ...] = (
    ("bad_json", '{{"challenge.poison":"{mark}" and here it breaks'),
    ("not_an_object", '"challenge.poison:{mark}"'),
    ("bad_time", '{{"challenge.poison":"{mark}","time":"yesterday at noon","message":"x"}}'),
    ("too_old", '{{"challenge.poison":"{mark}","time":"1999-12-31T23:59:59Z","message":"x"}}'),
    ("name_too_long", '{{"challenge.poison":"{mark}","service":"' + "s" * 300 + '"}}'),
    ("bad_number", '{{"challenge.poison":"{mark}","attributes":{{"n":1e99999}}}}'),
    ("bad_json", '{{"challenge.poison":"{mark}","message":"\\ud83e\udcff and no end'),
)
MARK = re.compile(r'challenge\.poison"?:"?([0-9TZ]+-[0-9a-f]+)/(\d+)/(\d+)"')


def poisoned(run: str, batch: int, number: int) -> tuple[str, bytes]:
    """The reason it will be refused for, and its bytes; one form of them is no UTF-8."""
    reason, form = POISON[(batch + number) % len(POISON)]
    return reason, form.format(mark=f"{run}/{batch}/{number}").encode("utf-8", "surrogateescape")


def planted_at(beginning: str) -> tuple[str, Place] | None:
    """Which run, batch and how manieth of it a quarantined line says it is; None for a stranger's."""
    found = MARK.search(beginning)
    return (found[1], Place(int(found[2]), int(found[3]))) if found else None
