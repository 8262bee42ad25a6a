"""Rows of `log` as the lines that go out, and the opaque id that is a line's permalink.

An id is the line's place in the one order everything here keeps: (time, nanos, segment, position).
"""

import base64
import binascii
import struct
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg import sql

from ingest.record import Flag, Severity
from webapp.logs import times

PLACE = struct.Struct(">qHqI")
COLUMNS = sql.SQL(
    "time, nanos, seg, pos, observed, severity, service, host, message, trace_id, span_id, source,"
    " attributes::text, flags"
)
SERVICE, HOST, SOURCE = 6, 7, 11  # where a row of COLUMNS has them
ORDER = {
    True: sql.SQL("time, nanos, seg, pos"),
    False: sql.SQL("time DESC, nanos DESC, seg DESC, pos DESC"),
}
LEVEL_NAMES = {number: Severity((number - 1) // 4 * 4 + 1).name.lower() for number in range(1, 25)}


RUNS = """
SELECT seg, first_pos, rows, batch, received FROM log_batch WHERE seg = ANY(%s::bigint[]) AND rows > 0
"""


class Place(NamedTuple):
    """Where a line stands. A place between lines (nanos 0, segment 0) is a bare instant."""

    time_us: int
    nanos: int
    seg: int
    pos: int

    @property
    def ns(self) -> int:
        return self.time_us * 1000 + self.nanos

    def params(self) -> tuple[datetime, int, int, int]:
        return times.to_datetime(self.time_us * 1000), self.nanos, self.seg, self.pos


class Line(msgspec.Struct, frozen=True):
    id: str
    time: str
    observed: str
    received: str | None  # None once the ledger has forgotten the batch
    severity: str | None
    severity_number: int | None
    service: str | None
    host: str | None
    message: str
    trace_id: str | None
    span_id: str | None
    source: str
    batch: str | None
    attributes: msgspec.Raw  # the JSON as stored: no number passes through a float
    flags: list[str]


def place_of(row: Sequence[Any]) -> Place:
    return Place(times.nanoseconds(row[0]) // 1000, row[1], row[2], row[3])


def encode_id(place: Place) -> str:
    return base64.urlsafe_b64encode(PLACE.pack(*place)).rstrip(b"=").decode()


def decode_id(text: str) -> Place | None:
    """None for what `encode_id` did not make."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        place = Place(*PLACE.unpack(raw))
    except (binascii.Error, ValueError, struct.error):
        return None
    in_bounds = abs(place.time_us) * 1000 <= times.LATEST and place.nanos < 1000 and place.pos < 2**31
    return place if in_bounds else None


def to_lines(
    conn: psycopg.Connection[Any], rows: list[Sequence[Any]], sources: Mapping[str, int]
) -> list[Line]:
    batches = batches_of(conn, {row[2] for row in rows})
    names = {number: name for name, number in sources.items()}
    return [line(row, batch_at(batches.get(row[2], []), row[3]), names) for row in rows]


class Run(NamedTuple):
    """A batch as a run of positions in its segment."""

    first: int
    rows: int
    batch: uuid.UUID
    received: str


def batches_of(conn: psycopg.Connection[Any], segments: set[int]) -> dict[int, list[Run]]:
    found: dict[int, list[Run]] = {}
    for seg, first, rows, batch, received in conn.execute(RUNS, [sorted(segments)]) if segments else ():
        found.setdefault(seg, []).append(Run(first, rows, batch, times.stamp(received)))
    return found


def batch_at(runs: list[Run], pos: int) -> Run | None:
    return next((run for run in runs if run.first <= pos < run.first + run.rows), None)


def line(row: Sequence[Any], run: Run | None, names: Mapping[int, str]) -> Line:
    place = place_of(row)
    observed, severity, service, host, message, trace_id, span_id, source, attributes, flags = row[4:]
    return Line(
        id=encode_id(place),
        time=times.stamp(row[0], place.nanos),
        observed=times.stamp(observed),
        received=run.received if run else None,
        severity=LEVEL_NAMES.get(severity),
        severity_number=severity,
        service=service or None,
        host=host or None,
        message=message,
        trace_id=trace_id.hex if trace_id else None,
        span_id=bytes(span_id).hex() if span_id else None,
        source=names.get(source, str(source)),
        batch=str(run.batch) if run else None,
        attributes=msgspec.Raw(attributes.encode()),
        flags=[(flag.name or "").lower() for flag in Flag(flags)] if flags else [],
    )
