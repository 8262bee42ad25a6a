"""The spill file: batches on the worker's own volume while the database is away. Pure: bytes in, bytes out.

Who writes: a worker that owns the directory (`spool.py`), one immutable file a group. A file is written under
a temporary name, synced, renamed, and its directory synced; only then may the broker forget the batches. Who
deletes: the flusher, after every batch of the file is in PostgreSQL and the broker has been told. What
survives: a file under its final name is whole whatever was killed. A temporary one is worth nothing: its
batches are still in the broker. Bits that rot are found by the checksums; a damaged file is set aside, never
erased.

Name: `<written, microseconds since 1970, 20 digits>.spill`, so that the order of names is the order of
writing.

Layout, integers little-endian, checksums CRC-32 (zlib's):
    header   8 bytes `LBSPILL` and the format version 1 | written, microseconds, i64 | crc32 of the 16 before
    record   `R` | length of the body, u32 | body | crc32 of all of the record before it
             body: batch id, 16 bytes | acceptance, u64 | source, u64 | rows, u32 | deaths, u32 | envelope
    trailer  `E` | number of records, u32 | crc32 of the 5 before
Nothing follows the trailer. A record is checked by itself, so that damage takes only what it touched:
whatever is readable before a broken length, and every record with a good checksum, can still be stored.

Limits: a body 1 GiB (an envelope is at most 256 MiB), a file 2^32 records. A reader takes every version ever
written.
"""

import struct
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from ingest.buffer import Claimed
from workers.errors import Damaged

MAGIC = b"LBSPILL\x01"
SUFFIX = ".spill"
LARGEST_BODY = 1024**3

_header = struct.Struct("<8sqI")
_frame = struct.Struct("<cI")  # of a record: `R` and its length; of the trailer: `E` and the count
_fields = struct.Struct("<16sQQII")
_checksum = struct.Struct("<I")


@dataclass(frozen=True)
class Contents:
    written_us: int
    batches: list[Claimed]
    damage: str | None  # what is wrong with the rest of the file, None for a whole one
    unreadable: list[Claimed] = field(default_factory=list)  # as they call themselves: not to be trusted


class DamagedRecord(Damaged):
    """Its checksum is wrong, its place and length are right."""

    def __init__(self, complaint: str, record: Claimed) -> None:
        super().__init__(complaint)
        self.record = record


def name(written_us: int) -> str:
    return f"{written_us:020d}{SUFFIX}"


def encode(batches: Sequence[Claimed], written_us: int) -> bytes:
    """The whole file."""
    head = _header.pack(MAGIC, written_us, 0)[:16]
    parts = [_sealed(head)]
    parts += [_record(batch) for batch in batches]
    parts.append(_sealed(_frame.pack(b"E", len(batches))))
    return b"".join(parts)


def decode(file: bytes) -> Contents:
    """What is left of a file. Raises Damaged where not even the header can be trusted."""
    return _contents(file, _read_header(file))


def behind_header(file: bytes, written_us: int) -> Contents:
    """What is left of a file whose header is damaged: each record has a checksum of its own."""
    return _contents(file, written_us)


def skim(file: BinaryIO) -> Iterator[tuple[uuid.UUID, int]]:
    """Batch and rows of each record, its contents unread and unchecked; ends where no record follows."""
    file.seek(_header.size)
    while True:
        head = file.read(_frame.size + _fields.size)
        if len(head) < _frame.size + _fields.size or head[:1] != b"R":
            return
        _, length = _frame.unpack_from(head)
        batch, _, _, rows, _ = _fields.unpack_from(head, _frame.size)
        yield uuid.UUID(bytes=batch), rows
        file.seek(length - _fields.size + _checksum.size, 1)


def announced(file: bytes) -> int | None:
    """How many records the trailer says there are; None where it cannot be read either."""
    at = len(file) - _frame.size - _checksum.size
    if at < 0 or file[at : at + 1] != b"E":
        return None
    (checksum,) = _checksum.unpack_from(file, at + _frame.size)
    return (
        int(_frame.unpack_from(file, at)[1]) if checksum == zlib.crc32(file[at : at + _frame.size]) else None
    )


def _contents(file: bytes, written_us: int) -> Contents:
    contents = Contents(written_us, [], None)
    damage: str | None = None
    try:
        for found in _records(file):
            if isinstance(found, DamagedRecord):
                damage = damage or str(found)
                contents.unreadable.append(found.record)
            else:
                contents.batches.append(found)
    except Damaged as error:  # framing is lost: nothing behind this place can be found
        damage = damage or str(error)
    return replace(contents, damage=damage)


def _sealed(part: bytes) -> bytes:
    return part + _checksum.pack(zlib.crc32(part))


def _record(batch: Claimed) -> bytes:
    fields = _fields.pack(batch.batch.bytes, batch.acceptance, batch.source, batch.rows, batch.deaths)
    return _sealed(_frame.pack(b"R", len(fields) + len(batch.payload)) + fields + batch.payload)


def _read_header(file: bytes) -> int:
    if len(file) < _header.size:
        raise Damaged("shorter than a header")
    magic, written_us, checksum = _header.unpack_from(file)
    if magic != MAGIC:
        raise Damaged(f"begins with {magic!r}: not a spill file of a version known here")
    if checksum != zlib.crc32(file[:16]):
        raise Damaged("the header's checksum is wrong")
    return int(written_us)


def _records(file: bytes) -> Iterator[Claimed | DamagedRecord]:
    """Each record, or what is wrong with it; raises Damaged where the next cannot be found."""
    at, seen = _header.size, 0
    while True:
        if len(file) < at + _frame.size:
            raise Damaged(f"cut short after {seen} records")
        kind, length = _frame.unpack_from(file, at)
        if kind == b"E":
            return _check_trailer(file, at, count=length, seen=seen)
        end = at + _frame.size + length
        if kind != b"R" or not _fields.size <= length <= LARGEST_BODY or len(file) < end + _checksum.size:
            raise Damaged(f"no record where the {seen + 1}. should be")
        seen += 1
        yield _read_record(file, at, end, seen)
        at = end + _checksum.size


def _read_record(file: bytes, at: int, end: int, number: int) -> Claimed | DamagedRecord:
    (checksum,) = _checksum.unpack_from(file, end)
    fields = at + _frame.size
    batch, acceptance, source, rows, deaths = _fields.unpack_from(file, fields)
    record = Claimed(
        batch=uuid.UUID(bytes=batch),
        acceptance=acceptance,
        source=source,
        rows=rows,
        deaths=deaths,
        payload=file[fields + _fields.size : end],
    )
    if checksum != zlib.crc32(memoryview(file)[at:end]):
        return DamagedRecord(f"the {number}. record's checksum is wrong", record)
    return record


def _check_trailer(file: bytes, at: int, *, count: int, seen: int) -> None:
    end = at + _frame.size
    if file[end:] != _checksum.pack(zlib.crc32(file[at:end])):
        raise Damaged("the trailer is damaged or other bytes follow it")
    if count != seen:
        raise Damaged(f"{seen} records where the trailer says {count}")
