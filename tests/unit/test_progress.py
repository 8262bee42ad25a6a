"""Ingest's threads: one that works too long hangs, one that waits for its sender does not."""

import threading
from collections.abc import Iterable
from typing import Any

import pytest

from ingest.progress import STUCK_SECONDS, Progress


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Sender:
    """Its bytes come when the test says so."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock, self.seconds = clock, seconds

    def read(self, size: int = -1) -> bytes:
        self.clock.now += self.seconds
        return b""

    readline = read


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    return Progress(2, clock=clock)


def request(progress: Progress, inside: Any, path: str = "/logs", sender: Any = None) -> tuple[str, bytes]:
    heard: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        inside(environ)
        start_response("200 OK", [])
        return [b"ok"]

    environ = {"PATH_INFO": path, "wsgi.input": sender}
    body = progress.watched(application)(environ, lambda status, _: heard.append(status))
    return heard[0], b"".join(body)


def test_a_thread_that_works_too_long_hangs_and_half_of_them_are_too_many(
    progress: Progress, clock: Clock
) -> None:
    def inside(_: Any) -> None:
        clock.now += STUCK_SECONDS + 1
        assert not progress.live()

    request(progress, inside)
    assert progress.live()


def test_fewer_than_half_are_borne(clock: Clock) -> None:
    progress = Progress(3, clock=clock)

    def inside(_: Any) -> None:
        clock.now += STUCK_SECONDS + 1
        assert progress.live()

    request(progress, inside)


def test_waiting_for_a_slow_sender_is_no_hanging(progress: Progress, clock: Clock) -> None:
    seen: list[bool] = []

    def inside(environ: Any) -> None:
        environ["wsgi.input"].read(10)
        seen.append(progress.live())

    request(progress, inside, sender=Sender(clock, 10 * STUCK_SECONDS))
    assert seen == [True]


def test_a_probe_hears_of_it_on_a_thread_that_is_left(progress: Progress, clock: Clock) -> None:
    stuck = threading.Event()
    entered = threading.Event()

    def inside(_: Any) -> None:
        entered.set()
        stuck.wait(20)

    thread = threading.Thread(target=request, args=(progress, inside))
    thread.start()
    try:
        assert entered.wait(20)
        assert request(progress, lambda _: None, "/livez") == ("200 OK", b"ok")
        clock.now += STUCK_SECONDS + 1
        assert request(progress, lambda _: None, "/livez")[0] == "503 Service Unavailable"
    finally:
        stuck.set()
        thread.join()


def test_a_request_that_fails_leaves_nothing_behind(progress: Progress, clock: Clock) -> None:
    def inside(_: Any) -> None:
        raise ValueError

    with pytest.raises(ValueError):
        request(progress, inside)
    clock.now += STUCK_SECONDS + 1
    assert progress.live()
