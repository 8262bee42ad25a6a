"""One worker's parts on a real broker and a real database, without Celery: tests turn each by hand."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings
from prometheus_client import REGISTRY

from ingest.buffer import Buffer, Offer, State
from workers.breaker import Breaker
from workers.database import Connection, Database
from workers.flusher import Flusher
from workers.pump import Pump, Step
from workers.spool import Files, Spool

OWNER = "worker-0"
NOWHERE = "postgresql://logboom@127.0.0.1:1/nowhere"


class Detour(Pump):
    """A pump that always spills, and the flusher right behind it: to a test, as if it had stored."""

    flush: Callable[[], bool]

    def step(self) -> Step:
        step = super().step()
        if step.outcome != "spilled":
            return step
        while self.flush():
            pass
        return Step("stored", step.batches, step.rows)


class Bench:
    """The parts, put together as lifecycle.py does; with SPILL_ALWAYS=1 lines take the way through a file.

    A test that is about one way says so: `spill_always` True (the file stays until the flusher is turned) or
    False (no file is written).
    """

    def __init__(
        self,
        broker: redis.Redis,
        url: str,
        directory: Path,
        files: Files | None = None,
        *,
        spill_always: bool | None = None,
    ) -> None:
        self.url = url
        self.spill_always = spill_always
        self.buffer = Buffer(broker, group_batches=16)
        self.breaker = Breaker(dice=lambda: 0.5)
        self.spool = Spool(directory, most_bytes=1024**3, files=files)
        self.hints = 0
        self.connect_to(url)

    def connect_to(
        self,
        url: str,
        seconds: float = 5,
        *,
        connect: Callable[[str], Connection] | None = None,
        spill_always: bool | None = None,
    ) -> None:
        self.database = Database(url, seconds=seconds, connect=connect)
        way = self.spill_always if spill_always is None else spill_always
        detour = way is None and settings.SPILL_ALWAYS
        self.pump = (Detour if detour else Pump)(
            owner=OWNER,
            buffer=self.buffer,
            database=self.database,
            breaker=self.breaker,
            spool=self.spool,
            hint=self.hint,
            spill_always=detour or bool(way),
        )
        self.flusher = Flusher(
            spool=self.spool,
            buffer=self.buffer,
            database=self.database,
            breaker=self.breaker,
            group_batches=16,
            group_rows=10_000,
        )
        if isinstance(self.pump, Detour):
            self.pump.flush = self.flusher.step

    def hint(self) -> None:
        self.hints += 1

    def accept(self, *offers: Offer) -> None:
        for one in offers:
            self.buffer.accept(one)

    def state(self, one: Offer) -> State | None:
        return self.buffer.state(one.batch)

    def stored(self) -> Counter[str]:
        with psycopg.connect(self.url) as conn:
            return Counter(dict(conn.execute("SELECT message, count(*) FROM log GROUP BY 1").fetchall()))

    def quarantined(self) -> dict[uuid.UUID, str]:
        with psycopg.connect(self.url) as conn:
            return dict(conn.execute("SELECT batch, reason FROM quarantine").fetchall())

    def wait_for_probe(self) -> None:
        while not self.breaker.closed:
            self.flusher.step()

    def close(self) -> None:
        self.database.close()
        self.spool.close()


@pytest.fixture
def bench(broker: redis.Redis, database_url: str, tmp_path: Path) -> Iterator[Bench]:
    before = stored_directly()
    with closing(Bench(broker, database_url, tmp_path / "spill")) as bench:
        yield bench
    if settings.SPILL_ALWAYS:
        assert stored_directly() == before, "lines were stored that had not been in a spill file"


def stored_directly() -> float:
    return REGISTRY.get_sample_value("logboom_groups_total", {"outcome": "stored"}) or 0


class crowded:
    """The broker looks 90 % full."""

    def __init__(self, broker: redis.Redis) -> None:
        self.broker = broker

    def __enter__(self) -> None:
        self.before = self.broker.config_get("maxmemory")["maxmemory"]
        used = int(self.broker.info("memory")["used_memory"])
        self.broker.config_set("maxmemory", int(used / 0.9))

    def __exit__(self, *_: object) -> None:
        self.broker.config_set("maxmemory", self.before)
