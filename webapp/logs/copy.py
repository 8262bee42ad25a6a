"""Records into COPY BINARY with as little work per row as Python allows.

A binary COPY carries no types: the server takes eight bytes for a timestamptz whoever wrote them. So
psycopg's C row writer is told the types of what a record holds already (microseconds, raw bytes, prepared
JSON), not those of the columns. (Told `jsonb`, it would store prepared JSON as one JSON string, silently.)
Integers are cut to their column's width without a word: a record's were checked where it was made.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.types.string import BytesBinaryDumper

from ingest.record import LogRecord

PG_EPOCH_US = 946_684_800_000_000  # 2000-01-01: where PostgreSQL's binary times begin
JSONB = b"\x01"  # the format version that stands before the JSON text

# Column, and how its value is written.
COLUMNS = (
    ("time", "int8"),
    ("observed", "int8"),
    ("seg", "int8"),
    ("pos", "int4"),
    ("source", "int4"),
    ("flags", "int4"),
    ("nanos", "int2"),
    ("severity", "int2"),
    ("trace_id", "bytea"),
    ("service", "text"),
    ("host", "text"),
    ("message", "text"),
    ("span_id", "bytea"),
    ("attributes", "bytea"),
)
WRITTEN_AS = [kind for _, kind in COLUMNS]
STATEMENT = f"COPY log ({', '.join(name for name, _ in COLUMNS)}) FROM STDIN (FORMAT BINARY)"


@contextmanager
def copying(cursor: psycopg.Cursor[Any]) -> Iterator[psycopg.Copy]:
    # Looked up by type, bytea has a dumper in Python; the one for the class `bytes` is in C.
    cursor.adapters.register_dumper(None, BytesBinaryDumper)
    with cursor.copy(STATEMENT) as copy:
        copy.set_types(WRITTEN_AS)
        yield copy


def write_rows(
    copy: psycopg.Copy, records: Iterable[LogRecord], source: int, seg: int, first_pos: int
) -> None:
    """The records of one batch, in order: their positions are first_pos, first_pos + 1 …"""
    write = copy.write_row
    for pos, record in enumerate(records, first_pos):
        write(
            (
                record.time_us - PG_EPOCH_US,
                record.observed_us - PG_EPOCH_US,
                seg,
                pos,
                source,
                record.flags,
                record.nanos,
                record.severity,
                record.trace_id,
                record.service,
                record.host,
                record.message,
                record.span_id,
                JSONB + record.attributes,
            )
        )


def copy_rows(
    cursor: psycopg.Cursor[Any], records: Iterable[LogRecord], source: int, seg: int, first_pos: int
) -> None:
    """One COPY of its own."""
    with copying(cursor) as copy:
        write_rows(copy, records, source, seg, first_pos)
