"""The lines of a chaos run: made from seed and batch number alone, recognised in the database by hash.

A batch can be made again at any time, so the journal need not hold its lines. The hash of a batch is a sum of
one hash a line over all it should be stored as, its position in the batch included: equal in SQL and here.

Some batches are poison, by their number: lines that ingest refuses among good ones, bodies of nothing but
garbage, bodies without a line, and lines that the database refuses (`REFUSAL` makes it) although ingest took
them: a few, which are sifted out, or so many that the batch is put away whole.
"""

import hashlib
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import psycopg

from ingest.demo import LEVELS, Town
from webapp.challenge.lines import poisoned

HASH_DIGITS = 15  # of md5, as a number: sums of it are exact in numeric, and here
STEP_NS = 1_001  # between two lines: their nanoseconds differ
BAD_LINES = 3  # of a batch that is partly refused; the sift looks for up to 16
POISON_HOST = "refused-by-the-database"

# Partitions that are made later are made like log_shape, and must have what the parent has.
REFUSAL = (
    f"ALTER TABLE log_shape ADD CONSTRAINT chaos CHECK (host <> '{POISON_HOST}')",
    f"ALTER TABLE log ADD CONSTRAINT chaos CHECK (host <> '{POISON_HOST}')",
)

# The same text as `line_text`. Dotted names of attributes are left out: jsonb has an order of its own.
SUMS = """
SELECT b.batch, b.source, count(l.seg), count(DISTINCT l.pos), coalesce(min(l.pos) - b.first_pos, 0),
       coalesce(sum(('x' || substr(md5(concat_ws('|', l.pos - b.first_pos,
           (extract(epoch FROM l.time) * 1000000)::bigint, l.nanos, l.severity, l.service, l.host,
           replace(coalesce(l.trace_id::text, ''), '-', ''), l.message)), 1, 15))::bit(60)::bigint)
           FILTER (WHERE l.seg IS NOT NULL), 0)
FROM log_batch b LEFT JOIN log l ON l.seg = b.seg AND l.pos >= b.first_pos AND l.pos < b.first_pos + b.rows
GROUP BY b.batch, b.source, b.first_pos
"""

Kind = Literal["good", "partly", "garbage", "empty", "sifted", "put away"]
KINDS: tuple[Kind, ...] = ("partly", "garbage", "empty", "sifted", "put away")


@dataclass(frozen=True)
class Batch:
    number: int
    kind: Kind
    taken: int  # lines that ingest takes
    lines: int  # lines that are stored in the end
    body: bytes
    sha256: str
    sum: int
    poison: frozenset[tuple[int | None, str]]  # line (None: the whole batch) and reason, in quarantine

    @property
    def rejected(self) -> list[int]:
        """The lines that ingest refuses, as its answer numbers them."""
        return sorted(line for line, _ in self.poison if line) if self.kind in ("partly", "garbage") else []


def key_of(number: int) -> str:
    return f"chaos-{number}"


def kind_of(seed: int, number: int, share: float) -> Kind:
    """`share` of all batches is poison."""
    dice = random.Random(f"{seed}/kind/{number}")
    return dice.choice(KINDS) if dice.random() < share else "good"


def make(number: int, lines: int, first_ns: int, kind: Kind = "good") -> Batch:
    start = first_ns + number * lines * STEP_NS
    made = Town(20, seed=number).lines(lines, start, start + lines * STEP_NS)
    pieces: list[bytes] = []
    stored: list[bytes] = []
    poison: set[tuple[int | None, str]] = set()
    bad = bad_places(kind, lines)
    for place, line in enumerate(made):
        if place not in bad:
            stored.append(line)
        elif kind in ("sifted", "put away"):
            line = refused_by_database(line)
            poison.add((place + 1, "refused_by_database"))
        else:
            # The first sign of a body says how to read it: a bracket there would make it one array.
            reason, line = poisoned("chaos", number if place else 0, place)
            poison.add((place + 1, reason))
        pieces.append(line)
    if kind == "put away":
        stored, poison = [], {(None, "poison")}
    body = b"\n\n" if kind == "empty" else b"\n".join(pieces) + b"\n"
    if kind == "empty":
        stored, poison = [], set()
    total = sum(line_hash(place, msgspec.json.decode(line)) for place, line in enumerate(stored))
    digest, taken = hashlib.sha256(body).hexdigest(), taken_of(kind, lines, stored)
    return Batch(number, kind, taken, len(stored), body, digest, total, frozenset(poison))


def bad_places(kind: Kind, lines: int) -> set[int]:
    """Spread over the batch; of a batch that is put away, every second line."""
    if kind == "good":
        return set()
    if kind in ("garbage", "empty"):
        return set(range(lines))
    if kind == "put away":
        return set(range(0, lines, 2))
    return {(piece + 1) * lines // (BAD_LINES + 1) for piece in range(BAD_LINES)}


def taken_of(kind: Kind, lines: int, stored: list[bytes]) -> int:
    return lines if kind in ("sifted", "put away") else len(stored)


def refused_by_database(line: bytes) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(line), "host": POISON_HOST})


def line_hash(place: int, line: dict[str, Any]) -> int:
    return int(hashlib.md5(line_text(place, line).encode()).hexdigest()[:HASH_DIGITS], 16)


def line_text(place: int, line: dict[str, Any]) -> str:
    seconds, fraction = line["time"].removesuffix("Z").split(".")
    whole = int(datetime.fromisoformat(seconds).replace(tzinfo=UTC).timestamp())
    micros = whole * 1_000_000 + int(fraction[:6])
    severity = LEVELS.index(line["level"]) * 4 + 1
    words = (place, micros, int(fraction[6:]), severity, line["service"], line["host"])
    return "|".join(map(str, (*words, line.get("trace_id", ""), line["message"])))


@dataclass(frozen=True)
class Stored:
    source: int
    rows: int
    places: int  # distinct positions
    first: int  # the lowest position, counted from the batch's first
    sum: int


def stored(conn: psycopg.Connection[Any]) -> Iterator[tuple[uuid.UUID, Stored]]:
    with conn.cursor() as cursor:
        for batch, source, rows, places, first, total in cursor.stream(SUMS):
            yield batch, Stored(source, rows, places, first, int(total))
