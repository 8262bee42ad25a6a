"""A batch's decoding with a fixed clock and narrow limits, and what can be said about its records."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from ingest.dialects import native
from ingest.dialects.native import Decoded, Form
from ingest.limits import Limits
from ingest.normalise import Normaliser
from ingest.record import LogRecord

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
TIME = "2026-11-24T05:59:00.25Z"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
LIMITS = Limits(lines=100, line_bytes=4096, fields=20, depth=5, batch_days=3, future_seconds=60)


# After these lines a body is no longer tried the quick way.
CAREFUL = b'{"time": 1795499940.5, "message": 5, "x": {"y": {}}}\n' * native.MOST_MISSES


def decode(body: bytes | str, form: Form = Form.LINES, limits: Limits = LIMITS) -> Decoded:
    body = body.encode() if isinstance(body, str) else body
    return native.decode(body, form, Normaliser(limits, NOW_US, 30))


def same(records: list[LogRecord]) -> list[LogRecord]:
    """With attributes as jsonb would see them: blanks, escapes and repeated names make no difference."""
    return [
        msgspec.structs.replace(
            record, attributes=json.dumps(json.loads(record.attributes, parse_float=str)).encode()
        )
        for record in records
    ]


def one(line: bytes | str | dict[str, Any], **limits: int) -> LogRecord:
    """The record of a line, read as NDJSON and once more in company that is read the careful way."""
    if isinstance(line, dict):
        line = json.dumps(line)
    line = line.encode() if isinstance(line, str) else line
    (record,) = decode(line).records
    careful = decode(CAREFUL + line)
    assert same(careful.records[native.MOST_MISSES :]) == same([record]) and not careful.rejects
    return record


def reason(line: bytes | str | dict[str, Any], limits: Limits = LIMITS) -> str:
    if isinstance(line, dict):
        line = json.dumps(line)
    found = decode(line, limits=limits)
    assert not found.records
    (reject,) = found.rejects
    return reject.reason


def attributes(line: bytes | str | dict[str, Any]) -> Any:
    return json.loads(one(line).attributes, parse_float=str)
