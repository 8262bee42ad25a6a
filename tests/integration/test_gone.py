"""The web's process: who goes away takes his SQL with him, on every endpoint that reads, and no connection
stays behind."""

import contextlib
import http.client
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
import redis
from django.conf import LazySettings

from tests.rows import record, unit
from tests.senders import metric
from webapp import roles
from webapp.access.models import create_token
from webapp.access.scope import ALL
from webapp.local import servers
from webapp.logs import store
from webapp.logs.asking import Ask
from webapp.logs.gone import CALLER, Caller, Gone
from webapp.logs.search import search

READS = (
    "search", "search?count=exact&limit=0", "histogram", "facets", "summary", "export", "explain", "{id}",
    "{id}/context", "fields?exact=1", "fields/a.b/stats", "suggest?q=two",
)  # fmt: skip
SECONDS = 15
# The reader's statements; the server's own checks of a connection are none.
RUNNING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'logboom reader' AND state = 'active'
  AND wait_event_type = 'Lock'
"""


def until(true: Callable[[], Any], what: str) -> None:
    ends = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < ends, what
        time.sleep(0.01)


def running(watcher: psycopg.Connection[Any]) -> int:
    row = watcher.execute(RUNNING).fetchone()
    assert row is not None
    return int(row[0])


def sessions(watcher: psycopg.Connection[Any]) -> int:
    row = watcher.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'logboom web'"
    ).fetchone()
    assert row is not None
    return int(row[0])


@contextlib.contextmanager
def locked(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Nobody reads a line meanwhile: every read waits. Gives a connection to watch them with."""
    with psycopg.connect(url, autocommit=True) as watcher, psycopg.connect(url) as blocker:
        blocker.execute("LOCK TABLE log IN ACCESS EXCLUSIVE MODE")
        yield watcher


@dataclass
class Web:
    port: int
    headers: dict[str, str]

    def ask(self, path: str) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        connection.request("GET", path, headers=self.headers)
        return connection

    def answer(self, path: str) -> tuple[int, bytes]:
        with contextlib.closing(self.ask(path)) as connection:
            response = connection.getresponse()
            return response.status, response.read()

    def cancelled(self) -> float:
        return metric(self.answer("/metrics")[1], "logboom_web_reads_cancelled_total")


@pytest.fixture
def web(
    django_logs_url: str, broker: redis.Redis, valkey_url: str, settings: LazySettings, tmp_path: Path
) -> Iterator[Web]:
    """As in production, and with a bound on queries that no test would wait for."""
    settings.BROKER_URL = valkey_url
    port, log = servers.free_port(), tmp_path / "web.log"
    command = roles.command("web")
    command[command.index("--port") + 1] = str(port)
    environment = {"ROLE": "web", "DATABASE_URL": django_logs_url, "BROKER_URL": valkey_url}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            env=os.environ | environment | {"QUERY_SECONDS": "600", "STATIC_ROOT": str(tmp_path)},
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        web = Web(port, {"Authorization": f"Bearer {create_token('boss', 'admin')[1]}"})
        servers.wait_until(lambda: ready(web), process, "web", log)
        yield web
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert "Traceback" not in log.read_text()


def ready(web: Web) -> bool:
    with contextlib.suppress(OSError):
        return web.answer("/readyz")[0] == 200
    return False


def put(url: str, *messages: str) -> None:
    with store.connect(url) as conn:
        store.store(conn, [unit(*map(record, messages))])


@pytest.fixture
def line(django_logs_url: str, settings: LazySettings) -> str:
    settings.DATABASE_URL = settings.DATABASE_READ_URL = django_logs_url
    put(django_logs_url, "one")
    (found,) = search(Ask(), ALL).logs
    return found.id


def test_a_client_that_goes_ends_the_sql_of_every_read(web: Web, line: str, django_logs_url: str) -> None:
    with locked(django_logs_url) as watcher:
        for read in READS:
            connection = web.ask("/api/v1/logs/" + read.format(id=line))
            until(lambda: running(watcher), f"{read} began to read")
            connection.close()
            until(lambda: not running(watcher), f"{read} ended when its client had gone")
        assert web.cancelled() == len(READS)
    status, _ = web.answer("/api/v1/logs/search?" + urlencode({"q": "one"}))
    assert status == 200


def test_one_that_goes_takes_nobody_else_s_sql(web: Web, line: str, django_logs_url: str) -> None:
    with locked(django_logs_url) as watcher:
        stays, goes = web.ask("/api/v1/logs/search"), web.ask("/api/v1/logs/histogram")
        until(lambda: running(watcher) == 2, "both read")
        goes.close()
        until(lambda: running(watcher) == 1, "one reads on")
    assert stays.getresponse().status == 200
    stays.close()


def test_no_connection_outlives_its_request_or_is_kept_by_a_stream(
    web: Web, line: str, django_logs_url: str
) -> None:
    with psycopg.connect(django_logs_url, autocommit=True) as watcher:
        streams = [web.ask("/api/v1/logs/tail") for _ in range(3)]
        for stream in streams:
            assert stream.getresponse().status == 200
        for _ in range(5):
            assert web.answer("/api/v1/me")[0] == 200
        until(lambda: not sessions(watcher), "Django's connections are closed while tails run on")
        for stream in streams:
            stream.close()


# ---- in one process ----


def test_a_caller_who_has_gone_reads_no_more(line: str) -> None:
    caller = Caller()
    caller.leave()
    context = copy_context()
    context.run(CALLER.set, caller)
    with pytest.raises(Gone):
        context.run(search, Ask(), ALL)


def test_leaving_waits_until_the_last_read_has_ended(line: str, django_logs_url: str) -> None:
    caller, ended = Caller(), []
    context = copy_context()
    context.run(CALLER.set, caller)

    def read() -> None:
        with pytest.raises(Gone):
            context.run(search, Ask(), ALL)
        ended.append(True)

    with locked(django_logs_url) as watcher:
        reader = threading.Thread(target=read)
        reader.start()
        until(lambda: running(watcher), "it reads")
        caller.leave()
        assert not running(watcher)
        reader.join(SECONDS)
    assert ended
