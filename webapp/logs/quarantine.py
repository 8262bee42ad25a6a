"""Lines that were refused, and batches that cannot be stored: kept as received, with the reason (I6)."""

import uuid
from typing import Any, NamedTuple

import psycopg

from ingest.envelope import Envelope
from webapp.logs.errors import Poison, classify

Refusing = tuple[uuid.UUID, int, Envelope]  # batch, acceptance and the envelope whose rejects are kept

REJECTS = """
INSERT INTO quarantine (batch, acceptance, seg, received, source, line, dialect, reason, detail, raw,
                        dropped)
SELECT batch, acceptance, %s, 'epoch'::timestamptz + received_us * interval '1 microsecond', source, line,
       dialect, reason, detail, raw, dropped
FROM unnest(%s::uuid[], %s::int8[], %s::int8[], %s::int4[], %s::int4[], %s::text[], %s::text[], %s::text[],
            %s::bytea[], %s::int8[])
     AS given (batch, acceptance, received_us, source, line, dialect, reason, detail, raw, dropped)
"""


def reject_columns(seg: int, refusing: list[Refusing]) -> list[Any]:
    rows = [
        (
            batch,
            acceptance,
            env.received_us,
            env.source,
            r.line,
            env.dialect,
            r.reason,
            storable(r.detail),
            r.raw,
            r.dropped,
        )
        for batch, acceptance, env in refusing
        for r in env.rejects
    ]
    return [seg, *(list(column) for column in zip(*rows, strict=True))]


def storable(text: str) -> str:
    """A detail quotes what was received; what no text column takes must not keep a line out of quarantine."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class Outcome(NamedTuple):
    """What became of one acceptance of a batch."""

    batch: uuid.UUID
    acceptance: int
    stored: bool  # False: the ledger knew it already, with another acceptance


WHOLE_BATCH = """
WITH entered AS (
    INSERT INTO log_batch (batch, acceptance, seg, received, committed, source, first_pos, rows, rejected,
                           quarantined, dialect, content_hash)
    SELECT %(batch)s, %(acceptance)s, base + pg_current_xact_id()::text::bigint,
           'epoch'::timestamptz + %(received_us)s::int8 * interval '1 microsecond', clock_timestamp(),
           %(source)s, 0, 0, 0, %(rows)s, %(dialect)s, ''
    FROM log_origin
    ON CONFLICT (batch) DO NOTHING
    RETURNING seg, received
), segment AS (
    INSERT INTO log_segment (seg, rows, committed) SELECT seg, 0, clock_timestamp() FROM entered
)
INSERT INTO quarantine (batch, acceptance, seg, received, source, dialect, reason, detail, raw)
SELECT %(batch)s, %(acceptance)s, seg, received, %(source)s, %(dialect)s, %(reason)s, %(detail)s, %(raw)s
FROM entered
"""


def quarantine_batch(
    conn: psycopg.Connection[Any],
    batch: uuid.UUID,
    acceptance: int,
    source: int,
    dialect: str,
    received_us: int,
    reason: str,
    detail: str,
    raw: bytes,
    rows: int = 0,
) -> Outcome:
    """A whole batch, unparsed: `raw` is the envelope as it lay in the broker. One statement, one transaction.

    `stored` means that this acceptance is the one in the ledger: its lines are in quarantine, or were stored
    before it was known.
    """
    values = {
        "batch": batch, "acceptance": acceptance, "source": source, "dialect": dialect, "rows": rows,
        "received_us": received_us, "reason": reason, "detail": storable(detail), "raw": raw,
    }  # fmt: skip
    try:
        if conn.execute(WHOLE_BATCH, values).rowcount:
            return Outcome(batch, acceptance, True)
        row = conn.execute("SELECT acceptance FROM log_batch WHERE batch = %s", [batch]).fetchone()
    except psycopg.Error as error:
        raise classify(error) from error
    if row is None:
        raise Poison(f"batch {batch} is neither new nor in the ledger")
    return Outcome(batch, acceptance, row[0] == acceptance)


def stored_before(conn: psycopg.Connection[Any], batch: uuid.UUID) -> bool:
    """Whether the ledger has its lines as stored, not as put away: it was committed and nobody was told."""
    row = conn.execute("SELECT content_hash <> '' FROM log_batch WHERE batch = %s", [batch]).fetchone()
    return row is not None and bool(row[0])
