"""A record as a line that the native dialect reads back: how what was accepted once is sent again.

Used where the raw line is gone: for a line that the database refused, and for the lines of a whole batch in
quarantine. Everything comes back but the flags, which say what was done to the line the first time.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ingest.record import LogRecord

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def line_of(record: LogRecord) -> bytes:
    """Never fails for a record out of an envelope, whatever the database could not hold in it."""
    fields: dict[str, Any] = {"time": moment(record), "message": record.message}
    for name in ("severity", "service", "host"):
        if value := getattr(record, name):
            fields[name] = value
    for name in ("trace_id", "span_id"):
        if identifier := getattr(record, name):
            fields[name] = identifier.hex()
    if record.attributes != b"{}":
        fields["attributes"] = attributes(record.attributes)
    return msgspec.json.encode(fields)


def moment(record: LogRecord) -> str | int:
    """With all nine digits; as a bare number where the calendar does not reach."""
    try:
        at = EPOCH + timedelta(microseconds=record.time_us)
    except OverflowError:
        return record.time_us
    return f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}{record.nanos:03d}Z"


def attributes(stored: bytes) -> msgspec.Raw | str:
    try:
        msgspec.json.decode(stored)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return stored.decode(errors="replace")
    return msgspec.Raw(stored)
