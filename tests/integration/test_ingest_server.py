"""The ingest port as production runs it: chunked and cut bodies, bombs, and brokers that are away or weak."""

import contextlib
import gzip
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from ingest.buffer import connect
from ingest.directory import publish
from tests.ports import Port, serving, wait_for
from tests.senders import DIRECTORY, GOOD, LINE
from webapp.local import servers


@pytest.fixture(scope="module")
def ingest_port(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Port]:
    with serving(valkey_url, tmp_path_factory.mktemp("ingest") / "log") as port:
        yield port


@pytest.fixture
def port(ingest_port: Port, broker: redis.Redis) -> Port:
    publish(broker, DIRECTORY)
    return ingest_port


def test_granian_hands_on_a_chunked_body(port: Port) -> None:
    answer = port.post(iter([LINE, LINE, LINE]), Transfer_Encoding="chunked")
    assert (answer.status, answer.json["accepted"]) == (202, 3)


def test_a_chunked_body_may_have_a_key(port: Port) -> None:
    first = port.post(iter([LINE]), Transfer_Encoding="chunked", Idempotency_Key="k")
    again = port.post(iter([LINE]), Transfer_Encoding="chunked", Idempotency_Key="k")
    assert again.json == first.json | {"duplicate": True}


def test_a_retry_after_a_cut_between_chunks_is_not_a_conflict(port: Port) -> None:
    before = port.told("accepted")
    port.cut("Transfer-Encoding: chunked", "Idempotency-Key: cut", body=b"4\r\none\n\r\n")
    wait_for(lambda: port.told("accepted") == before + 1, port.process, Path(os.devnull))
    answer = port.post(iter([LINE, LINE]), Transfer_Encoding="chunked", Idempotency_Key="cut")
    assert (answer.status, answer.json["duplicate"]) == (202, False)


def test_a_body_cut_short_of_its_announced_length_is_refused(port: Port) -> None:
    before = port.told("bad_body")
    port.cut("Content-Length: 1000", body=LINE)
    wait_for(lambda: port.told("bad_body") == before + 1, port.process, Path(os.devnull))


def test_a_refused_sender_of_much_hears_why(port: Port) -> None:
    too_much = port.post(bytes(20 * 1024 * 1024))
    assert (too_much.status, too_much.json["code"]) == (413, "too_large")
    stranger = port.post(bytes(500_000), token="nobody")
    assert (stranger.status, stranger.json["code"]) == (401, "unauthenticated")


def test_a_bomb_is_refused_in_bounded_memory(port: Port) -> None:
    port.post(LINE)
    before = port.memory_mib()
    bomb = gzip.compress(bytes(1024**3), 1)
    assert port.post(bomb, Content_Encoding="gzip").json["code"] == "too_large"
    # 64 MiB inflated, twice while the buffer grows, and what came over the wire
    assert port.memory_mib() - before < 64 * 2.5


def test_probes_and_metrics_answer_without_a_word_to_the_broker(port: Port, broker: redis.Redis) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert port.request("GET", path).status == 200


@contextlib.contextmanager
def slow_senders(port: Port, count: int) -> Iterator[None]:
    """They announce a body and send a part of it, then nothing or a byte at a time; they have no token."""
    head = "POST /logs HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 9000\r\n\r\npart"
    over = threading.Event()
    with contextlib.ExitStack() as stack:
        senders = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port.port))) for _ in range(count)
        ]
        stack.callback(over.set)
        for sender in senders:
            sender.sendall(head.encode())

        def send_on() -> None:
            while not over.wait(0.2):
                for sender in senders[::2]:
                    with contextlib.suppress(OSError):
                        sender.sendall(b"x")

        threading.Thread(target=send_on, daemon=True).start()
        yield


def test_slow_senders_take_neither_the_probes_nor_the_port_for_long(
    valkey_url: str, broker: redis.Redis, tmp_path: Path
) -> None:
    publish(broker, DIRECTORY)
    with serving(valkey_url, tmp_path / "log", INGEST_THREADS="2", SLOW_SECONDS="1") as port:
        assert port.post(LINE).status == 202
        with slow_senders(port, 8):
            answer = port.until_refused(LINE, GOOD, "overloaded")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
            assert port.request("GET", "/readyz").status == 200
            assert port.until_accepted(LINE).json["accepted"] == 1
            assert port.refused("no_threads") >= 1
            assert port.figures("logboom_ingest_cut_connections_total")[0] >= 2


def test_ingest_starts_without_its_broker_and_waits_for_it(tmp_path: Path) -> None:
    number = servers.free_port()
    with serving(f"redis://127.0.0.1:{number}/0", tmp_path / "log") as port:
        assert port.request("GET", "/readyz").status == 200
        assert port.post(LINE).status == 503
        with servers.running(servers.valkey(tmp_path / "broker", number, broker=True)) as server:
            publish(connect(server.url), DIRECTORY)
            time.sleep(1.1)  # the directory is asked for once a second
            assert port.post(LINE).status == 202


def test_ingest_refuses_to_start_on_a_cache(tmp_path: Path) -> None:
    log = tmp_path / "log"
    weak = servers.valkey(tmp_path / "cache", servers.free_port(), broker=False)
    with servers.running(weak), pytest.raises(servers.ServerError), serving(weak.url, log):
        pass
    assert "set appendonly yes" in log.read_text()
