"""The real parts the tests talk to: session fixtures, each started once a session on a free port."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from webapp.local import servers

# A killed server loses nothing by this, only a machine without power would: and databases are made at once.
FAST = {"fsync": "off"}


@pytest.fixture(scope="session")
def server_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def valkey_url(server_dir: Path) -> Iterator[str]:
    with servers.running(servers.valkey(server_dir / "broker", servers.free_port(), broker=True)) as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres_url(server_dir: Path) -> Iterator[str]:
    launched = servers.postgres(server_dir / "postgres", servers.free_port(), settings=FAST)
    with servers.running(launched) as server:
        yield server.url


@pytest.fixture
def broker(valkey_url: str) -> Iterator[redis.Redis]:
    """An empty broker."""
    client = redis.Redis.from_url(valkey_url)
    client.execute_command("FLUSHALL", "SYNC")  # or the last test's memory would still be counted
    yield client
    client.close()
