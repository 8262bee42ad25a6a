"""The chaos run in CI: a minute of faults, and the sabotages that its checker must see.

`make chaos` is the same by hand. Everything runs in processes of its own; what they say is shown where
something differs.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.acceptance

BASE = Path(__file__).resolve().parents[2]
SEED = 5
MODES = ("honest", "no-ledger", "no-leases", "early-finish")


@pytest.fixture(scope="module")
def controls() -> dict[str, dict[str, Any]]:
    """All at once: they wait more than they work."""
    started = {
        mode: subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.lean", mode],
            cwd=BASE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for mode in MODES
    }
    found = {}
    try:
        for mode, process in started.items():
            said, complained = process.communicate(timeout=300)
            assert process.returncode in (0, 1) and said, complained
            found[mode] = json.loads(said)
    finally:
        for process in started.values():
            process.terminate()
            process.wait(60)
    return found


def test_an_honest_worker_that_is_killed_in_between_leaves_no_difference(
    controls: dict[str, dict[str, Any]],
) -> None:
    assert controls["honest"]["found"] == {}, controls["honest"]["told"]


def test_each_worker_ended_where_it_hurts(controls: dict[str, dict[str, Any]]) -> None:
    assert {mode: control["ends"] for mode, control in controls.items()} == dict.fromkeys(MODES, 3)


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [
        ("no-ledger", {"lines stored twice (outside their batch)"}),
        ("no-leases", {"lines not drained"}),
        ("early-finish", {"lines lost", "batches lost"}),
    ],
)
def test_a_sabotaged_worker_turns_the_checker_red_for_its_own_reason(
    controls: dict[str, dict[str, Any]], mode: str, kinds: set[str]
) -> None:
    assert controls[mode]["found"].keys() == kinds, controls[mode]["told"]


def test_a_minute_of_faults_loses_nothing_and_stores_nothing_twice() -> None:
    command = [sys.executable, "-m", "tests.chaos", "--seed", str(SEED)]
    with subprocess.Popen(
        command, cwd=BASE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        try:
            said, _ = run.communicate()
        finally:
            run.terminate()  # it takes what it started with it, given the time
    print(said)
    assert run.returncode == 0, said
