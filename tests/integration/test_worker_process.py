"""The worker as it really runs, under Celery: killed, stopped, starved of its database, and looked at."""

import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
from celery import Celery
from celery.events.receiver import EventReceiver

from ingest.buffer import Buffer, Offer
from tests.batches import offer
from tests.faults import frozen, kill
from webapp.local.servers import free_port
from webapp.roles import worker as worker_command

DEADLINE = 2.0


class Site:
    """A broker, a database and a place for one worker's files."""

    def __init__(self, broker: redis.Redis, broker_url: str, database_url: str, directory: Path) -> None:
        self.buffer = Buffer(broker)
        self.database_url = database_url
        self.log = directory / "worker.log"
        self.spill = directory / "spill"
        self.port = free_port()
        self.environment = {
            **os.environ,
            "ROLE": "worker",
            "BROKER_URL": broker_url,
            "DATABASE_URL": database_url,
            "SPILL_DIR": str(self.spill),
            "HEALTH_PORT": str(self.port),
            "DEADLINE_SECONDS": str(DEADLINE),
            "LEASE_SECONDS": str(3 * DEADLINE),
        }
        self.broker_url = broker_url

    @contextmanager
    def worker(self, *before: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """`before` is a command that ends by becoming the one that is given to it."""
        command = [*before, *worker_command()]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, env=self.environment | environment, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            yield process
        finally:
            kill(process)

    def accept(self, *offers: Offer) -> None:
        for one in offers:
            self.buffer.accept(one)

    def stored(self) -> Counter[str]:
        with psycopg.connect(self.database_url) as conn:
            return Counter(dict(conn.execute("SELECT message, count(*) FROM log GROUP BY 1").fetchall()))

    def until(self, true: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 40
        while not true():
            assert time.monotonic() < end, f"not {what}:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.05)

    def until_stored(self, count: int) -> None:
        self.until(lambda: sum(self.stored().values()) >= count, f"{count} lines stored")

    def until_empty(self) -> None:
        def empty() -> bool:
            depth = self.buffer.depth()
            return depth.due == depth.leased == depth.spilled == 0

        self.until(empty, "empty")

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except OSError as error:
            return 0, str(error)

    def until_ready(self) -> None:
        self.until(lambda: self.get("/readyz")[0] == 200, "ready")


@pytest.fixture
def site(broker: redis.Redis, valkey_url: str, database_url: str, tmp_path: Path) -> Site:
    return Site(broker, valkey_url, database_url, tmp_path)


def ended(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(2 * (DEADLINE + 2) + 5)


def test_what_was_accepted_before_the_start_is_stored_without_any_hint(site: Site) -> None:
    site.accept(offer("a", "b"), offer("c"))
    with site.worker() as process:
        site.until_stored(3)
        site.until_empty()
        assert site.get("/livez")[0] == 200
        assert "logboom_stored_rows_total 3.0" in site.get("/metrics")[1]
        assert ended(process) == 0


def test_killed_again_and_again_it_stores_everything_once(site: Site) -> None:
    for life in range(4):
        with site.worker() as process:
            site.until_ready()
            site.accept(*(offer(f"{life}-{n}") for n in range(100)))
            site.until_stored(100 * life + 20)
            kill(process)
    with site.worker():
        site.until_empty()
    assert site.stored() == Counter({f"{life}-{n}": 1 for life in range(4) for n in range(100)})


def test_killed_while_it_always_spills_it_stores_everything_once(site: Site) -> None:
    for life in range(2):
        with site.worker(SPILL_ALWAYS="1") as process:
            site.until_ready()
            site.accept(*(offer(f"{life}-{n}") for n in range(100)))
            site.until_stored(100 * life + 1)
            kill(process)
    with site.worker():
        site.until_empty()
    assert site.stored() == Counter({f"{life}-{n}": 1 for life in range(2) for n in range(100)})
    assert list((site.spill / "worker-0").glob("*.spill")) == []


@pytest.mark.direct
def test_sigterm_while_the_database_hangs_ends_and_leaves_no_lease(site: Site) -> None:
    with site.worker() as process:
        site.until_ready()
        site.accept(offer("a"))
        site.until_stored(1)
        with frozen_backends(site):
            site.accept(offer("b"))
            site.until(lambda: site.buffer.depth().leased == 1, "claimed")
            assert ended(process) == 0
            assert site.buffer.depth().leased == 0
            assert site.buffer.depth().due == 1
    with site.worker():
        site.until_stored(2)
    assert site.stored() == Counter(a=1, b=1)


@contextmanager
def frozen_backends(site: Site) -> Iterator[None]:
    """Every server process that talks to this database."""
    with psycopg.connect(site.database_url, autocommit=True) as conn:
        rows = conn.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    with ExitStack() as stack:
        for (pid,) in rows:
            stack.enter_context(frozen(pid))
        yield


def test_a_second_worker_of_the_same_name_is_turned_away(site: Site) -> None:
    with site.worker():
        site.until_ready()
        with site.worker(HEALTH_PORT="0") as second:
            assert second.wait(20) == 1
    assert "give each worker its own WORKER_NAME" in site.log.read_text()


def test_a_weak_broker_is_refused_with_the_cure(site: Site, broker: redis.Redis) -> None:
    broker.config_set("appendfsync", "everysec")
    try:
        with site.worker() as process:
            assert process.wait(20) == 1
    finally:
        broker.config_set("appendfsync", "always")
    assert "set appendfsync always" in site.log.read_text()


def test_sigusr1_writes_the_stacks(site: Site) -> None:
    with site.worker() as process:
        site.until_ready()
        process.send_signal(signal.SIGUSR1)
        site.until(lambda: "Thread 0x" in site.log.read_text(), "written")
        assert process.poll() is None


@pytest.mark.direct
def test_flower_sees_one_task_a_commit_with_its_rows(site: Site) -> None:
    """Flower shows what the events carry."""
    with site.worker():
        site.until_ready()
        stored = told(site, lambda app: site.accept(offer("a", "b")), 1, lambda told: "'stored'" in told)
    assert stored == ["{'outcome': 'stored', 'batches': 1, 'rows': 2}"]


def test_maintenance_does_its_work_and_says_so(site: Site) -> None:
    def send_all(app: Celery) -> None:
        for name in ("publish_directory", "ensure_partitions", "retention", "copy_minutes", "ledger"):
            app.send_task(f"logs.{name}", queue="maint")
        app.send_task("logs.publish_directory", queue="maint")

    with site.worker():
        site.until_ready()
        site.accept(offer("a"))
        site.until_stored(1)
        results = told(site, send_all, 6, lambda told: "outcome" not in told)
    assert sorted(results) == [
        "{'copied': 1}",
        "{'dropped': 0}",
        "{'lines': 0, 'differences': 0, 'oldest_seconds': 0, 'looked_seconds': 0, 'unheld': 0}",
        "{'made': 4}",
        "{'published': False}",
        "{'published': True}",
    ]


def told(site: Site, act: Callable[[Celery], None], count: int, wanted: Callable[[str], bool]) -> list[str]:
    """What the worker tells about the first `count` finished tasks that are wanted."""
    found: list[str] = []

    def note(result: str) -> None:
        if wanted(result):
            found.append(result)

    with closing(Celery(broker=site.broker_url, set_as_current=False)) as app, app.connection() as connection:
        receiver = EventReceiver(connection, {"task-succeeded": lambda event: note(event["result"])}, app=app)
        receiving = receiver.consume(limit=None, timeout=20, wakeup=False)
        threading.Timer(0.5, act, [app]).start()  # subscribing happens at the first look
        while len(found) < count:
            next(receiving)
    return found
