"""What a challenge says in the end, the faults it makes, and how it looks for what was just accepted."""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.challenged import RUN, head
from webapp.challenge import faults, verdict
from webapp.challenge.checking import Difference
from webapp.challenge.faults import Command, Faults, Local, NotDone, NotHere
from webapp.challenge.journal import Account, Entry, Event
from webapp.challenge.verdict import Verdict
from webapp.challenge.watching import MOST_PENDING, Watcher

HEAD = head(42)


def entry(number: int, outcome: Any = "accepted", **more: Any) -> Entry:
    return Entry(run=RUN, batch=number, n=10, sha256="", outcome=outcome, id="b", **more)


ACCOUNT = Account(
    HEAD,
    {
        0: entry(0, at=100.0, ms=4.0, again=2),
        1: entry(1, at=110.0, ms=8.0, duplicates=1, poison=1),
        2: entry(2, "unknown"),
        3: Entry(run=RUN, batch=3, n=10, sha256="", outcome="refused", why="the body broke off"),
    },
    [Event(1_900_000_000.0, "KILL to \x1b[31mworker")],
)


# ---- the verdict ----


def test_all_is_well_only_where_there_is_no_difference_and_everything_was_proved() -> None:
    lost = Difference("lost", 1, 3, "3 of 10 lines are not there")
    assert Verdict(ACCOUNT, {}).code == 0
    assert Verdict(ACCOUNT, {}, [lost]).code == 1
    assert Verdict(ACCOUNT, {}, unproved="web is away").code == 2
    assert Verdict(ACCOUNT, {}, [lost], unproved="web is away").code == 1


def test_a_person_reads_seed_timeline_figures_and_what_differs() -> None:
    lost = Difference("lost", 1, 3, "3 of 10 lines are not there")
    text = Verdict(ACCOUNT, {"tries again": 2, "POST ms": {"p50": 4.0}}, [lost]).text()
    assert f"Challenge {RUN}, seed 42" in text
    assert "17:46:40 KILL to \\x1b[31mworker" in text
    assert "4.0 p50" in text
    assert "lost: batch 1: 3 of 10 lines are not there" in text
    assert text.splitlines()[-1] == "NOT AS PROMISED: the differences are above."


def test_a_program_reads_the_same_as_json() -> None:
    lost = Difference("lost", 1, 3, "3 of 10")
    told = json.loads(json.dumps(Verdict(ACCOUNT, {"tries again": 2}, [lost]).document()))
    assert (told["run"], told["seed"], told["verdict"], told["exit_code"]) == (RUN, 42, "bad", 1)
    assert told["totals"] == {"lost": 3, "twice": 0, "partial": 0, "altered": 0}
    assert told["differences"] == [{"kind": "lost", "batch": 1, "count": 3, "detail": "3 of 10"}]


def test_many_differences_of_a_kind_are_not_all_printed() -> None:
    found = [Difference("lost", number, 1, "gone") for number in range(100)]
    text = Verdict(ACCOUNT, {}, found).text()
    assert text.count("gone") == verdict.MOST_TOLD
    assert "lost: and 80 more like these" in text


def test_the_figures_are_those_of_the_journal() -> None:
    figures = verdict.sent_figures(ACCOUNT)
    assert figures["lines accepted"] == 20
    assert figures["batches of unknown outcome"] == 1
    assert figures["batches refused or withheld"] == {"the body broke off": 1}
    assert figures["lines refused"] == {"not_an_object": 1}
    assert (figures["tries again"], figures["duplicates answered"]) == (2, 1)
    assert figures["POST ms"]["p50"] == 8.0


def test_percentiles_are_values_that_occurred() -> None:
    assert verdict.percentiles([]) == {}
    assert verdict.percentiles([5.0]) == {"p50": 5.0, "p95": 5.0, "p99": 5.0, "max": 5.0}
    assert verdict.percentiles(list(map(float, range(100)))) == {
        "p50": 50.0,
        "p95": 95.0,
        "p99": 99.0,
        "max": 99.0,
    }


# ---- faults ----


def test_a_command_is_told_the_run_and_says_what_it_did_in_its_last_line() -> None:
    command = Command("echo before; echo $CHALLENGE_RUN $CHALLENGE_SEED $CHALLENGE_FAULT", RUN, 42)
    assert command() == f"{RUN} 42 1"
    assert command() == f"{RUN} 42 2"
    assert Command("true", RUN, 42)() == "true"


def test_a_command_that_fails_broke_nothing() -> None:
    with pytest.raises(NotDone, match="ended with 3: no such pod"):
        Command("echo no such pod >&2; exit 3", RUN, 42)()


def test_a_command_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "COMMAND_SECONDS", 0.1)
    with pytest.raises(NotDone, match="did not end"):
        Command("exec sleep 60", RUN, 42)()


def test_faults_that_were_not_done_are_told_and_counted_apart() -> None:
    told: list[str] = []
    one = Faults([Command("exit 1", RUN, 42)], 1.0, random.Random(1), told.append)
    one.one()
    assert dict(one.counts) == {"not done": 1}
    assert told[0].startswith("no fault: 'exit 1' ended with 1")


def test_faults_end_with_the_load_though_its_last_batches_may_still_be_tried() -> None:
    told: list[str] = []
    one = Faults([Command("echo broken", RUN, 42)], 0.02, random.Random(1), told.append, seconds=0.2)
    one.run()
    assert told and not one.stop.is_set()


@pytest.fixture
def victim() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def installed(var: Path, supervisor: int, pids: dict[str, list[int]]) -> Local:
    (var / "up.json").write_text(json.dumps({"pids": pids}))
    (var / "up.lock").write_text(str(supervisor))
    return Local(random.Random(1), var / "up.json")


def test_a_process_of_the_installation_is_killed(victim: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    local = installed(tmp_path, os.getpid(), {"worker": [victim.pid], "cache": [1]})
    assert local.roles == ["worker"]
    assert local().endswith(f"to worker (pid {victim.pid})")
    assert victim.wait(20) in (-signal.SIGKILL, -signal.SIGTERM)


def test_a_process_that_is_no_child_of_the_supervisor_is_left_alone(
    victim: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    local = installed(tmp_path, os.getppid(), {"worker": [victim.pid]})
    with pytest.raises(NotDone, match="worker was not running"):
        local()
    assert victim.poll() is None


def test_a_database_is_never_asked_to_wait_for_its_clients() -> None:
    assert signal.SIGTERM not in faults.SIGNALS["postgres"]


def test_without_an_installation_there_are_no_local_faults(tmp_path: Path) -> None:
    with pytest.raises(NotHere, match="local faults need `make up`"):
        Local(random.Random(1), tmp_path / "up.json")


# ---- watching ----


def test_a_batch_is_looked_for_until_it_is_there() -> None:
    answers = [False, False, True]
    watcher = Watcher(lambda batch: answers.pop(0))
    watcher.offer(entry(3))
    thread = threading.Thread(target=watcher.run)
    thread.start()
    watcher.finish(20.0)
    watcher.stop.set()
    thread.join()
    assert answers == [] and len(watcher.found) == 1 and not watcher.pending


def test_no_more_are_looked_for_than_are_good_for_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = Watcher(lambda batch: False)
    watcher.offer(entry(0))
    watcher.offer(entry(1))  # too soon after the last
    assert [one.batch for one in watcher.pending] == [0]
    for number in range(100):
        watcher.took = time.monotonic() - 1.0
        watcher.offer(entry(number))
    assert len(watcher.pending) == MOST_PENDING
