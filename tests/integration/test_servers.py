"""The embedded servers: what they keep over a restart, whom they let in, and what a half-made one costs."""

import contextlib
import os
from pathlib import Path

import psycopg
import pytest
import redis

from webapp.local import servers

PASSWORD = "long-and_random"


def ask(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as conn:
        row = conn.execute(statement).fetchone()
    return row[0] if row else None


def test_the_broker_keeps_what_it_accepted_over_a_kill(tmp_path: Path) -> None:
    port = servers.free_port()
    server = servers.valkey(tmp_path, port, broker=True, password=PASSWORD)
    with contextlib.closing(redis.Redis.from_url(server.url)) as client:
        client.set("a", "1")
        server.process.kill()
        server.process.wait()
        with servers.running(servers.valkey(tmp_path, port, broker=True, password=PASSWORD)):
            assert client.get("a") == b"1"


def test_the_cache_keeps_nothing(tmp_path: Path) -> None:
    assert first_and_second(tmp_path, broker=False) == (None, None)


def test_the_broker_keeps_everything(tmp_path: Path) -> None:
    assert first_and_second(tmp_path, broker=True) == (None, b"1")


def first_and_second(directory: Path, *, broker: bool) -> tuple[object, object]:
    """What a key holds at the first start and, set there, at the second."""
    found: list[object] = []
    for _ in range(2):
        server = servers.valkey(directory, servers.free_port(), broker=broker)
        with servers.running(server), contextlib.closing(redis.Redis.from_url(server.url)) as client:
            found.append(client.get("a"))
            client.set("a", "1")
    return found[0], found[1]


def test_nobody_enters_the_broker_without_its_password(tmp_path: Path) -> None:
    with servers.running(
        servers.valkey(tmp_path, servers.free_port(), broker=True, password=PASSWORD)
    ) as server:
        stranger = contextlib.closing(redis.Redis.from_url(server.url.replace(f":{PASSWORD}@", "")))
        with stranger as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_nobody_enters_postgresql_without_its_password(tmp_path: Path) -> None:
    with servers.running(servers.postgres(tmp_path, servers.free_port(), password=PASSWORD)) as server:
        assert ask(server.url, "SELECT current_user") == "logboom"
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            ask(server.url.replace(f":{PASSWORD}@", "@"), "SELECT 1")
    assert not list(tmp_path.glob("password*"))


def test_what_a_killed_initdb_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "data.new").mkdir(parents=True)
    (tmp_path / "data.new" / "PG_VERSION").write_text("18\n")
    with servers.running(servers.postgres(tmp_path, servers.free_port())) as server:
        assert ask(server.url, "SHOW data_checksums") == "on"
    assert not (tmp_path / "data.new").exists()


def test_bytes_decide_the_order_of_text(postgres_url: str) -> None:
    assert ask(postgres_url, "SELECT 'Z' < 'a'") is True


def test_a_server_that_cannot_start_is_told_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(servers.ServerError, match=r"the broker did not start: .*\(log: .*server\.log\)"):
        servers.valkey(tmp_path, 0, broker=True, maxmemory="plenty")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else: run as root to test it")
def test_root_in_a_container_without_namespaces_has_postgresql_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "NAMESPACE", ("false",))
    for _ in range(2):  # made, then found again
        with servers.running(servers.postgres(tmp_path, servers.free_port(), password=PASSWORD)) as server:
            assert ask(server.url, "SELECT 1") == 1
            assert os.stat(f"/proc/{server.process.pid}").st_uid != 0
