"""Lines and batches for tests, with only what a test cares about spelt out."""

import time
import uuid
from typing import Any

from ingest.envelope import Envelope
from ingest.record import LogRecord, Reject
from webapp.logs.store import Unit

NOW_US = time.time_ns() // 1000 // 86_400_000_000 * 86_400_000_000 + 43_200_000_000  # noon today


def record(message: str = "hello", time_us: int = NOW_US, **other: Any) -> LogRecord:
    values = {
        "time_us": time_us, "nanos": 7, "observed_us": NOW_US + 5, "severity": 9, "service": "checkout",
        "host": "web-1", "message": message, "trace_id": None, "span_id": None,
        "attributes": b'{"a.b":1,"c":["x"]}', "flags": 0, **other,
    }  # fmt: skip
    return LogRecord(**values)


def unit(
    *records: LogRecord,
    batch: uuid.UUID | None = None,
    acceptance: int = 1,
    source: int = 3,
    rejects: tuple[Reject, ...] = (),
    quarantined: int = 0,
) -> Unit:
    envelope = Envelope(source, "native", NOW_US, b"hash", list(records), list(rejects))
    return Unit(batch or uuid.uuid4(), acceptance, envelope, quarantined)
