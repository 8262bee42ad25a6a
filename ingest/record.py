"""The log record: the one shape a line has between the decoder and the table.

Records are frozen, carry integers and bytes that the store can hand to COPY without another conversion, and
are checked where they are made (`normalise.py`), never afterwards. No dict travels past the decoder.
"""

from enum import IntEnum, IntFlag

import msgspec


class Severity(IntEnum):
    """OpenTelemetry's six names, each at the first of its four numbers (1 to 24)."""

    TRACE = 1
    DEBUG = 5
    INFO = 9
    WARN = 13
    ERROR = 17
    FATAL = 21


class Flag(IntFlag):
    """What ingest did to a line that its sender did not say."""

    TIME_MISSING = 1  # no time given: the time of receipt stands in
    TIME_CLAMPED = (
        2  # further in the future than allowed: set to the receipt, the original kept as an attribute
    )
    TEXT_REPAIRED = 4  # invalid UTF-8, a lone surrogate or a NUL was replaced by U+FFFD


class LogRecord(msgspec.Struct, frozen=True, gc=False, array_like=True):
    time_us: int  # microseconds since 1970-01-01 UTC
    nanos: int  # 0 to 999, what microseconds cannot hold
    observed_us: int  # when ingest received the line
    severity: int | None  # 1 to 24, None where the sender gave none
    service: str  # "" where the sender gave none
    host: str  # "" where the sender gave none
    message: str
    trace_id: bytes | None  # 16 bytes
    span_id: bytes | None  # 8 bytes
    attributes: bytes  # a flat JSON object in UTF-8, dotted names, valid for jsonb (no NUL)
    flags: int  # bits of Flag


class Reject(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A line that was refused: it travels with its batch and rests in quarantine."""

    line: int  # as the answer numbers it, from 1
    reason: str  # a short code: bad_json, too_old, too_long …
    detail: str  # one sentence for a person
    raw: bytes  # the line as received, cut at the quarantine's bound
    dropped: int = 0  # bytes that the bound cut off
