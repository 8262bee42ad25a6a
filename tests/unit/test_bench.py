"""The bench measures what it says: CPU of whole trees, latency from the due moment, every line counted."""

import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.bench import load, report
from tests.bench.processes import cpu_seconds, difference, snapshot, trees

BURN = "import time\nends = time.process_time() + {}\nwhile time.process_time() < ends: pass"


def test_cpu_of_children_that_are_gone_is_counted() -> None:
    before = cpu_seconds({"own": [os.getpid()]})
    subprocess.run([sys.executable, "-c", BURN.format(0.2)], check=True)
    assert difference(before, cpu_seconds({"own": [os.getpid()]}))["own"] >= 0.19


def test_cpu_of_grandchildren_that_live_is_counted() -> None:
    burn_and_wait = BURN.format(0.2) + "\ninput()"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn_and_wait!r}])"
    process = subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while cpu_seconds({"it": [process.pid]})["it"] < 0.2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert len(trees([process.pid], snapshot(), set())) == 2
    finally:
        process.communicate(b"\n")


def test_a_child_that_is_a_role_of_its_own_is_counted_once() -> None:
    child = subprocess.Popen([sys.executable, "-c", BURN.format(0.2) + "\ninput()"], stdin=subprocess.PIPE)
    try:
        alone = {"parent": [os.getpid()]}
        deadline = time.monotonic() + 20
        while cpu_seconds(both := {**alone, "child": [child.pid]})["child"] < 0.2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert cpu_seconds(alone)["parent"] - cpu_seconds(both)["parent"] >= 0.1
    finally:
        child.communicate(b"\n")


def test_a_process_that_is_not_there_used_nothing() -> None:
    assert cpu_seconds({"gone": [2**22 + 1]}) == {"gone": 0.0}


@pytest.mark.parametrize(("share", "value"), [(0.5, 51), (0.95, 96), (0.99, 100), (1.0, 100)])
def test_a_percentile_is_a_measured_value(share: float, value: float) -> None:
    assert load.percentile(list(range(1, 101)), share) == value


def test_a_prepared_request_is_whole_and_has_a_key_of_its_own() -> None:
    one, two = load.prepared("http://h:1", "t", "run", [(b"{}\n", 1), (b"{}\n{}\n", 2)])
    assert one.wire.endswith(b"Content-Length: 3\r\n\r\n{}\n") and b"Idempotency-Key: run-0\r\n" in one.wire
    assert two.lines == 2 and b"Idempotency-Key: run-1\r\n" in two.wire


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_an_answer_is_read_to_its_end_however_it_comes(answer: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for byte in answer:
            theirs.send(bytes([byte]))
        assert load.answer(ours)[0] == 202
        theirs.close()
        assert ours.recv(1) == b""


def test_a_refused_request_is_sent_again_and_a_bad_answer_ends_the_bench() -> None:
    ours, theirs = socket.socketpair()
    heard: list[bytes] = []

    def serve() -> None:
        for head in (b"503 X\r\nRetry-After: 0", b"401 X"):
            heard.append(theirs.recv(100))
            theirs.sendall(b"HTTP/1.1 " + head + b"\r\nContent-Length: 0\r\n\r\n")

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    with ours, theirs:
        ours.settimeout(10)
        with pytest.raises(load.BadAnswer, match="401"):
            load.deliver(ours, load.Request(b"wire", 1))
        server.join(10)
    assert heard == [b"wire", b"wire"]


FIGURES = {
    "edition": "plain",
    "floor": {"cpu_per_million": 10.0, "lines_per_second": 100_000.0},
    "phases": {"bodies of 1000": {"cpu_per_million_total": 25.0}},
}


def test_costs_are_compared_as_ratios_to_the_floor() -> None:
    assert report.ratios(FIGURES) == {"bodies of 1000": 2.5}


def test_a_stored_run_is_compared_with(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(report, "BASELINE", tmp_path / "baseline.json")  # type: ignore[operator]
    assert "No stored ratios" in report.comparison(FIGURES)
    report.keep(FIGURES)
    worse = {**FIGURES, "phases": {"bodies of 1000": {"cpu_per_million_total": 30.0}}}
    assert "3.00 (was 2.50, +20%)" in report.comparison(worse)
