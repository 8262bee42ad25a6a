"""Whatever befalls the broker, real ingest refuses as promised, comes back alone and has kept what it took.

Every batch that was answered 202 is looked for by its id.
"""

import contextlib
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from ingest.buffer import Buffer, State
from ingest.directory import Directory, SourceEntry, TokenEntry, publish
from tests.brokers import Own, moves
from tests.cramped import cramped
from tests.faults import Proxy, frozen, proxied
from tests.ports import Port, serving
from tests.senders import DIRECTORY, GOOD, LINE, Answer
from webapp.local import servers

THREADS = 4  # of ingest; half of them may wait


@dataclass
class Site:
    """Ingest, and the broker that it reaches through a proxy."""

    own: Own
    proxy: Proxy
    port: Port
    accepted: set[uuid.UUID] = field(default_factory=set)
    refused: list[Answer] = field(default_factory=list)

    @property
    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.own.server.url)

    @property
    def buffer(self) -> Buffer:
        return Buffer(self.client)

    def post(self, body: bytes = LINE, **headers: str) -> Answer:
        answer = self.port.post(body, **headers)
        if answer.status == 202:
            self.accepted.add(uuid.UUID(answer.json["batch"]))
        else:
            self.refused.append(answer)
        return answer

    def until_accepted(self) -> None:
        self.until(lambda: self.post().status == 202)

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not true():
            assert time.monotonic() < end, self.refused[-1:]
            time.sleep(0.02)

    def drained(self) -> set[uuid.UUID]:
        """Every batch in line, stored now."""
        found: set[uuid.UUID] = set()
        buffer = self.buffer
        while batches := buffer.claim("w").batches:
            found |= {batch.batch for batch in batches}
            buffer.finish(moves(batches, State.STORED))
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("faults")
    own = Own(directory / "broker", servers.valkey_binary())
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: own.server.stop())
        proxy = stack.enter_context(proxied(own.port))
        url = f"redis://127.0.0.1:{proxy.port}/0"
        environment = {"INGEST_THREADS": str(THREADS), "BROKER_WAIT_SECONDS": "6"}
        port = stack.enter_context(serving(url, directory / "log", **environment))
        yield Site(own, proxy, port)


@pytest.fixture
def site(served: Site) -> Site:
    served.client.flushall()
    publish(served.client, DIRECTORY)
    made = Site(served.own, served.proxy, served.port)
    made.until_accepted()
    made.refused.clear()
    return made


def refusals_say_when(site: Site) -> None:
    assert site.refused
    for answer in site.refused:
        assert answer.status in (429, 503), answer.body
        assert 1 <= int(answer.headers["Retry-After"]) <= 60


def counted(site: Site, *reasons: str) -> float:
    return sum(site.port.refused(reason) for reason in reasons)


# ---- a broker that hangs ----


@contextlib.contextmanager
def black_hole(site: Site) -> Iterator[None]:
    site.proxy.swallow()
    try:
        yield
    finally:
        site.proxy.mend()


def stopped(site: Site) -> AbstractContextManager[None]:
    return frozen(site.own.server.process.pid)


@pytest.mark.parametrize("hang", [black_hole, stopped])
def test_with_a_broker_that_hangs_half_the_threads_wait_and_probes_are_answered(
    site: Site, hang: Callable[[Site], AbstractContextManager[None]]
) -> None:
    keys = [f"k{number}" for number in range(6)]
    before = counted(site, "broker_gone", "no_threads")
    with ThreadPoolExecutor(len(keys)) as pool:
        with hang(site):
            asked = [pool.submit(site.post, Idempotency_Key=key) for key in keys]
            wait(asked, return_when=FIRST_COMPLETED)
            for path in ("/livez", "/readyz", "/metrics"):
                assert site.port.request("GET", path).status == 200
            site.until(lambda: sum(not each.done() for each in asked) <= THREADS // 2)
            assert site.post().status == 503
            assert any(not each.done() for each in asked), "somebody still waits"
        patient = [each.result() for each in asked]
    assert {answer.status for answer in patient} == {202, 503}
    refusals_say_when(site)
    assert counted(site, "broker_gone", "no_threads") - before == len(site.refused)
    for key in keys:
        site.until(lambda key=key: site.post(Idempotency_Key=key).status == 202)
    held = site.drained()
    assert held == site.accepted


# ---- a broker without room ----


@contextlib.contextmanager
def load(site: Site) -> Iterator[None]:
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            site.post(LINE * 50)

    with ThreadPoolExecutor(3) as pool:
        senders = [pool.submit(send) for _ in range(3)]
        try:
            yield
        finally:
            stop.set()
            for sender in senders:
                sender.result(30)


def test_out_of_memory_in_the_midst_of_a_load_is_refused_and_what_is_held_can_leave(site: Site) -> None:
    stored: set[uuid.UUID] = set()
    before = counted(site, "broker_full")
    with load(site):
        site.until(lambda: len(site.accepted) > 30)
        site.client.config_set("maxmemory", "1mb")
        try:
            site.until(lambda: len(site.refused) > 10)
            stored |= site.drained()
        finally:
            site.client.config_set("maxmemory", "256mb")
        enough = len(site.accepted) + 30
        site.until(lambda: len(site.accepted) > enough)
    assert stored
    assert stored | site.drained() == site.accepted
    refusals_say_when(site)
    assert counted(site, "broker_full") - before == len(site.refused)


def test_a_full_volume_ends_the_broker_and_with_more_room_every_accepted_batch_is_there(
    site: Site, tmp_path: Path
) -> None:
    site.own.server.stop()
    with cramped(tmp_path, site.own.port, "3m") as small:
        try:
            publish(redis.Redis.from_url(small.start().url), DIRECTORY)
            site.accepted.clear()
            site.until_accepted()
            with ThreadPoolExecutor(3) as pool:
                while not site.refused:
                    list(pool.map(site.post, [noise() for _ in range(3)]))
            assert small.server.process.wait(10) != 0, "it ends rather than acknowledge what it cannot keep"
            small.grow("64m")
            small.start()
            site.until_accepted()
            assert site.drained() >= site.accepted
        finally:
            small.server.stop()
            site.own.start()
    refusals_say_when(site)


def noise() -> bytes:
    return b'{"message": "' + b"".join(uuid.uuid4().hex.encode() for _ in range(5000)) + b'"}\n'


# ---- a broker that is not the same any more ----


def test_a_broker_that_comes_back_empty_takes_lines_again_and_repeats_no_acceptance(site: Site) -> None:
    first = site.buffer.known(next(iter(site.accepted)))
    site.own.kill()
    shutil.rmtree(site.own.directory)
    site.own.start()
    site.accepted.clear()
    site.until_accepted()
    again = site.buffer.known(next(iter(site.accepted)))
    assert first and again
    assert again.acceptance > first.acceptance
    assert not [answer for answer in site.refused if answer.status == 401]
    assert site.drained() == site.accepted


def test_a_directory_that_knows_nobody_we_knew_is_not_believed_at_once(site: Site) -> None:
    """Another installation's broker, or its backup: beat lays ours over it within five seconds."""
    others = Directory(0, {"ab" * 32: TokenEntry(1, "ingest", "theirs")}, {1: SourceEntry("theirs")})
    publish(site.client, others)
    end = time.monotonic() + 1.5  # ingest looks once a second
    while time.monotonic() < end:
        assert site.post().status == 202
    publish(site.client, DIRECTORY)
    site.until_accepted()


def test_something_else_under_one_of_our_keys_is_refused_and_said(site: Site) -> None:
    site.drained()
    site.client.set("spilled", "theirs")
    answer = site.port.until_refused(LINE, GOOD, "overloaded")
    assert answer.status == 503
    assert "something else under the key 'spilled'" in answer.json["detail"]
    assert answer.headers["Retry-After"] == "5"
    site.client.delete("spilled")
    site.until_accepted()
