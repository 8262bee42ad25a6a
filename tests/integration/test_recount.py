"""A worker counts what its spill directory really holds, and the broker is never told of less meanwhile."""

import errno
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from ingest import waiting
from ingest.buffer import Buffer, Move, State
from tests.batches import claimed
from tests.brokers import offer
from webapp import spilled
from workers.breaker import Breaker
from workers.recount import Recount
from workers.report import Report
from workers.spool import Files, Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "spill", most_bytes=2**30)) as spool:
        yield spool


def write(spool: Spool, *acceptances: int) -> Path:
    return spool.write([claimed("a", "b", acceptance=number) for number in acceptances])


def held(client: redis.Redis, *acceptances: int) -> list[int | None]:
    files = spilled.Files(client)
    return [files.rows(number) for number in acceptances]


def test_what_the_files_hold_is_told_and_taken_back(any_broker: redis.Redis, spool: Spool) -> None:
    first, second = write(spool, 10, 30), write(spool, 20, 40)
    recount = Recount(any_broker, spool, "w")
    volume = recount.tell()
    assert (volume.files, volume.batches, volume.rows, volume.uncounted) == (2, 4, 8, 0)
    assert (volume.bytes, volume.oldest_us) == (spool.holds()[1], int(first.stem))
    assert held(any_broker, 10, 20, 30, 40, 25) == [2, 2, 2, 2, None]
    second.unlink()
    assert recount.tell().batches == 2
    assert held(any_broker, 10, 20) == [2, None]
    said = spilled.read(any_broker)["w"]
    assert (said.files, said.directory) == (1, str(spool.directory)) and said.at_ms > 0


def test_a_worker_that_starts_again_is_believed_while_it_still_reads(
    any_broker: redis.Redis, spool: Spool
) -> None:
    for number in range(4):
        write(spool, number)
    Recount(any_broker, spool, "w").tell()
    slow = Recount(any_broker, spool, "w", clock=iter(range(1000)).__next__)  # one file at a time
    assert [slow.tell().uncounted for _ in range(4)] == [3, 2, 1, 0]
    assert held(any_broker, 0, 1, 2, 3) == [2] * 4


def test_a_file_that_became_unreadable_is_held_no_longer(any_broker: redis.Redis, spool: Spool) -> None:
    path = write(spool, 7)
    Recount(any_broker, spool, "w").tell()
    path.write_bytes(b"rotten")
    assert Recount(any_broker, spool, "w").tell().uncounted == 1
    assert held(any_broker, 7) == [None]


def test_a_file_that_is_cut_short_holds_what_is_left_of_it(any_broker: redis.Redis, spool: Spool) -> None:
    path = write(spool, 7, 8)
    recount = Recount(any_broker, spool, "w")
    assert recount.tell().batches == 2
    os.truncate(path, path.stat().st_size - 60)
    assert recount.tell().batches == 1
    assert held(any_broker, 7, 8) == [2, None]


class Dying(Files):
    def read(self, path: Path) -> bytes:
        raise OSError(errno.EIO, "the disk is dying")


def test_a_file_that_the_disk_refuses_to_read_counts_as_nothing(
    any_broker: redis.Redis, tmp_path: Path
) -> None:
    with closing(Spool(tmp_path / "spill", most_bytes=2**30, files=Dying())) as spool:
        write(spool, 7)
        assert Recount(any_broker, spool, "w").tell().uncounted == 1
    assert held(any_broker, 7) == [None]


def test_more_files_than_one_call_takes_are_told_all(
    any_broker: redis.Redis, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spilled, "TOLD_BYTES", 50)
    monkeypatch.setattr(spilled, "LATELY", 2)
    for number in range(0, 60, 3):
        write(spool, number, number + 1)
    Recount(any_broker, spool, "w").tell()
    assert held(any_broker, *range(60)) == [2, 2, None] * 20


def test_it_is_told_while_the_broker_is_over_its_memory(any_broker: redis.Redis, spool: Spool) -> None:
    """Then most of all: what is spilled leaves the broker."""
    write(spool, 7)
    any_broker.config_set("maxmemory", 1)
    try:
        Recount(any_broker, spool, "w").tell()
        assert held(any_broker, 7) == [2]
    finally:
        any_broker.config_set("maxmemory", "256mb")


def test_a_worker_tells_beside_its_heartbeat_and_once_more_at_its_end(
    any_broker: redis.Redis, spool: Spool, settings: Any
) -> None:
    settings.WORKER_NAME = "till"
    report = Report(client=any_broker, spool=spool, breaker=Breaker(), live=lambda: True)
    write(spool, 7)
    report.tell()
    assert held(any_broker, 7) == [2]
    write(spool, 8)
    report.stopped()
    assert held(any_broker, 8) == [2]
    assert spilled.read(any_broker)["till"].batches == 2


# ---- what waits in the broker, page by page ----


def test_what_waits_comes_in_pages_that_rise_and_none_is_left_out(
    buffer: Buffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "AT_ONCE", 3)
    numbers = [buffer.accept(offer(source, rows=source)).acceptance for source in (1, 2, 3) * 5]
    spilling = buffer.claim("w").batches[:7]
    buffer.finish([Move(one.batch, one.acceptance, State.SPILLED) for one in spilling])
    pages = list(waiting.pages(buffer.client))
    found = [one for page in pages for one in page.batches]
    assert sorted(one.acceptance for one in found) == numbers
    assert {one.acceptance for one in found if one.state is State.SPILLED} == {
        one.acceptance for one in spilling
    }
    assert max(len(page.batches) for page in pages) <= 6 and pages[-1].beyond is None
    for page, after in zip(pages, pages[1:], strict=False):
        assert all(one.acceptance < page.beyond <= min_of(after) for one in page.batches if page.beyond)
    inside = [one for page in waiting.pages(buffer.client, numbers[2], numbers[9]) for one in page.batches]
    assert sorted(one.acceptance for one in inside) == numbers[2:9]


def min_of(page: waiting.Page) -> int:
    return min((one.acceptance for one in page.batches), default=2**53)
