"""A real worker while its broker is away, hung or out of memory: it goes on alone and stores everything."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.batches import offer
from tests.brokers import Own
from tests.integration.test_worker_process import Site
from webapp.local import servers


class Broken(Site):
    """With a broker of its own, to do harm to."""

    own: Own

    def lines(self, name: str) -> None:
        self.accept(*(offer(f"{name}-{number}") for number in range(30)))

    def until_all_stored(self, *names: str) -> None:
        wanted = Counter({f"{name}-{number}": 1 for name in names for number in range(30)})
        self.until(lambda: self.stored() == wanted, "everything stored once")
        self.until_empty()


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Broken]:
    own = Own(tmp_path / "broker", servers.valkey_binary())
    client = redis.Redis.from_url(own.server.url)
    made = Broken(client, own.server.url, database_url, tmp_path)
    made.own = own
    yield made
    client.close()
    own.signal(signal.SIGCONT)
    own.server.stop()


def test_a_worker_outlives_its_broker_in_every_way_it_can_fail(site: Broken) -> None:
    """One worker through all of it, since starting one takes longer than any of this."""
    with site.worker() as process:
        site.until_ready()
        site.lines("before")
        site.until_all_stored("before")

        site.own.kill()
        time.sleep(2)  # long enough for every loop to have met it
        site.own.start()
        site.lines("after a kill")
        site.until_all_stored("before", "after a kill")

        site.own.signal(signal.SIGSTOP)
        time.sleep(7)  # longer than the timeout of its sockets
        site.own.signal(signal.SIGCONT)
        site.lines("after a hang")
        site.until_all_stored("before", "after a kill", "after a hang")

        site.lines("out of memory")
        site.buffer.client.config_set("maxmemory", "1mb")
        site.until_all_stored("before", "after a kill", "after a hang", "out of memory")
        site.buffer.client.config_set("maxmemory", "256mb")
        site.lines("with memory")
        site.until_all_stored("before", "after a kill", "after a hang", "out of memory", "with memory")
        assert process.poll() is None
