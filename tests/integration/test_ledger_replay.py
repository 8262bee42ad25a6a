"""What is sent again out of quarantine is stored once and balances, wherever and how often that is cut off.

The processes that send it are killed at each step, on every edition; so is, once, the worker that stores it.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import redis

from ingest.buffer import Offer
from ingest.envelope import Envelope, pack
from ingest.record import Reject
from tests.batches import offer
from tests.brokers import let_leases_run_out
from tests.crashing import GONE, Place, Point, live
from tests.replaying import POINTS, press
from tests.workbench import OWNER, Bench
from webapp.logs import balance, ledger, presence, store
from webapp.logs.ledger import Line

NEVER = Point("never", "")


class Shelf:
    """A worker's bench, and quarantine put before it."""

    def __init__(self, broker: redis.Redis, url: str, broker_url: str, directory: Path) -> None:
        self.bench = Bench(broker, url, directory)
        self.place = Place(broker_url, url, directory.with_name("another"))
        self.rows(
            "INSERT INTO access_source (id, name, description, weight, retention_days, identical_is_retry,"
            " created) VALUES (1, 'shop', '', 1, 30, false, now()) RETURNING 1"
        )

    def rows(self, statement: str) -> list[tuple[int, ...]]:
        with psycopg.connect(self.bench.url, autocommit=True) as conn:
            return conn.execute(statement).fetchall()  # type: ignore[arg-type]

    def work(self) -> None:
        self.bench.buffer.free(OWNER)
        let_leases_run_out(self.bench.buffer.client)
        while self.bench.buffer.depth().due:
            assert self.bench.pump.step().outcome == "stored"

    def fill(self, name: str) -> list[int]:
        """Three entries: a refused line, one that the database refused, a batch that was put away whole."""
        before = len(self.rows("SELECT id FROM quarantine"))
        self.bench.accept(refused(f"{name}, refused"), offer(f"{name}, stored", f"{name}, refused late\0"))
        self.bench.accept(offer(f"{name}, whole\0"))
        self.work()
        return [number for (number,) in self.rows("SELECT id FROM quarantine ORDER BY id")][before:]

    def books(self) -> dict[str, Line]:
        with store.connect(self.bench.url) as conn:
            balance.copy_minutes(self.bench.buffer, conn)
            with conn.transaction():
                now = int(time.time()) // 60
                read = ledger.read(conn, self.bench.buffer, now - 30, now + 2)
                kept = presence.totals(conn)
        assert ledger.differences(read.lines) == {}
        assert {line.moving + line.unknown for line in read.lines.values()} == {0}
        assert {one.difference for one in kept.values()} <= {0}
        return ledger.by_dialect(read.lines)


@pytest.fixture
def shelf(
    broker: redis.Redis, valkey_url: str, any_database_url: str, tmp_path: Path, at_once: None
) -> Iterator[Shelf]:
    shelf = Shelf(broker, any_database_url, valkey_url, tmp_path / "spill")
    with closing(shelf.bench):
        yield shelf


def refused(message: str) -> Offer:
    """It was refused by a check that has been mended since."""
    rejects = [Reject(1, "bad_time", "once", f'{{"message": "{message}"}}'.encode())]
    envelope = Envelope(1, "native", time.time_ns() // 1000, b"\0" * 32, [], rejects)
    return replace(offer(payload=pack(envelope)), rejects={"bad_time": 1})


def said(name: str) -> Counter[str]:
    parts = ("refused", "stored", "refused late\ufffd", "whole\ufffd")
    return Counter(f"{name}, {part}" for part in parts)


def test_a_replay_that_is_killed_at_any_step_is_stored_once_and_balances(shelf: Shelf) -> None:
    expected: Counter[str] = Counter()
    every = []
    for point in POINTS:
        ids = shelf.fill(point)
        assert press(shelf.place, ids, Point.named(point)) == GONE
        shelf.books()
        assert press(shelf.place, ids, Point.named(f"{point} 2")) in (GONE, 0)  # 0: fewer were left
        shelf.books()
        assert press(shelf.place, ids, NEVER) == 0
        shelf.work()
        expected += said(point)
        assert shelf.bench.stored() == expected
        every += ids
    assert press(shelf.place, every, NEVER) == 0
    shelf.work()
    assert shelf.bench.stored() == expected
    balanced(shelf, len(POINTS))


def test_a_replay_goes_on_when_the_broker_has_forgotten_it(shelf: Shelf) -> None:
    """Killed before it was noted, stored meanwhile, and begun again hours later: the ledger remembers."""
    ids = shelf.fill("late")
    assert press(shelf.place, ids, Point.named("after keep 3")) == GONE
    assert live(shelf.place, "storing", Point.named("after commit")) == GONE
    shelf.books()
    shelf.work()
    forget(shelf.bench.buffer.client)
    assert [press(shelf.place, ids, NEVER) for _ in range(2)] == [0, 0]
    shelf.work()
    assert shelf.bench.stored() == said("late")
    balanced(shelf, 1)


def balanced(shelf: Shelf, times: int) -> None:
    books = shelf.books()
    assert books["native"] == Line({"bad_time": times}, 3 * times, stored=times, quarantined=2 * times)
    assert books["replay"] == Line({}, 3 * times, stored=3 * times)
    assert shelf.rows("SELECT count(*), count(replayed) FROM quarantine") == [(3 * times, 3 * times)]


def forget(broker: redis.Redis) -> None:
    broker.delete(*broker.keys("k:*"), *broker.keys("m:*"))
