"""Hints through a real broker, as a worker would find them."""

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import redis
from prometheus_client import REGISTRY

from ingest import hint
from tests.brokers import Own
from webapp.local import servers

ROOT = Path(__file__).resolve().parents[2]


def test_a_hint_is_one_celery_message_with_nothing_in_it(
    any_broker: redis.Redis, any_broker_url: str
) -> None:
    assert hint.send(any_broker_url)
    (raw,) = any_broker.lrange("ingest", 0, -1)
    message = json.loads(raw)
    assert message["headers"]["task"] == "logs.store_group"
    assert message["headers"]["argsrepr"] == "()"
    assert message["content-type"] == "application/json"
    assert message["properties"]["delivery_info"]["routing_key"] == "ingest"


def test_hints_share_their_connections(any_broker: redis.Redis, any_broker_url: str) -> None:
    hint.send(any_broker_url)
    before = any_broker.info("stats")["total_connections_received"]
    for _ in range(20):
        hint.send(any_broker_url)
    assert any_broker.info("stats")["total_connections_received"] == before


def test_a_hint_that_cannot_be_sent_is_counted_and_never_raised() -> None:
    before = failed()
    assert not hint.send(f"redis://127.0.0.1:{servers.free_port()}/0")
    assert failed() == before + 1


def failed() -> float:
    return REGISTRY.get_sample_value("logboom_hints_total", {"outcome": "failed"}) or 0.0


def test_hints_go_on_after_the_broker_was_killed(own_broker: Own) -> None:
    assert hint.send(own_broker.server.url)
    own_broker.kill()
    assert not hint.send(own_broker.server.url)
    own_broker.start()
    assert hint.send(own_broker.server.url)


def test_a_broker_that_hangs_does_not_hold_the_request(own_broker: Own) -> None:
    assert hint.send(own_broker.server.url)
    own_broker.signal(signal.SIGSTOP)
    assert not hint.send(own_broker.server.url)
    own_broker.signal(signal.SIGCONT)
    assert hint.send(own_broker.server.url)


def test_the_producer_is_no_part_of_django_or_of_the_workers(any_broker_url: str) -> None:
    """In a process of its own: another test may have brought the workers' tasks into this one."""
    script = """
        import sys
        from ingest import hint
        app = hint.producer(sys.argv[1])
        assert not app.fixups
        assert "logs.store_group" not in app.tasks
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), any_broker_url], check=True, cwd=ROOT)
