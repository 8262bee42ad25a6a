"""Batches for tests, small and recognisable."""

import time
import uuid

from ingest.buffer import Claimed, Offer
from ingest.envelope import Envelope, pack
from ingest.record import LogRecord


def record(message: str, *, time_us: int | None = None, attributes: bytes = b"{}") -> LogRecord:
    now = time.time_ns() // 1000
    return LogRecord(
        time_us=now if time_us is None else time_us,
        nanos=0,
        observed_us=now,
        severity=9,
        service="svc",
        host="h",
        message=message,
        trace_id=None,
        span_id=None,
        attributes=attributes,
        flags=0,
    )


def envelope(*messages: str, source: int = 1, attributes: bytes = b"{}") -> Envelope:
    records = [record(message, attributes=attributes) for message in messages]
    return Envelope(source, "native", time.time_ns() // 1000, b"\x00" * 32, records, [])


def claimed(*messages: str, acceptance: int = 1, deaths: int = 0, payload: bytes | None = None) -> Claimed:
    return Claimed(
        batch=uuid.uuid4(),
        acceptance=acceptance,
        source=1,
        rows=len(messages),
        deaths=deaths,
        payload=pack(envelope(*messages)) if payload is None else payload,
    )


def offer(*messages: str, source: int = 1, payload: bytes | None = None, attributes: bytes = b"{}") -> Offer:
    packed = pack(envelope(*messages, source=source, attributes=attributes)) if payload is None else payload
    return Offer(
        batch=uuid.uuid4(),
        source=source,
        dialect="native",
        rows=len(messages),
        rejects={},
        content_hash=b"\x00" * 32,
        payload=packed,
        key=None,
    )
