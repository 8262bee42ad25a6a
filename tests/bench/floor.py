"""The least that storing lines can cost here: rows already parsed, COPY BINARY, one connection, same table.

What the pipe costs above this is receiving, checking, making durable, handing over and the ledger. Client and
server are both counted, the server with its background processes.
"""

import resource
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from ingest.dialects import native
from ingest.limits import Limits
from ingest.normalise import Normaliser
from ingest.record import LogRecord
from tests.bench.processes import cpu_seconds
from webapp.logs import copy

TABLE = "bench_floor"
GROUP = 10_000  # rows of one transaction: as many as a worker takes at most
SEGMENT = 2**60  # far above every real one


@dataclass(frozen=True)
class Floor:
    lines: int
    seconds: float
    client_cpu: float
    server_cpu: float

    @property
    def cpu_per_million(self) -> float:
        return (self.client_cpu + self.server_cpu) / self.lines * 1e6


def records(bodies: Iterable[bytes]) -> list[LogRecord]:
    found: list[LogRecord] = []
    for body in bodies:
        normaliser = Normaliser(Limits(), time.time_ns() // 1000, 30)
        found += native.decode(body, native.Form.LINES, normaliser).records
    return found


class Rows(list[tuple[Any, ...]]):
    """Collects what the store would have written, in the store's own order of columns."""

    def write_row(self, row: Sequence[Any]) -> None:
        self.append(tuple(row))


def rows_of(found: list[LogRecord]) -> Rows:
    rows = Rows()
    copy.write_rows(rows, found, 1, SEGMENT, 0)  # type: ignore[arg-type]
    return rows


def make_table(conn: psycopg.Connection[Any], hypertable: bool) -> None:
    conn.execute(f"DROP TABLE IF EXISTS {TABLE}")
    conn.execute(f"CREATE TABLE {TABLE} (LIKE log INCLUDING ALL)")
    if hypertable:
        conn.execute(
            "SELECT create_hypertable(%s, by_range('time', INTERVAL '1 day'), "
            "create_default_indexes => false)",
            [TABLE],
        )


def measure(url: str, postgres: Sequence[int], bodies: Sequence[bytes], hypertable: bool) -> Floor:
    rows = rows_of(records(bodies))
    statement = sql.SQL(copy.STATEMENT.replace("COPY log ", f"COPY {TABLE} "))  # type: ignore[arg-type]
    with psycopg.connect(url, autocommit=True) as conn:
        make_table(conn, hypertable)
        before, own, begun = server(postgres), client(), time.perf_counter()
        for first in range(0, len(rows), GROUP):
            with conn.cursor() as cursor, cursor.copy(statement) as out:
                out.set_types(copy.WRITTEN_AS)
                for row in rows[first : first + GROUP]:
                    out.write_row(row)
        seconds = time.perf_counter() - begun
        floor = Floor(len(rows), seconds, client() - own, server(postgres) - before)
        conn.execute(f"DROP TABLE {TABLE}")
    return floor


def server(postgres: Sequence[int]) -> float:
    return cpu_seconds({"postgres": postgres})["postgres"]


def client() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
