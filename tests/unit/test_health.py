"""Probes: of the web as a middleware, of worker and beat on a port of their own."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from webapp import beat, health


def refuse(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=418)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_the_web_answers_a_probe_whatever_its_host(path: str) -> None:
    response = health.probes(refuse)(RequestFactory().get(path, headers={"host": "10.0.0.7:8000"}))
    assert response.status_code == 200


def test_other_paths_go_on() -> None:
    assert health.probes(refuse)(RequestFactory().get("/livez/no")).status_code == 418


def test_a_probe_is_a_get() -> None:
    assert health.probes(refuse)(RequestFactory().post("/livez")).status_code == 405


def test_a_pod_that_has_an_ipv6_address_alone_is_probed_too() -> None:
    server = health.serve("::1", 0, lambda: True, lambda: True)
    try:
        with urllib.request.urlopen(f"http://[::1]:{server.server_port}/livez") as answer:
            assert answer.status == 200
    finally:
        server.shutdown()
        server.server_close()


class Process:
    """One whose health a test decides."""

    def __init__(self) -> None:
        self.live = self.ready = True
        self.server = health.serve("127.0.0.1", 0, lambda: self.live, lambda: self.ready)

    def get(self, path: str) -> tuple[int, bytes]:
        try:
            url = f"http://127.0.0.1:{self.server.server_port}{path}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


@pytest.fixture
def process() -> Iterator[Process]:
    process = Process()
    yield process
    process.server.shutdown()
    process.server.server_close()


def test_a_process_that_is_alive_but_not_ready_says_both(process: Process) -> None:
    process.ready = False
    assert process.get("/livez")[0] == 200
    assert process.get("/readyz")[0] == 503


def test_a_process_that_hangs_is_not_live(process: Process) -> None:
    process.live = False
    assert process.get("/livez")[0] == 503


def test_a_process_shows_its_metrics(process: Process) -> None:
    status, body = process.get("/metrics")
    assert status == 200
    assert b"# TYPE" in body


def test_a_process_knows_no_other_path(process: Process) -> None:
    assert process.get("/admin/")[0] == 404


def test_beat_is_alive_while_it_ticks() -> None:
    assert beat.Pulse().alive()


@pytest.mark.parametrize(("answers", "alive"), [(True, False), (False, True)])
def test_a_silent_beat_is_dead_only_while_the_broker_answers(
    monkeypatch: pytest.MonkeyPatch, answers: bool, alive: bool
) -> None:
    monkeypatch.setattr(beat, "broker_answers", lambda: answers)
    pulse = beat.Pulse()
    pulse.at -= 2 * beat.SILENCE_SECONDS
    assert pulse.alive() is alive
