"""`manage.py queue`: what it tells, also while half is away."""

import json
import re
from typing import Any

import pytest
import redis

from ingest import directory
from ingest.buffer import Buffer, Move, Offer, State
from ingest.directory import Directory, SourceEntry
from tests.batches import offer
from tests.brokers import let_leases_run_out
from tests.commanded import NO_BROKER, own_servers, run
from tests.workbench import OWNER, bench, crowded
from webapp import heartbeat
from webapp.heartbeat import Heartbeat

__all__ = ["bench", "own_servers"]

pytestmark = pytest.mark.usefixtures("own_servers")


class Queue:
    """A broker that tests lay batches into."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.buffer = Buffer(client)

    def accept(self, *offers: Offer) -> None:
        for one in offers:
            self.buffer.accept(one)

    def tell(self, **more: Any) -> None:
        heartbeat.tell(self.client, Heartbeat("worker", OWNER, "box", "1", 0, **more))

    def age(self, one: Offer) -> None:
        """As if it had been accepted two minutes ago."""
        self.client.hincrby(b"m:" + one.batch.bytes, "t", -120_000)


@pytest.fixture
def queue(broker: redis.Redis) -> Queue:
    return Queue(broker)


def test_queue_tells_what_waits_by_source_with_its_name(queue: Queue) -> None:
    directory.publish(queue.client, Directory(0, {}, {7: SourceEntry("shop")}))
    queue.accept(offer("a", "b"), offer("c", source=7))
    code, said = run("queue")
    assert code == 0
    assert "3 lines: 2 batches due, 0 with workers; nothing leaves it" in said
    assert "source    shop: 1 line in 1 batch queued; 0 lines in 0 batches spilled" in said
    assert "source    source 1: 2 lines in 1 batch queued" in said


def test_queue_names_the_oldest_and_who_has_what_until_when(queue: Queue) -> None:
    first = offer("a")
    queue.accept(first, offer("b"))
    queue.buffer.claim(OWNER)
    queue.tell()
    code, said = run("queue")
    assert code == 0
    assert re.search(rf"oldest    {first.batch} of source 1, 1 line, \d+ s, with worker-0", said)
    assert "leased    worker-0 (running): 2 batches, 2 lines; lease ends at" in said


def test_queue_counts_what_left_and_says_when_it_will_be_empty(queue: Queue) -> None:
    done, waits = offer("a", "b", "c"), offer("d", "e")
    queue.accept(done)
    (claimed,) = queue.buffer.claim(OWNER).batches
    queue.buffer.finish([Move(claimed.batch, claimed.acceptance, State.STORED)])
    queue.accept(waits)
    assert re.search(r"queue     2 lines: .* [0-9]+ lines/s leave it, empty in [0-9]+ s", run("queue")[1])


def test_a_batch_that_workers_died_over_is_stuck_and_named(queue: Queue) -> None:
    deadly = offer("a")
    queue.accept(deadly)
    queue.buffer.claim(OWNER)
    let_leases_run_out(queue.client)
    queue.buffer.claim(OWNER)
    code, said = run("queue")
    assert code == 1
    assert f"Batch {deadly.batch} of source 1 was in the hands of 1 worker that died; after 5" in said


def test_leases_of_a_worker_that_fell_silent_are_told(queue: Queue) -> None:
    queue.accept(offer("a"))
    queue.buffer.claim(OWNER)
    queue.tell(stopped=True)
    code, said = run("queue")
    assert code == 1
    assert "worker-0 (NOT RUNNING): 1 batch" in said
    assert "STUCK     worker-0 has 1 batch and is not running" in said


def test_leases_that_nobody_takes_back_are_told(queue: Queue) -> None:
    queue.accept(offer("a"))
    queue.buffer.claim(OWNER)
    let_leases_run_out(queue.client)
    code, said = run("queue")
    assert code == 1
    assert re.search(r"STUCK     Leases of worker-0 ran out .* ago and no worker took them", said)


def test_what_nobody_takes_is_stuck(queue: Queue) -> None:
    old = offer("a")
    queue.accept(old)
    queue.age(old)
    assert "Nothing leaves the queue: no worker is running." in run("queue")[1]
    queue.tell(full="No space left on device")
    code, said = run("queue")
    assert code == 1
    assert "although workers are running: the database does not write: No space left on device." in said
    assert "worker    worker-0 is running; the database does not write" in said


def test_what_was_spilled_and_is_on_no_running_workers_volume_is_stuck(queue: Queue) -> None:
    one = offer("a")
    queue.accept(one)
    (claimed,) = queue.buffer.claim(OWNER).batches
    queue.buffer.finish([Move(claimed.batch, claimed.acceptance, State.SPILLED)])
    assert run("queue")[0] == 0
    queue.age(one)
    code, said = run("queue")
    assert code == 1
    assert "STUCK     1 batch in spill files, and no running worker has any" in said
    queue.tell(spill_files=1)
    assert run("queue")[0] == 0


def test_a_broker_without_room_is_stuck_the_more_if_nothing_waits_in_it(queue: Queue) -> None:
    with crowded(queue.client):
        code, said = run("queue")
    assert code == 1
    assert re.search(
        r"STUCK     The broker is full \(9\d%\): senders are told to try again. Nothing waits", said
    )


def test_queue_says_the_same_as_json(queue: Queue) -> None:
    first = offer("a", "b")
    queue.accept(first)
    code, said = run("queue", "--json")
    told = json.loads(said)
    assert (code, told["due_batches"], told["queued_rows"], told["stuck"]) == (0, 1, 2, [])
    assert (told["oldest"]["batch"], told["oldest"]["owner"]) == (str(first.batch), None)
    assert told["sources"][0]["queued_batches"] == 1


def test_queue_without_a_broker_says_so(settings: Any) -> None:
    settings.BROKER_URL = NO_BROKER
    code, said = run("queue")
    assert code == 2
    assert "The broker does not answer" in said
