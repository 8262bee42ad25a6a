"""Brokers of both makes, and offers to lay into them."""

import hashlib
import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from ingest.buffer import Buffer, Claim, Claimed, Move, Offer, State, connect
from webapp.local import servers

NO_REDIS = "REDIS 7 IS NOT TESTED: there is no redis-server here; apt-get install redis-server"


@pytest.fixture(scope="session", params=["valkey", "redis"])
def broker_binary(request: pytest.FixtureRequest) -> str:
    return servers.valkey_binary() if request.param == "valkey" else redis_binary()


@pytest.fixture(scope="session")
def any_broker_url(broker_binary: str, server_dir: Path) -> Iterator[str]:
    directory = server_dir / f"any-{Path(broker_binary).name}"
    with servers.running(
        servers.valkey(directory, servers.free_port(), broker=True, binary=broker_binary)
    ) as server:
        yield server.url


def redis_binary() -> str:
    """Debian's: version 7.0, the oldest that the scripts support."""
    found = shutil.which("redis-server")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(NO_REDIS)
    return found or pytest.skip(NO_REDIS)


@pytest.fixture
def any_broker(any_broker_url: str) -> Iterator[redis.Redis]:
    """An empty broker, once Valkey's and once Redis'."""
    client = connect(any_broker_url)
    client.execute_command("FLUSHALL", "SYNC")  # or the last test's memory would still be counted
    yield client
    client.close()


@pytest.fixture
def buffer(any_broker: redis.Redis) -> Buffer:
    return Buffer(any_broker, lease_seconds=3600, group_batches=16, group_rows=10_000)


class Own:
    """A broker that a test may kill; it comes back on the same port with the same directory.

    Start it from the main thread: a server dies with the thread that started it.
    """

    def __init__(self, directory: Path, binary: str) -> None:
        self.directory, self.binary, self.port = directory, binary, servers.free_port()
        self.start()

    def start(self) -> None:
        self.server = servers.valkey(self.directory, self.port, broker=True, binary=self.binary)

    def signal(self, number: signal.Signals) -> None:
        self.server.process.send_signal(number)

    def kill(self) -> None:
        self.server.process.kill()
        self.server.process.wait()


@pytest.fixture
def own_broker(broker_binary: str, tmp_path: Path) -> Iterator[Own]:
    own = Own(tmp_path / "broker", broker_binary)
    yield own
    own.signal(signal.SIGCONT)
    own.server.stop()


def offer(
    source: int = 1,
    rows: int = 10,
    *,
    rejects: dict[str, int] | None = None,
    body: bytes = b"a line",
    key: bytes | None = None,
    batch: uuid.UUID | None = None,
    payload: bytes | None = None,
) -> Offer:
    return Offer(
        batch=batch or uuid.uuid4(),
        source=source,
        dialect="native",
        rows=rows,
        rejects=rejects or {},
        content_hash=hashlib.sha256(body).digest(),
        payload=b"envelope of " + body if payload is None else payload,
        key=key,
    )


def let_leases_run_out(client: redis.Redis) -> None:
    """As if their time had passed: the scripts' clock is the server's, which a test does not turn."""
    for batch in client.zrange("leases", 0, -1):
        client.zadd("leases", {batch: 1}, xx=True)


def ids(claim: Claim) -> list[uuid.UUID]:
    return [batch.batch for batch in claim.batches]


def moves(batches: list[Claimed], to: State) -> list[Move]:
    return [Move(batch.batch, batch.acceptance, to) for batch in batches]
