"""The supervisor with shell scripts for children: order, restart, logs and stop."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from webapp.local import liveness, supervisor
from webapp.local.supervisor import Child, StartError, Stopped, Supervisor

PATIENCE = 20.0


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def boss(said: list[str]) -> Iterator[Supervisor]:
    boss = Supervisor(said.append)
    yield boss
    boss.stop([])
    assert not boss.running


def script(name: str, text: str, where: Path, **more: object) -> Child:
    return Child(name, ("/bin/sh", "-c", text), where / f"{name}.log", **more)  # type: ignore[arg-type]


def until(boss: Supervisor, true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it never became true"
        boss.step(0.02)


def test_ready_is_when_the_child_says_so(boss: Supervisor, tmp_path: Path) -> None:
    child = script(
        "slow", f"sleep 0.2; touch {tmp_path}/up; exec sleep 60", tmp_path, ready=(tmp_path / "up").exists
    )
    boss.start(child)
    boss.wait_ready(child)
    assert (tmp_path / "up").exists()


def test_a_child_that_dies_before_it_is_ready_is_a_failure_with_its_own_words(
    boss: Supervisor, tmp_path: Path
) -> None:
    child = script("bad", "echo 'Error: no such port'; echo bye; exit 3", tmp_path, ready=lambda: False)
    boss.start(child)
    with pytest.raises(StartError, match="ended with exit code 3: Error: no such port"):
        boss.wait_ready(child)


def test_a_child_that_never_gets_ready_is_a_failure(boss: Supervisor, tmp_path: Path) -> None:
    child = script("lazy", "echo waiting for rain; exec sleep 60", tmp_path, ready=lambda: False)
    boss.start(child)
    until(boss, lambda: bool(boss.running["lazy"].said))
    with pytest.raises(StartError, match="waiting for rain"):
        boss.wait_ready(child, seconds=0.1)


def test_what_dies_is_started_again(boss: Supervisor, said: list[str], tmp_path: Path) -> None:
    child = script("mortal", "exec sleep 60", tmp_path)
    boss.start(child)
    boss.wait_ready(child)
    first = boss.pids()["mortal"]
    os.kill(first, signal.SIGKILL)
    until(boss, lambda: boss.pids().get("mortal", first) != first)
    assert said == [f"mortal was ended by SIGKILL; it starts again in 0.25 s (log: {child.log})"]


def test_early_deaths_make_the_pauses_longer(
    boss: Supervisor, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.01)
    child = script("flaky", "exit 1", tmp_path)
    boss.start(child)
    boss.wait_ready(child)
    until(boss, lambda: len(said) == 4)
    assert [line.split(" in ")[1].split(" s ")[0] for line in said] == ["0.01", "0.02", "0.04", "0.08"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr(supervisor, "STACKS_SECONDS", 0.1)
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.05)


def test_what_stands_still_writes_its_stacks_and_is_killed_and_started_again(
    boss: Supervisor, said: list[str], tmp_path: Path, impatient: None
) -> None:
    live = [True]
    text = f"trap 'echo here I stand' USR1; touch {tmp_path}/up; while :; do sleep 0.01; done"
    child = script("still", text, tmp_path, ready=(tmp_path / "up").exists, live=lambda: live[0])
    boss.start(child)
    boss.wait_ready(child)
    first = boss.pids()["still"]
    until(boss, lambda: boss.running["still"].watch is not None and heard(boss, "still"))
    live[0] = False
    until(boss, lambda: boss.pids().get("still", first) != first)
    live[0] = True
    assert said == [
        f"still does not get on: stacks into its log, then it is killed ({child.log})",
        f"still was ended by SIGKILL; it starts again in 0.05 s (log: {child.log})",
    ]
    assert "here I stand" in child.log.read_text()


def heard(boss: Supervisor, name: str) -> bool:
    watch = boss.running[name].watch
    return watch is not None and watch._heard


def test_what_stands_still_again_and_again_is_started_less_and_less_often(
    boss: Supervisor, said: list[str], tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "START_SECONDS", 0.1)
    child = script("stone", "exec sleep 60", tmp_path, live=lambda: False)
    boss.start(child)
    boss.wait_ready(child)
    until(boss, lambda: sum("starts again" in line for line in said) == 3)
    pauses = [line.split(" in ")[1].split(" s ")[0] for line in said if "starts again" in line]
    assert pauses == ["0.05", "0.1", "0.2"]


def test_what_still_starts_is_given_time(tmp_path: Path, impatient: None) -> None:
    watch = liveness.Watch(lambda: False)
    try:
        deadline = time.monotonic() + PATIENCE
        while watch._failures < 2 * liveness.FAILURES:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert not watch.dead
    finally:
        watch.end()


def test_every_line_is_in_the_log_even_the_last_without_an_end(boss: Supervisor, tmp_path: Path) -> None:
    shown: list[str] = []
    boss.run_once(script("once", "echo one; echo two >&2; printf three", tmp_path), shown.append)
    assert shown == ["one", "two", "three"]
    assert (tmp_path / "once.log").read_text() == "one\ntwo\nthree\n"


def test_what_runs_once_and_fails_is_a_failure(boss: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="FATAL: it is late"):
        boss.run_once(script("once", "echo FATAL: it is late; exit 1", tmp_path), print)


def test_the_stop_goes_through_its_stages_in_order(boss: Supervisor, tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    for name in ("first", "second", "third"):
        at_stop = f"sleep 0.1; echo {name} >> {ends}; exit"
        text = f"trap '{at_stop}' TERM; touch {tmp_path}/{name}; while :; do sleep 0.01; done"
        child = script(name, text, tmp_path, ready=(tmp_path / name).exists)
        boss.start(child)
        boss.wait_ready(child)
    boss.stop([["third"], ["second"]])
    assert ends.read_text().split() == ["third", "second", "first"]


def test_a_child_that_does_not_end_is_killed_after_its_grace(
    boss: Supervisor, said: list[str], tmp_path: Path
) -> None:
    text = f"trap '' TERM; touch {tmp_path}/up; while :; do sleep 0.05; done"
    child = script("deaf", text, tmp_path, grace=0.1, ready=(tmp_path / "up").exists)
    boss.start(child)
    boss.wait_ready(child)
    boss.stop([])
    assert said == [f"deaf did not end in time: killed (log: {child.log})"]


def test_a_stop_interrupts_whatever_is_waited_for(boss: Supervisor, tmp_path: Path) -> None:
    child = script("slow", "exec sleep 60", tmp_path, ready=lambda: False)
    boss.start(child)
    boss.ask_to_stop()
    with pytest.raises(Stopped):
        boss.wait_ready(child)


def test_a_child_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:  # pragma: no cover
        boss = Supervisor(print)
        boss.start(script("orphan", "exec sleep 60", tmp_path))
        os.write(writing, str(boss.pids()["orphan"]).encode())
        signal.pause()
    orphan = int(os.read(reading, 20))
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    deadline = time.monotonic() + PATIENCE
    while is_running(orphan):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """A zombie that nobody reaps (PID 1 may not) has ended all the same."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
