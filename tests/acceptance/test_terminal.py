"""The terminal against a whole installation: sent once, found, followed; grep's exit codes."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.bench.installation import ROOT, Installation, installation

pytestmark = pytest.mark.acceptance
PATIENCE = 30


@pytest.fixture(scope="module")
def made() -> Iterator[Installation]:
    with installation() as up:
        yield up


@pytest.fixture
def logboom(made: Installation, tmp_path: Path) -> "Terminal":
    return Terminal(made, tmp_path / "state")


class Terminal:
    def __init__(self, made: Installation, state: Path) -> None:
        self.made = made
        self.environment = {**made.environment, "XDG_STATE_HOME": str(state)}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        # Whatever runs in the background ignores Ctrl-C, and so would all that it starts.
        return subprocess.Popen(
            ["env", "--default-signal=INT", sys.executable, str(ROOT / "logboom"), *words],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str, given: str = "", code: int = 0) -> str:
        process = self.start(*words)
        out, err = process.communicate(given, timeout=PATIENCE * 2)
        assert process.returncode == code, err
        return out if out else err

    def found(self, query: str, count: int) -> list[dict[str, str]]:
        """Lines of the query, once there are as many."""
        deadline = time.monotonic() + PATIENCE
        while True:
            process = self.start("search", query, "--json", "--limit", "100000", "--order", "asc")
            lines = [json.loads(line) for line in process.communicate(timeout=PATIENCE)[0].splitlines()]
            if len(lines) >= count or time.monotonic() > deadline:
                return lines
            time.sleep(0.1)


def digest(messages: list[str]) -> str:
    return hashlib.sha256("\n".join(messages).encode()).hexdigest()


def test_files_shipped_three_times_over_are_stored_once(logboom: Terminal, tmp_path: Path) -> None:
    files = {}
    for name in ("alpha", "beta"):
        lines = [f"{name} line {number} ünïcode \x1b[1m" for number in range(2500)]
        (tmp_path / f"{name}.log").write_text("\r\n".join(lines))
        files[name] = lines
    paths = [str(tmp_path / f"{name}.log") for name in files]
    assert "2,500 lines sent" in logboom("ship", *paths)
    assert "2,500 sent before" in logboom("ship", *paths)
    assert "2,500 the server had already" in logboom("ship", "--from-start", *paths)
    assert "2,500 the server had already" in logboom("ship", "--state", str(tmp_path / "other"), *paths)
    for name, lines in files.items():
        found = [line["message"] for line in logboom.found(f"service:{name}", 2500)]
        assert len(found) == 2500
        assert digest(found) == digest(lines)


def test_dated_lines_and_traces_are_stored_once_with_their_time_and_severity(
    logboom: Terminal, tmp_path: Path
) -> None:
    path = tmp_path / "dated.log"
    begun = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    trace = "java.io.IOException: gone\n\tat a.B.c(D.java:1)"
    path.write_text(
        "".join(
            f"{begun + timedelta(seconds=number):%Y-%m-%d %H:%M:%S},125 ERROR a.B - no {number}\n{trace}\n"
            for number in range(700)
        )
    )
    assert "2,100 lines sent" in logboom("ship", "--zone", "UTC", str(path))
    assert "2,100 the server had already" in logboom("ship", "--from-start", str(path))
    assert "2,100 the server had already" in logboom(
        "ship", "--zone", "UTC", "--state", str(tmp_path / "other"), str(path)
    )
    found = logboom.found("service:dated severity:error", 700)
    assert [line["message"] for line in found] == [f"no {number}\n{trace}" for number in range(700)]
    assert found[0]["time"].startswith(f"{begun:%Y-%m-%dT%H:%M:%S}.125")


def test_a_followed_file_goes_on_over_its_rotation(logboom: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "followed.log"
    path.write_text("one\n")
    following = logboom.start("ship", "-f", str(path))
    try:
        assert len(logboom.found("service:followed", 1)) == 1
        path.rename(tmp_path / "followed.log.1")
        path.write_text("two\nthree\n")
        found = logboom.found("service:followed", 3)
    finally:
        following.send_signal(signal.SIGINT)
        err = following.communicate(timeout=PATIENCE)[1]
    assert [line["message"] for line in found] == ["one", "two", "three"]
    assert following.returncode == 130
    assert "3 lines sent" in err


def test_exit_codes_are_greps(logboom: Terminal) -> None:
    logboom("ship", "--service", "codes", "-", given='{"message": "needle", "service": "codes"}\n')
    assert logboom.found("service:codes needle", 1)
    assert "needle" in logboom("search", "service:codes", "needle")
    logboom("search", "service:codes", "haystack", code=1)
    assert "parenthesis" in logboom("search", "(", code=2)
    assert "does not answer" in logboom("search", "x", "--url", "http://127.0.0.1:9", code=2)
    assert "/nowhere" in logboom("ship", "/nowhere", code=2)


def test_refused_lines_are_named(logboom: Terminal) -> None:
    given = 'good\n{"message": "x", "time": "1990-01-01T00:00:00Z"}\n'
    assert "-:2: too_old" in logboom("ship", "-", given=given, code=1)


def test_a_hostile_line_cannot_steer_the_terminal(logboom: Terminal) -> None:
    line = {
        "service": "hostile",
        "message": "a\x1b[2J\rb\n2026-01-01T00:00:00Z FATAL forged",
        "x\x1b": "\x9b",
    }
    logboom("ship", "-", given=json.dumps(line) + "\n")
    assert logboom.found("service:hostile", 1)
    for form in ([], ["--json"], ["--fields", "message,service"]):
        shown = logboom("search", "service:hostile", *form)
        assert not set(shown) & set("\x1b\x9b\r")
        assert not any(each.startswith("2026-01-01") for each in shown.splitlines())


def test_a_tail_begins_with_what_is_there_and_goes_on_with_what_comes(logboom: Terminal) -> None:
    logboom("ship", "--service", "tailed", "-", given="old 1\nold 2\n")
    assert len(logboom.found("service:tailed", 2)) == 2
    tail = logboom.start("tail", "service:tailed", "--last", "1", "--fields", "message")
    try:
        assert tail.stdout is not None
        assert tail.stdout.readline() == "old 2\n"
        for number in range(3):
            logboom("ship", "--service", "tailed", "-", given=f"new {number}\n")
        assert [tail.stdout.readline() for _ in range(3)] == ["new 0\n", "new 1\n", "new 2\n"]
    finally:
        tail.kill()
        tail.communicate()


def test_made_up_lines_arrive_at_the_rate_asked_for(logboom: Terminal) -> None:
    said = logboom("produce", "--rate", "400", "--services", "3", "--for", "2", "--seed", "1")
    sent = int(said.split()[0].replace(",", ""))
    assert sent in (799, 800)  # a part of a line is not sent
    assert len(logboom.found("service:(gateway, storefront, checkout)", sent)) == sent
