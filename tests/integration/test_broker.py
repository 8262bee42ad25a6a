"""What the broker must be, and what its failures are called; the last tests kill and hang a real one."""

import signal
import threading
import time
import uuid
from collections.abc import Iterator

import pytest
import redis

from ingest.broker import check_durable, complain_of_silence, connect, speaking
from ingest.buffer import Buffer
from ingest.errors import BrokerGone, WeakBroker
from tests.brokers import Own, offer
from webapp.local import servers


@pytest.mark.parametrize(
    ("setting", "weak", "strong"),
    [
        ("appendonly", "no", "yes"),
        ("appendfsync", "everysec", "always"),
        ("no-appendfsync-on-rewrite", "yes", "no"),
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
        ("maxmemory", "0", "256mb"),
    ],
)
def test_a_weak_broker_is_refused_with_the_cure(
    any_broker: redis.Redis, setting: str, weak: str, strong: str
) -> None:
    check_durable(any_broker)
    any_broker.config_set(setting, weak)
    try:
        with pytest.raises(WeakBroker, match=f"set {setting} "):
            check_durable(any_broker)
    finally:
        any_broker.config_set(setting, strong)


@pytest.fixture
def unprivileged(any_broker: redis.Redis, any_broker_url: str) -> Iterator[redis.Redis]:
    """As on a managed server: CONFIG is not for us."""
    any_broker.acl_setuser(
        "app", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all", "-config"]
    )
    client = connect(any_broker_url.replace("redis://", "redis://app:secret@"))
    complain_of_silence.cache_clear()
    yield client
    client.close()
    any_broker.acl_deluser("app")


def test_where_config_is_refused_it_says_what_cannot_be_checked(
    unprivileged: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    check_durable(unprivileged)
    assert [record.message for record in caplog.records] == [
        "the broker does not tell its appendfsync: make sure that it is always",
        "the broker does not tell its no-appendfsync-on-rewrite: make sure that it is no",
    ]


def test_where_config_is_refused_the_rest_is_still_checked(
    any_broker: redis.Redis, unprivileged: redis.Redis
) -> None:
    any_broker.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(WeakBroker, match="maxmemory-policy"):
            check_durable(unprivileged)
    finally:
        any_broker.config_set("maxmemory-policy", "noeviction")


def test_a_broker_that_is_not_there_is_gone() -> None:
    client = connect(f"redis://127.0.0.1:{servers.free_port()}/0")
    with pytest.raises(BrokerGone):
        Buffer(client).accept(offer())


def test_a_broker_that_turned_into_a_replica_is_gone(any_broker: redis.Redis) -> None:
    any_broker.replicaof("127.0.0.1", servers.free_port())
    try:
        with pytest.raises(BrokerGone):
            Buffer(any_broker).accept(offer())
    finally:
        any_broker.replicaof("NO", "ONE")


def test_a_broker_that_cannot_write_its_file_is_gone() -> None:
    with pytest.raises(BrokerGone), speaking():
        raise redis.ResponseError("MISCONF Errors writing to the AOF file: No space left on device")


def test_a_wrong_command_is_a_bug_and_passes_through(any_broker: redis.Redis) -> None:
    any_broker.set("queued", "not a zset")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        Buffer(any_broker).accept(offer())


def test_a_broker_that_hangs_is_gone_after_the_timeout(own_broker: Own) -> None:
    client = connect(own_broker.server.url, timeout=0.2)
    buffer = Buffer(client)
    buffer.accept(offer())
    own_broker.signal(signal.SIGSTOP)
    with pytest.raises(BrokerGone):
        buffer.accept(offer())
    client.close()


def test_a_reply_lost_by_a_hang_is_made_good_by_asking_again(own_broker: Own) -> None:
    client = connect(own_broker.server.url, timeout=0.2)
    buffer, given = Buffer(client), offer()
    buffer.accept(offer())  # the scripts are loaded
    own_broker.signal(signal.SIGSTOP)
    with pytest.raises(BrokerGone):
        buffer.accept(given)
    own_broker.signal(signal.SIGCONT)
    buffer.accept(given)
    assert buffer.depth().due == 2
    assert sum(minute.accepted for minute in buffer.minutes()) == 20
    client.close()


def test_what_was_accepted_before_a_kill_is_there_after_it(own_broker: Own) -> None:
    """Four senders and a kill -9 in their midst, three times over."""
    acknowledged: dict[uuid.UUID, int] = {}
    for _ in range(3):
        senders = [
            threading.Thread(target=send, args=(own_broker.server.url, acknowledged)) for _ in range(4)
        ]
        for sender in senders:
            sender.start()
        enough = len(acknowledged) + 50
        while len(acknowledged) < enough:
            time.sleep(0.001)
        own_broker.kill()
        for sender in senders:
            sender.join()
        own_broker.start()
    client = connect(own_broker.server.url)
    buffer = Buffer(client)
    found = {}
    while claim := buffer.claim("w").batches:
        found.update({batch.batch: batch.acceptance for batch in claim})
    assert acknowledged.items() <= found.items()
    assert sum(minute.queued for minute in buffer.minutes()) == 10 * len(found)
    client.close()


def send(url: str, acknowledged: dict[uuid.UUID, int]) -> None:
    """Until the broker dies."""
    client = connect(url)
    buffer = Buffer(client)
    while True:
        given = offer(payload=b"x" * 5000)
        try:
            acknowledged[given.batch] = buffer.accept(given).acceptance
        except BrokerGone:
            client.close()
            return
