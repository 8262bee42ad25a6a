"""The sender: one key for every try, the server's own pace, and an end to patience."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ingest.client import (
    Connection,
    NoTarget,
    Refused,
    Sender,
    Target,
    Unreachable,
    find_target,
    pause,
    seconds_asked,
)

GOOD = (202, {}, b'{"batch":"b","accepted":2,"rejected":[],"duplicate":false}')


class Scripted(ThreadingHTTPServer):
    """A real HTTP server that answers what it is told to, in order, and remembers what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Any] = []
        self.keys: list[str] = []
        self.bodies: list[bytes] = []

    @property
    def target(self) -> Target:
        return Target(f"http://127.0.0.1:{self.server_address[1]}", "lb_ingest_x")


class Handler(BaseHTTPRequestHandler):
    server: Scripted
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.keys.append(self.headers["Idempotency-Key"])
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.server.answers.pop(0)
        if answer is None:  # the body arrived, its answer is lost
            self.close_connection = True
            return
        status, headers, body = answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted() as scripted:
        threading.Thread(target=scripted.serve_forever, args=(0.01,), daemon=True).start()
        yield scripted
        scripted.shutdown()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def sender(server: Scripted, slept: list[float]) -> Iterator[Sender]:
    made = Sender(server.target, sleep=slept.append)
    yield made
    made.close()


def problem(status: int, headers: dict[str, str], **words: Any) -> Any:
    return status, headers, json.dumps(words).encode()


def test_an_answered_body_is_sent_once(server: Scripted, sender: Sender) -> None:
    server.answers = [GOOD]
    assert sender.post(b"{}\n{}\n", "k").accepted == 2
    assert server.keys == ["k"]


def test_a_lost_answer_is_asked_for_again_with_the_same_key_and_body(
    server: Scripted, sender: Sender
) -> None:
    server.answers = [GOOD, None, None, GOOD]
    sender.post(b"first\n", "k1")
    sender.post(b"second\n", "k2")
    assert server.keys == ["k1", "k2", "k2", "k2"]
    assert server.bodies[1:] == [b"second\n"] * 3


def test_retry_after_is_honoured(server: Scripted, sender: Sender, slept: list[float]) -> None:
    server.answers = [problem(503, {"Retry-After": "7"}, detail="the broker is full"), GOOD]
    sender.post(b"x\n", "k")
    assert len(slept) == 1 and 7 <= slept[0] <= 7.7


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(server: Scripted, sender: Sender, status: int) -> None:
    server.answers = [problem(status, {}), GOOD]
    assert sender.post(b"x\n", "k").batch == "b"


@pytest.mark.parametrize("status", [400, 401, 403, 409, 413])
def test_what_stays_refused_is_not(server: Scripted, sender: Sender, status: int) -> None:
    server.answers = [problem(status, {}, detail="no", code="c")]
    with pytest.raises(Refused, match=rf"no \({status}\)") as refused:
        sender.post(b"x\n", "k")
    assert refused.value.problem["code"] == "c"


def test_patience_ends(server: Scripted, sender: Sender, slept: list[float]) -> None:
    server.answers = [problem(503, {"Retry-After": "30"}, detail="full")] * 3
    sender.patience = 20
    with pytest.raises(Unreachable, match="full"):
        sender.post(b"x\n", "k")
    assert slept == []


def test_nobody_there_is_one_sentence(slept: list[float]) -> None:
    sender = Sender(Target("http://127.0.0.1:9", "t"), patience=0, sleep=slept.append)
    with pytest.raises(Unreachable, match="http://127.0.0.1:9 does not answer"):
        sender.post(b"x\n", "k")


def test_a_connection_closed_while_idle_is_replaced_unseen(server: Scripted) -> None:
    connection = Connection(server.target)
    server.answers = [(202, {"Connection": "close"}, b"{}"), GOOD]
    connection.request("POST", "/", b"x", {"Idempotency-Key": "k"})
    assert connection.request("POST", "/", b"x", {"Idempotency-Key": "k"}).status == 202
    connection.close()


def test_pauses_grow_and_are_bounded() -> None:
    pauses = [pause(attempt, None, 0.5) for attempt in range(40)]
    assert pauses[0] < pauses[3] < pauses[6]
    assert max(pauses) == 60
    assert pause(0, 3600, 1.0) == 60


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_has_two_forms(header: str | None, seconds: float | None) -> None:
    assert seconds_asked(header, now=60.0) == seconds


def test_where_to_send_is_given_or_known(tmp_path: Path) -> None:
    (tmp_path / "up.json").write_text(
        json.dumps(
            {"ingest_url": "http://i", "web_url": "http://w", "ingest_token": "ti", "read_token": "tr"}
        )
    )
    here = {"VAR_DIR": str(tmp_path)}
    assert find_target("ingest", None, None, here) == Target("http://i", "ti")
    assert find_target("read", None, None, here) == Target("http://w", "tr")
    assert find_target("read", None, None, {**here, "LOGBOOM_URL": "http://e/"}) == Target("http://e", "tr")
    assert find_target("read", "https://g", "g", {**here, "LOGBOOM_URL": "http://e"}) == Target(
        "https://g", "g"
    )


def test_without_a_server_the_cure_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoTarget, match="--url"):
        find_target("read", None, None, {"VAR_DIR": str(tmp_path)})
    with pytest.raises(NoTarget, match="no http"):
        find_target("read", "localhost:8000", "t", {"VAR_DIR": str(tmp_path)})
