"""The challenge against a real installation: green under real kills, red for a single line that is gone."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.bench.installation import ROOT, Installation, installation

pytestmark = pytest.mark.acceptance

PATIENCE = 60.0
RUNNER = (sys.executable, str(ROOT / "manage.py"), "challenge")
SMALL = ("--rate", "500", "--batch", "50", "--keep", "--json")


@pytest.fixture(scope="module")
def made() -> Iterator[Installation]:
    with installation() as one:
        yield one


@pytest.fixture(scope="module")
def killed(made: Installation) -> Path:
    """The journal of a challenge that was killed itself, in the middle of its load."""
    path = made.directory / "killed.ndjson"
    words = ("--duration", "60", *SMALL, "--journal", str(path))
    process = subprocess.Popen([*RUNNER, *words], env=dict(made.environment), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while not path.exists() or path.read_text().count('"accepted"') < 20:
        assert process.poll() is None and time.monotonic() < deadline, "it did not get under way"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return path


@pytest.fixture(scope="module")
def faulted(made: Installation, killed: Path) -> tuple[Path, dict[str, Any]]:
    """The journal of a challenge under kills, and its verdict."""
    path = made.directory / "faulted.ndjson"
    words = ("--duration", "4", "--seed", "5", "--faults", "local", "--every", "1", "--yes")
    return path, verdict(made, 0, *words, *SMALL, "--journal", str(path))


def verdict(made: Installation, code: int, *words: str, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [*RUNNER, *words], env={**made.environment, **environment}, capture_output=True, text=True
    )
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def stored(made: Installation, statement: str, *values: object) -> int:
    """How many rows it was about."""
    with psycopg.connect(made.facts["database_url"], autocommit=True) as conn:
        return conn.execute(statement.encode(), values).rowcount


def test_while_processes_are_killed_nothing_is_lost_and_nothing_is_there_twice(
    faulted: tuple[Path, dict[str, Any]],
) -> None:
    _, found = faulted
    assert (found["verdict"], found["seed"]) == ("good", 5)
    assert found["totals"] == {"lost": 0, "twice": 0, "partial": 0, "altered": 0}
    assert found["figures"]["faults"]["done"] >= 2
    assert found["figures"]["lines accepted"] > 1000
    assert found["figures"]["lines read back"] >= found["figures"]["lines accepted"]
    assert {event["what"].split()[1] for event in found["timeline"]} >= {"to"}


def test_the_journal_of_a_challenge_that_was_killed_is_enough_to_judge_it(
    made: Installation, killed: Path, faulted: tuple[Path, dict[str, Any]]
) -> None:
    found = verdict(made, 0, "check", str(killed), "--json")
    assert found["figures"]["batches accepted"] >= 20
    assert found["totals"]["lost"] == 0


def test_one_line_that_is_gone_turns_it_red_for_a_person_who_logs_in_too(
    made: Installation, faulted: tuple[Path, dict[str, Any]]
) -> None:
    path, before = faulted
    gone = """
        DELETE FROM log WHERE attributes->>'challenge.run' = %s AND attributes->>'challenge.batch' = '0'
    """
    assert stored(made, gone, before["run"]) == 1  # the first batch has one line
    person, password = made.facts["admin_user"], made.facts["admin_password"]
    found = verdict(made, 1, "check", str(path), "--json", "--login", person, LOGBOOM_PASSWORD=password)
    assert found["totals"] == {"lost": 1, "twice": 0, "partial": 0, "altered": 0}
    assert [one["batch"] for one in found["differences"]] == [0]


def test_the_lines_of_all_challenges_are_removed_on_request(
    made: Installation, faulted: tuple[Path, dict[str, Any]]
) -> None:
    made.manage("challenge", "clear")
    assert stored(made, "SELECT 1 FROM log WHERE attributes ? 'challenge.run'") == 0
