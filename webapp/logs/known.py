"""Which batches the ledger has: what became of a batch that lies unreadable in a spill file."""

import uuid
from collections.abc import Iterable
from typing import Any

import psycopg

from webapp.logs.errors import classify


def in_ledger(conn: psycopg.Connection[Any], batches: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of them that are stored, or in quarantine. The ledger forgets after LEDGER_DAYS."""
    try:
        rows = conn.execute("SELECT batch FROM log_batch WHERE batch = ANY(%s)", [list(batches)]).fetchall()
    except psycopg.Error as error:
        raise classify(error) from error
    return {row[0] for row in rows}
