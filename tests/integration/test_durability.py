"""A broker that is weakened under a running stage: by an operator's CONFIG SET, and by a restart."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from ingest import broker, stage
from ingest.buffer import Accepted, Buffer
from ingest.errors import Transient
from tests.brokers import Own, offer

WEAKENED = [
    ("appendonly", "no", "yes"),
    ("appendfsync", "everysec", "always"),
    ("maxmemory-policy", "allkeys-lru", "noeviction"),
]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Stage:
    """What a request goes through to have its batch accepted."""

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        connections = stage.Connections()
        self.client = broker.connect(url, connected=connections)
        self.durability = stage.Durability(self.client, connections, clock=self.clock)
        self.buffer = Buffer(self.client)

    def accept(self) -> Accepted:
        return self.durability.vouch(lambda: self.buffer.accept(offer()))


@pytest.fixture
def ingest(own_broker: Own) -> Iterator[Stage]:
    made = Stage(own_broker.server.url)
    made.accept()
    made.accept()  # the look at first was made over a connection of its own: this one settles it
    yield made
    made.client.close()


def configure(own: Own, name: str, value: str) -> None:
    with redis.Redis.from_url(own.server.url) as client:
        client.config_set(name, value)


def until(happens: Callable[[], Any], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("setting", "weak", "strong"), WEAKENED)
def test_a_broker_weakened_while_it_runs_is_refused_at_the_next_look_and_taken_again_when_mended(
    ingest: Stage, own_broker: Own, setting: str, weak: str, strong: str
) -> None:
    configure(own_broker, setting, weak)
    ingest.clock.now += stage.LOOK_SECONDS
    for _ in range(3):
        with pytest.raises(Transient, match=f"set {setting} {strong}") as refusal:
            ingest.accept()
        assert refusal.value.status == 503
    configure(own_broker, setting, strong)
    until(lambda: settled(own_broker))
    assert ingest.accept().rows == 10


@pytest.mark.parametrize(("setting", "weak", "strong"), WEAKENED)
def test_a_broker_that_comes_back_weaker_is_never_believed_whatever_the_clock_says(
    ingest: Stage, own_broker: Own, setting: str, weak: str, strong: str
) -> None:
    own_broker.kill()
    own_broker.start()
    configure(own_broker, setting, weak)
    with pytest.raises(Transient, match=f"set {setting} {strong}"):
        ingest.accept()


def test_a_restart_between_the_look_and_the_accept_is_found_out_before_the_answer(
    ingest: Stage, own_broker: Own
) -> None:
    def accept_after_a_restart() -> Accepted:
        own_broker.kill()
        own_broker.start()
        configure(own_broker, "appendfsync", "no")
        return ingest.buffer.accept(offer())

    with pytest.raises(Transient, match="appendfsync"):
        ingest.durability.vouch(accept_after_a_restart)


def test_a_good_look_costs_no_command(ingest: Stage, own_broker: Own) -> None:
    with redis.Redis.from_url(own_broker.server.url) as client:
        before = asked(client)
        for _ in range(20):
            ingest.accept()
        assert asked(client) == before
        ingest.clock.now += stage.LOOK_SECONDS
        ingest.accept()
        assert asked(client) == before + 1


def test_a_file_that_is_only_being_written_again_is_not_trusted_yet(
    ingest: Stage, own_broker: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(own_broker, "appendonly", "no")
    ingest.clock.now += stage.LOOK_SECONDS
    with pytest.raises(Transient, match="appendonly"):
        ingest.accept()
    configure(own_broker, "appendonly", "yes")
    underway = {"aof_rewrite_in_progress": 1}
    with monkeypatch.context() as patched:
        patched.setattr(ingest.client, "info", lambda section: underway)
        with pytest.raises(Transient, match="writ.* anew"):
            ingest.accept()
    until(lambda: settled(own_broker))
    assert ingest.accept().rows == 10


def settled(own: Own) -> bool:
    with redis.Redis.from_url(own.server.url) as client:
        info = client.info("persistence")
    return not (info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])


def asked(client: redis.Redis) -> int:
    return int(client.info("commandstats").get("cmdstat_config|get", {"calls": 0})["calls"])
