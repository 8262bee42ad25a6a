"""Brokers of both makes, and offers to lay into them."""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from ingest.buffer import Buffer, Offer, connect
from webapp.local import servers

NO_REDIS = "REDIS 7 IS NOT TESTED: there is no redis-server here; apt-get install redis-server"


@pytest.fixture(scope="session", params=["valkey", "redis"])
def any_broker_url(request: pytest.FixtureRequest, server_dir: Path) -> Iterator[str]:
    binary = servers.valkey_binary() if request.param == "valkey" else redis_binary()
    directory = server_dir / f"any-{request.param}"
    with servers.running(
        servers.valkey(directory, servers.free_port(), broker=True, binary=binary)
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
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def buffer(any_broker: redis.Redis) -> Buffer:
    return Buffer(any_broker, lease_seconds=3600, group_batches=16, group_rows=10_000)


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
