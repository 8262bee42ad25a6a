"""store(): a group is one transaction, on every kind of server."""

import uuid

import psycopg
import pytest

from ingest.envelope import Envelope
from ingest.record import LogRecord, Reject
from webapp.logs import store
from webapp.logs.store import Outcome, Unit

NOW_US = 1_795_500_000_000_000
LINES = (
    "SELECT message, extract(epoch FROM time)::numeric(20,6)::text, nanos, severity, service, host, trace_id,"
    " span_id, source, attributes, flags, pos FROM log ORDER BY time, nanos, seg, pos"
)


def record(message: str = "hello", time_us: int = NOW_US, **other: object) -> LogRecord:
    values = {
        "time_us": time_us, "nanos": 7, "observed_us": NOW_US + 5, "severity": 9, "service": "checkout",
        "host": "web-1", "message": message, "trace_id": None, "span_id": None,
        "attributes": b'{"a.b":1,"c":["x"]}', "flags": 0, **other,
    }  # fmt: skip
    return LogRecord(**values)


def unit(
    *records: LogRecord, batch: uuid.UUID | None = None, acceptance: int = 1, rejects: tuple = ()
) -> Unit:
    envelope = Envelope(3, "native", NOW_US, b"hash", list(records), list(rejects))
    return Unit(batch or uuid.uuid4(), acceptance, envelope)


def test_what_is_stored_is_what_was_given(any_database_url: str) -> None:
    trace, span = bytes(range(16)), bytes(range(8))
    with store.connect(any_database_url) as conn:
        given = unit(record("grüße", trace_id=trace, span_id=span, severity=None, flags=4))
        assert store.store(conn, [given]) == [Outcome(given.batch, 1, True)]
        assert conn.execute(LINES).fetchall() == [
            ("grüße", "1795500000.000000", 7, None, "checkout", "web-1", uuid.UUID(bytes=trace), span, 3,
             {"a.b": 1, "c": ["x"]}, 4, 0)
        ]  # fmt: skip
