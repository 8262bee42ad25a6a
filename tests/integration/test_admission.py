"""Waiting and refusing, with a broker that really restarts and really fills up."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest.admission import Admission
from ingest.broker import connect
from ingest.buffer import Buffer
from ingest.errors import BrokerFull
from tests.brokers import Own, offer


def test_a_request_outlives_a_restart_of_the_broker_and_is_accepted_once(own_broker: Own) -> None:
    client = connect(own_broker.server.url)
    buffer = Buffer(client)
    tried = threading.Event()
    given = offer()

    def attempt() -> int:
        try:
            return buffer.accept(given).acceptance
        finally:
            tried.set()

    own_broker.kill()
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(Admission(buffer, wait_seconds=30).waiting, attempt)
        assert tried.wait(10)
        own_broker.start()
        acceptance = request.result(30)
    assert [batch.acceptance for batch in buffer.claim("w").batches] == [acceptance]
    client.close()


def test_a_broker_filling_up_is_refused_before_its_bound_and_let_in_again(own_broker: Own) -> None:
    client = connect(own_broker.server.url)
    client.config_set("maxmemory", "16mb")
    buffer = Buffer(client)
    payload = b"x" * 500_000
    moment = iter(range(10_000))  # every look at the clock is a second later: each check polls
    gate = Admission(buffer, share=0.75, clock=lambda: float(next(moment)))
    with pytest.raises(BrokerFull) as refusal:
        for _ in range(100):
            gate.check(1, {})
            buffer.accept(offer(payload=payload))
    assert 1 <= (refusal.value.retry_after or 0) <= 60
    assert 0.75 <= buffer.depth().memory_share < 0.9
    client.flushall()
    gate.check(1, {})
    client.close()
