"""A role that stands still without a word is found out, killed and started again, and nothing is lost.

Real processes under the real supervisor; each has one part that never returns (tests/wedged).
"""

import os
import signal
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from tests.batches import offer
from tests.faults import proxied
from tests.integration.test_worker_process import Site
from webapp import roles
from webapp.local import liveness
from webapp.local.servers import free_port
from webapp.local.supervisor import Child, Supervisor

PATIENCE = 120.0
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def site(broker: redis.Redis, valkey_url: str, database_url: str, tmp_path: Path) -> Site:
    return Site(broker, valkey_url, database_url, tmp_path)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def boss(said: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(liveness, "EVERY_SECONDS", 0.5)
    monkeypatch.setattr(liveness, "FAILURES", 3)  # a busy machine is not a wedged process
    boss = Supervisor(said.append)
    yield boss
    boss.stop([])


def status(port: int, path: str = "/livez") -> int:
    """0 where nobody answers in time."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=4) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def child(site: Site, name: str, argv: list[str], port: int, where: Path, **environment: str) -> Child:
    return Child(
        name,
        tuple(argv),
        where / f"{name}.log",
        ready=lambda: status(port) == 200,
        live=lambda: status(port) == 200,
        environment={**site.environment, "WEDGED": str(where / f"{name}.wedged"), **environment},
        grace=15.0,
    )


def worker(site: Site, part: str, where: Path) -> Child:
    argv = [word.replace("webapp.celery", "tests.wedged.worker") for word in roles.worker()]
    port, name = free_port(), f"worker-{part or 'well'}"
    return child(site, name, argv, port, where, WORKER_NAME=name, WEDGE=part, HEALTH_PORT=str(port))


def door(site: Site, role: str, where: Path, **environment: str) -> tuple[Child, int]:
    """Ingest or web, on a port of its own."""
    port = free_port()
    argv = [
        word.replace("webapp.asgi", "tests.wedged.web").replace("webapp.wsgi", "tests.wedged.ingest")
        for word in getattr(roles, role)()
    ]
    argv[argv.index("--port") + 1] = str(port)
    if role == "ingest":
        argv[argv.index("--blocking-threads") + 1] = environment["INGEST_THREADS"]
    return child(site, role, argv, port, where, ROLE=role, **environment), port


def start(boss: Supervisor, *children: Child) -> None:
    for one in children:
        boss.start(one)
    for one in children:
        boss.wait_ready(one)


def until(boss: Supervisor, true: Callable[[], bool], children: list[Child]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        logs = "\n".join(one.log.read_text()[-1500:] for one in children)
        assert time.monotonic() < end, f"it never came true:\n{logs}"
        boss.step(0.1)


def restarted(said: list[str], name: str) -> bool:
    return any(line.startswith(f"{name} does not get on") for line in said) and any(
        line.startswith(f"{name} was ended by SIGKILL") for line in said
    )


def test_workers_of_which_each_part_stands_still_once_store_everything_once(
    site: Site, boss: Supervisor, said: list[str], tmp_path: Path
) -> None:
    workers = [worker(site, part, tmp_path) for part in ("consumer", "step", "ticker", "flusher")]
    start(boss, *workers)
    given: list[str] = []

    def all_restarted() -> bool:
        given.append(str(len(given)))
        site.accept(offer(given[-1]))  # each of them is to hear a hint
        return all(restarted(said, one.name) for one in workers)

    until(boss, all_restarted, workers)
    until(boss, lambda: sum(site.stored().values()) >= len(given), workers)
    assert site.stored() == Counter(dict.fromkeys(given, 1))
    for one in workers:
        assert "in stand_still" in one.log.read_text()  # its stacks say what it waited for


def test_doors_and_beat_that_stand_still_are_found_out(
    site: Site, boss: Supervisor, said: list[str], tmp_path: Path
) -> None:
    web, web_port = door(site, "web", tmp_path)
    ingest, ingest_port = door(site, "ingest", tmp_path, INGEST_THREADS="2")
    beat_port = free_port()
    beat_argv = [word.replace("webapp.celery", "tests.wedged.beat") for word in roles.beat()]
    schedule = str(tmp_path / "schedule")
    beat = child(
        site, "beat", beat_argv, beat_port, tmp_path,
        ROLE="beat", HEALTH_PORT=str(beat_port), BEAT_SCHEDULE=schedule,
    )  # fmt: skip
    children = [web, ingest, beat]
    start(boss, *children)
    ask_and_leave(web_port, "/wedge")
    ask_and_leave(ingest_port, "/api/v1/logs", body=b"{}")
    until(boss, lambda: all(restarted(said, one.name) for one in children), children)
    until(boss, lambda: [status(port) for port in (web_port, ingest_port, beat_port)] == [200] * 3, children)
    for one in children:
        assert "in stand_still" in one.log.read_text()


def ask_and_leave(port: int, path: str, body: bytes | None = None) -> None:
    """Not before it is surely being answered: a server may drop what nobody waits for any more."""
    with suppress(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data=body, timeout=5)


def test_without_broker_and_database_every_role_that_runs_is_live(
    site: Site, boss: Supervisor, said: list[str], tmp_path: Path, valkey_url: str
) -> None:
    """A restart would bring neither of them back."""
    (tmp_path / "ingest.wedged").touch()
    (tmp_path / "web.wedged").touch()
    away = {"BROKER_URL": f"redis://{NOWHERE}/0", "DATABASE_URL": f"postgresql://nobody@{NOWHERE}/nowhere"}
    web, web_port = door(site, "web", tmp_path, **away)
    ingest, ingest_port = door(site, "ingest", tmp_path, INGEST_THREADS="2", **away)
    broker_port = urlsplit(valkey_url).port
    assert broker_port is not None
    with proxied(broker_port) as proxy:
        site.environment["BROKER_URL"] = valkey_url.replace(str(broker_port), str(proxy.port))
        well = worker(site, "", tmp_path)
        start(boss, web, ingest, well)
        site.accept(offer("a"))
        until(boss, lambda: site.stored() == Counter(a=1), [well])
        proxy.cut()
        cut_at = time.monotonic()
        until(boss, lambda: time.monotonic() - cut_at > 6, [well])  # longer than each limit of the worker
        assert [status(web_port), status(ingest_port), well.ready()] == [200, 200, True]
        assert said == []
        os.kill(boss.pids()["worker-well"], signal.SIGKILL)  # it would hand back, and wait for the broker
