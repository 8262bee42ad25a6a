"""What a worker tells in its heartbeat and its gauges, also while half of what it looks at is away."""

import math

import pytest

from ingest.buffer import Buffer, connect
from tests.batches import offer
from tests.workbench import Bench, bench
from webapp import heartbeat
from workers import gauges
from workers.gauges import Gauges
from workers.report import Report

__all__ = ["bench"]


@pytest.fixture
def report(bench: Bench) -> Report:
    return Report(
        client=bench.buffer.client, spool=bench.spool, breaker=bench.breaker, live=lambda: True, clock=Clock()
    )


class Clock:
    """Each look is a minute after the last."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 60
        return self.now


def test_a_volume_that_is_gone_is_told_and_everything_else_too(bench: Bench, report: Report) -> None:
    bench.breaker.note_full("No space left on device")
    away = bench.spool.directory.rename(bench.spool.directory.with_name("away"))
    report.tell()
    (seen,) = heartbeat.read(bench.buffer.client)
    assert (seen.beat.volume, seen.beat.full) == ("No such file or directory", "No space left on device")
    away.rename(bench.spool.directory)
    report.tell()
    (seen,) = heartbeat.read(bench.buffer.client)
    assert (seen.beat.volume, seen.beat.disk_total > 0) == ("", True)


def test_the_gauges_show_the_queue_and_the_volume(bench: Bench) -> None:
    bench.accept(offer("a", "b"), offer("c"))
    Gauges(bench.buffer, bench.spool, Clock()).tell()
    assert value(gauges.BROKER_UP) == 1
    assert (value(gauges.QUEUED_ROWS), value(gauges.QUEUED_BATCHES)) == (3, 2)
    assert 0 < value(gauges.MEMORY) < 1
    assert 0 < value(gauges.DISK_FREE) <= value(gauges.DISK_TOTAL)


def test_the_gauges_claim_nothing_of_a_broker_that_is_away(bench: Bench) -> None:
    Gauges(Buffer(connect("redis://127.0.0.1:1/0")), bench.spool, Clock()).tell()
    assert value(gauges.BROKER_UP) == 0
    assert all(math.isnan(value(gauge)) for gauge in gauges.OF_QUEUE)


def value(gauge: gauges.Gauge) -> float:
    (sample,) = next(iter(gauge.collect())).samples
    return sample.value
