"""The lines of an acceptance load: made from the batch number alone, recognised in the database by hash.

A batch can be made again at any time, so the journal need not hold its lines. The hash of a batch is a sum of
one hash a line over all it should be stored as, its position in the batch included: equal in SQL and here.
"""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg

from ingest.demo import LEVELS, Town

HASH_DIGITS = 15  # of md5, as a number: sums of it are exact in numeric, and here
STEP_NS = 1_001  # between two lines: their nanoseconds differ

# The same text as `line_text`. Dotted names of attributes are left out: jsonb has an order of its own.
SUMS = """
SELECT b.batch, count(l.seg), count(DISTINCT l.pos), coalesce(min(l.pos) - b.first_pos, 0),
       coalesce(sum(('x' || substr(md5(concat_ws('|', l.pos - b.first_pos,
           (extract(epoch FROM l.time) * 1000000)::bigint, l.nanos, l.severity, l.service, l.host,
           replace(coalesce(l.trace_id::text, ''), '-', ''), l.message)), 1, 15))::bit(60)::bigint), 0)
FROM log_batch b LEFT JOIN log l ON l.seg = b.seg AND l.pos >= b.first_pos AND l.pos < b.first_pos + b.rows
GROUP BY b.batch, b.first_pos
"""


@dataclass(frozen=True)
class Batch:
    number: int
    lines: int
    body: bytes
    sha256: str
    sum: int


def make(number: int, lines: int, first_ns: int) -> Batch:
    start = first_ns + number * lines * STEP_NS
    made = Town(20, seed=number).lines(lines, start, start + lines * STEP_NS)
    body = b"\n".join(made) + b"\n"
    total = sum(line_hash(place, msgspec.json.decode(line)) for place, line in enumerate(made))
    return Batch(number, lines, body, hashlib.sha256(body).hexdigest(), total)


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
    rows: int
    places: int  # distinct positions
    first: int  # the lowest position, counted from the batch's first
    sum: int


def stored(conn: psycopg.Connection[Any]) -> Iterator[tuple[uuid.UUID, Stored]]:
    with conn.cursor() as cursor:
        for batch, rows, places, first, total in cursor.stream(SUMS):
            yield batch, Stored(rows, places, first, int(total))
