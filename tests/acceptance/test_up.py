"""`manage.py up` as a person runs it: the printed words, what they lead to, and what stays after a stop."""

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings

from webapp.local import servers

pytestmark = pytest.mark.acceptance

BASE = Path(__file__).resolve().parents[2]
PORTS = (
    "WEB_PORT",
    "INGEST_PORT",
    "FLOWER_PORT",
    "POSTGRES_PORT",
    "BROKER_PORT",
    "CACHE_PORT",
    "WORKER_HEALTH_PORT",
    "BEAT_HEALTH_PORT",
)
KEYS = {
    "web_url",
    "ingest_url",
    "flower_url",
    "admin_user",
    "admin_password",
    "ingest_token",
    "read_token",
    "admin_token",
    "database_url",
    "edition",
    "pids",
}
ROLES = {"postgres", "broker", "cache", "ingest", "web", "worker", "beat", "flower", "producer"}
OURS = ("SECRET_KEY", "DATABASE_URL", "BROKER_URL", "CACHE_URL", "DJANGO_SETTINGS_MODULE", "PUBLIC_URL")
PATIENCE = 60.0


@dataclass(frozen=True)
class Installation:
    var: Path
    environment: dict[str, str]

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(command, cwd=BASE, env=self.environment, capture_output=True, text=True)

    def up(self, *words: str) -> str:
        done = self.manage("up", "--detach", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.var / "up.json").read_text())
        return found

    def pids(self) -> set[int]:
        return {pid for pids in self.facts["pids"].values() for pid in pids}


def make(var: Path) -> Installation:
    """As a person's shell has it: nothing of the tests' own environment."""
    bare = {name: value for name, value in os.environ.items() if name not in OURS}
    ports = dict(zip(PORTS, map(str, servers.free_ports(len(PORTS))), strict=True))
    return Installation(var, {**bare, **ports, "VAR_DIR": str(var)})


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, str]]:
    """A first start, and what it printed; the tests of this module go on from there."""
    local = make(tmp_path_factory.mktemp("installation") / "var")
    try:
        yield local, local.up()
    finally:
        local.manage("down")


@pytest.fixture
def local(first: tuple[Installation, str]) -> Installation:
    return first[0]


@pytest.fixture
def printed(first: tuple[Installation, str]) -> str:
    return first[1]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.1)


def search(facts: dict[str, Any], query: str) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{facts['web_url']}/api/v1/logs/search?q={query}",
        headers={"Authorization": f"Bearer {facts['read_token']}"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        found: list[dict[str, Any]] = json.load(answer)["logs"]
    return found


def is_running(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_the_printed_curl_sends_a_line_that_search_finds(local: Installation, printed: str) -> None:
    curl = re.search(r"^ +curl .*\\\n.*$", printed, re.MULTILINE)
    assert curl, printed
    answer = subprocess.run(curl.group().strip(), shell=True, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout)["accepted"] == 1
    until(lambda: [line["message"] for line in search(local.facts, "service:hello")] == ["my first line"])


def test_the_printed_search_finds_it_too(local: Installation, printed: str) -> None:
    command = re.search(r"\./(logboom search \S+)", printed)
    assert command, printed
    words = [sys.executable, *command.group(1).split()]
    found = subprocess.run(words, cwd=BASE, env=local.environment, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "my first line" in found.stdout


def test_lines_go_through_a_spill_file_where_the_environment_says_so(local: Installation) -> None:
    port = local.environment["WORKER_HEALTH_PORT"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        figures = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
    assert float(figures["logboom_stored_rows_total"]) > 0
    assert (float(figures["logboom_spill_batches_total"]) > 0) == settings.SPILL_ALWAYS


def test_every_step_is_a_line_with_its_seconds(printed: str) -> None:
    steps = re.findall(r"^  (.+?) +[\d.]+ s$", printed, re.MULTILINE)
    names = [step.split()[0] for step in steps]
    assert [name for name in names if name != "Explorer"] == [  # which is built when its sources changed
        *("Servers", "Tables", "Static", "Admin,"),
        *("ingest", "web", "worker", "beat", "flower"),
    ]


def test_up_json_is_private_and_complete(local: Installation) -> None:
    assert stat.S_IMODE((local.var / "up.json").stat().st_mode) == 0o600
    assert local.facts.keys() == KEYS
    assert local.facts["pids"].keys() == ROLES
    assert all(is_running(pid) for pid in local.pids())


def test_no_process_shows_a_secret_on_its_command_line(local: Installation) -> None:
    secrets = set(json.loads((local.var / "secrets.json").read_text()).values()) - {"yes"}
    lines = "".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in local.pids())
    assert not [secret for secret in secrets if secret in lines]


def test_the_database_and_the_broker_ask_for_a_password(local: Installation) -> None:
    url = re.sub(r":[^:@/]+@", "@", local.facts["database_url"])
    with pytest.raises(psycopg.OperationalError, match="no password"):
        psycopg.connect(url)
    stranger = contextlib.closing(redis.Redis(port=int(local.environment["BROKER_PORT"])))
    with stranger as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def offered(facts: dict[str, Any]) -> list[dict[str, str]]:
    request = urllib.request.Request(
        f"{facts['web_url']}/api/v1/status", headers={"Authorization": f"Bearer {facts['read_token']}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        found: list[dict[str, str]] = json.load(answer)["demo"]
    return found


def lines_of_demo(local: Installation) -> int:
    with psycopg.connect(local.facts["database_url"]) as conn:
        row = conn.execute(
            "SELECT count(*) FROM log JOIN access_source ON source = id WHERE name = 'demo'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_the_demo_producer_tells_a_story_that_its_searches_find(local: Installation, printed: str) -> None:
    until(lambda: "The story is told" in (local.var / "logs" / "producer.log").read_text())
    until(lambda: len(offered(local.facts)) == 3)
    for offer in offered(local.facts):
        assert offer["q"] in printed
        until(lambda wanted=offer["q"]: bool(search(local.facts, urllib.parse.quote(wanted))))  # type: ignore[misc]


def test_status_says_that_everything_is_ready(local: Installation) -> None:
    until(lambda: local.manage("status").returncode == 0)
    said = local.manage("status").stdout
    assert {line.split()[0] for line in said.splitlines()[1:]} == ROLES


def test_a_second_up_says_that_there_is_one_already(local: Installation) -> None:
    again = local.manage("up", "--detach")
    assert again.returncode == 1
    assert "Logboom is already up here" in again.stdout
    assert again.stdout.strip().count("\n") == 0


@pytest.mark.parametrize("role", ["worker", "ingest", "broker", "postgres"])
def test_what_is_killed_comes_back(local: Installation, role: str) -> None:
    before = local.facts["pids"][role]
    os.kill(before[0], signal.SIGKILL)
    until(lambda: bool(set(local.facts["pids"].get(role, before)).isdisjoint(before)))
    until(lambda: local.manage("status").returncode == 0)


def test_a_token_of_the_command_line_sends_into_its_source(local: Installation) -> None:
    made = local.manage("token", "create", "shop-1", "--scope", "ingest", "--source", "shop")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    request = urllib.request.Request(
        f"{local.facts['ingest_url']}/api/v1/logs",
        data=b'{"message": "from the shop"}',
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )

    def accepted() -> bool:  # the directory may take a second to reach ingest
        with contextlib.suppress(urllib.error.HTTPError):
            return bool(urllib.request.urlopen(request, timeout=10).status == 202)
        return False

    until(accepted)
    until(lambda: bool(search(local.facts, "source:shop")))


def test_clearing_the_demo_takes_its_lines_and_no_other(local: Installation) -> None:
    os.kill(local.facts["pids"]["producer"][0], signal.SIGKILL)  # what it told is not told again
    until(lambda: "producer" in local.facts["pids"])
    assert 50_000 < lines_of_demo(local) < 60_000
    command = [sys.executable, "logboom", "demo", "clear"]
    cleared = subprocess.run(command, cwd=BASE, env=local.environment, capture_output=True, text=True)
    assert cleared.returncode == 0, cleared.stderr
    assert re.search(r"5\d,\d{3} lines and 1 entry of the quarantine", cleared.stdout)
    assert (lines_of_demo(local), offered(local.facts)) == (0, [])
    assert search(local.facts, "service:hello")


def test_down_leaves_no_process_and_a_warm_start_finds_the_data(local: Installation) -> None:
    pids, facts = local.pids(), local.facts
    assert local.manage("down").returncode == 0
    assert not [pid for pid in pids if is_running(pid)]
    assert local.manage("status").returncode == 1
    words = local.up("--no-demo")
    assert "password as it was" in words
    assert [line["message"] for line in search(local.facts, "service:hello")] == ["my first line"]
    assert local.facts["pids"].keys() == ROLES - {"producer"}
    assert {**local.facts, "pids": {}} == {**facts, "pids": {}}


def test_a_killed_supervisor_takes_everything_with_it(local: Installation) -> None:
    pids = local.pids()
    os.kill(int((local.var / "up.lock").read_text()), signal.SIGKILL)
    until(lambda: not [pid for pid in pids if is_running(pid)])
    local.up()
    assert search(local.facts, "service:hello")
    assert "producer" not in local.facts["pids"], "the demo was cleared"


# ---- what can be wrong, each before anything is started ----


@pytest.fixture
def fresh(tmp_path: Path) -> Installation:
    return make(tmp_path / "var")


def refusal(local: Installation) -> str:
    done = local.manage("up")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


def test_a_taken_port_is_one_sentence(fresh: Installation) -> None:
    with socket.create_server(("127.0.0.1", int(fresh.environment["INGEST_PORT"]))):
        said = refusal(fresh)
    assert re.fullmatch(r"Port \d+ is taken by another program: .* with INGEST_PORT=\d+\.", said)


def test_an_unwritable_directory_is_one_sentence(fresh: Installation) -> None:
    fresh.var.write_text("a file in the way, which stops even root")
    assert re.fullmatch(r".* cannot be written \(.*\): .* set VAR_DIR to .*\.", refusal(fresh))


def test_a_broker_that_could_lose_lines_is_one_sentence(fresh: Installation, tmp_path: Path) -> None:
    with servers.running(servers.valkey(tmp_path / "weak", servers.free_port(), broker=True)) as weak:
        with contextlib.closing(redis.Redis.from_url(weak.url)) as client:
            client.config_set("appendfsync", "everysec")
        fresh.environment["BROKER_URL"] = weak.url
        said = refusal(fresh)
    assert "appendfsync always" in said
    assert "\n" not in said
