"""The spill volume fails, rots, fills up or is left behind: nothing is lost, and it goes on by itself."""

import errno
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from prometheus_client import REGISTRY

from ingest.buffer import Offer, State
from tests.batches import offer
from tests.brokers import let_leases_run_out
from tests.workbench import NOWHERE, Bench, bench, crowded
from workers import spill
from workers.flusher import LONGEST_PAUSE
from workers.pump import Step
from workers.spool import Files

__all__ = ["bench"]


class FailingFiles(Files):
    """A volume on which one operation fails, every time, until it is mended."""

    def __init__(self) -> None:
        self.broken = ""
        self.number = 0

    def fail(self, operation: str, number: int) -> None:
        self.broken, self.number = operation, number

    def mend(self) -> None:
        self.broken = ""

    def perhaps(self, operation: str) -> None:
        if operation == self.broken:
            raise OSError(self.number, errno.errorcode[self.number])

    def write(self, path: Path, data: bytes) -> None:
        self.perhaps("open")
        super().write(path, data[: len(data) // 2] if self.broken == "write" else data)
        self.perhaps("write")
        self.perhaps("fsync")

    def read(self, path: Path) -> bytes:
        self.perhaps("read")
        return super().read(path)

    def rename(self, old: Path, new: Path) -> None:
        self.perhaps("rename")
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self.perhaps("unlink")
        super().unlink(path)

    def sync_directory(self, path: Path) -> None:
        self.perhaps("sync_directory")
        super().sync_directory(path)


@pytest.fixture
def volume() -> FailingFiles:
    return FailingFiles()


@pytest.fixture
def failing(broker: redis.Redis, database_url: str, tmp_path: Path, volume: FailingFiles) -> Iterator[Bench]:
    with closing(Bench(broker, database_url, tmp_path / "spill", volume)) as bench:
        yield bench


numbers = pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])


def failures(number: int) -> float:
    labels = {"error": errno.errorcode[number]}
    return REGISTRY.get_sample_value("logboom_spill_failures_total", labels) or 0


def deaths(bench: Bench, one: Offer) -> int:
    known = bench.buffer.known(one.batch)
    assert known is not None
    return known.deaths


def go_on(bench: Bench) -> None:
    """As after a moment: what was handed back is due, and a file that failed is tried again."""
    let_leases_run_out(bench.buffer.client)
    bench.flusher._clock = lambda: time.monotonic() + LONGEST_PAUSE
    while bench.flusher.step() or bench.pump.step().batches:
        pass


# ---- a volume that fails ----


@numbers
@pytest.mark.parametrize("operation", ["open", "write", "fsync", "rename", "sync_directory"])
def test_what_cannot_be_spilled_stays_in_the_broker_and_is_no_outage(
    failing: Bench, volume: FailingFiles, caplog: pytest.LogCaptureFixture, operation: str, number: int
) -> None:
    offers = [offer("a", "b"), offer("c")]
    failing.accept(*offers)
    failing.connect_to(failing.url, spill_always=True)
    before = failures(number)
    volume.fail(operation, number)
    assert failing.pump.step() == Step("returned", batches=2)
    assert [failing.state(one) for one in offers] == [State.QUEUED] * 2
    assert failing.breaker.closed
    assert failures(number) == before + 1
    assert "cannot spill, the batches stay in the broker" in caplog.text
    assert not list(failing.spool.directory.glob("*.tmp"))
    volume.mend()
    go_on(failing)
    assert failing.stored() == Counter(a=1, b=1, c=1)
    assert [failing.state(one) for one in offers] == [State.STORED] * 2
    assert [deaths(failing, one) for one in offers] == [0, 0]
    assert failing.spool.holds() == (0, 0)


@numbers
@pytest.mark.parametrize("operation", ["read", "unlink", "sync_directory"])
def test_what_cannot_be_flushed_waits_and_is_no_outage(
    failing: Bench, volume: FailingFiles, operation: str, number: int
) -> None:
    one = offer("a", "b")
    failing.accept(one)
    failing.connect_to(failing.url, spill_always=True)
    failing.pump.step()
    volume.fail(operation, number)
    assert failing.flusher.step()
    assert failing.breaker.closed
    assert not failing.flusher.step(), "without a pause"
    volume.mend()
    go_on(failing)
    assert failing.stored() == Counter(a=1, b=1)
    assert failing.state(one) is State.STORED
    assert failing.spool.holds() == (0, 0)
    assert list(failing.spool.directory.glob("*.spill*")) == []


@numbers
def test_with_the_database_away_and_the_volume_full_the_broker_keeps_everything(
    failing: Bench, volume: FailingFiles, broker: redis.Redis, number: int
) -> None:
    one = offer("a")
    failing.accept(one)
    failing.connect_to(NOWHERE)
    volume.fail("write", number)
    with crowded(broker):
        assert failing.pump.step() == Step("returned", batches=1)  # found out that it is away
        let_leases_run_out(broker)
        assert failing.pump.step() == Step("returned", batches=1)  # knows that it is
        volume.mend()
        let_leases_run_out(broker)
        assert failing.pump.step() == Step("spilled", batches=1, rows=1)
    failing.connect_to(failing.url)
    failing.wait_for_probe()
    go_on(failing)
    assert failing.stored() == Counter(a=1)


def test_a_damaged_file_that_cannot_be_set_aside_keeps_its_name_and_harms_no_neighbour(
    failing: Bench, volume: FailingFiles
) -> None:
    path, _ = two_files(failing)
    path.write_bytes(path.read_bytes()[:-1])
    volume.fail("rename", errno.EIO)
    while failing.flusher.step():
        pass
    assert failing.stored() == Counter({"1": 1, "2": 1, "3": 1})
    assert failing.spool.waiting() == [path]
    volume.mend()
    go_on(failing)
    assert [kept.name for kept in failing.spool.aside()] == [path.name + ".bad"]
    assert failing.stored() == Counter({"1": 1, "2": 1, "3": 1})


# ---- a file that is not what was written ----


def two_files(bench: Bench) -> list[Path]:
    """The first holds batches 1 and 2, the second batch 3."""
    bench.connect_to(bench.url, spill_always=True)
    for offers in ([offer("1"), offer("2")], [offer("3")]):
        bench.accept(*offers)
        assert bench.pump.step().outcome == "spilled"
    return bench.spool.waiting()


def flipped(at: Callable[[bytes], int]) -> Callable[[bytes], bytes]:
    def flip(file: bytes) -> bytes:
        place = at(file) % len(file)
        return file[:place] + bytes([file[place] ^ 0x10]) + file[place + 1 :]

    return flip


def second_record(file: bytes) -> int:
    first = spill._header.size
    _, length = spill._frame.unpack_from(file, first)
    return int(first + spill._frame.size + length + spill._checksum.size)


TRAILER = spill._frame.size + spill._checksum.size
# What happened to the first file, and which of its batches are readable all the same.
DAMAGES: dict[str, tuple[Callable[[bytes], bytes], list[str]]] = {
    "the magic": (flipped(lambda file: 0), []),
    "the version": (flipped(lambda file: 7), []),
    "the time in the header": (flipped(lambda file: 9), []),
    "the header's checksum": (flipped(lambda file: spill._header.size - 1), []),
    "a length": (flipped(lambda file: second_record(file) + 1), ["1"]),
    "a batch's id": (flipped(lambda file: second_record(file) + spill._frame.size), ["1"]),
    "an envelope": (flipped(lambda file: second_record(file) - 20), ["2"]),
    "a record's checksum": (flipped(lambda file: second_record(file) - 1), ["2"]),
    "the trailer's count": (flipped(lambda file: 1 - TRAILER), ["1", "2"]),
    "the trailer's checksum": (flipped(lambda file: -1), ["1", "2"]),
    "cut in the trailer": (lambda file: file[:-1], ["1", "2"]),
    "cut before the trailer": (lambda file: file[:-TRAILER], ["1", "2"]),
    "cut in a record": (lambda file: file[: second_record(file) + 30], ["1"]),
    "cut in the header": (lambda file: file[:10], []),
    "nothing in it": (lambda file: b"", []),
    "more behind it": (lambda file: file + b"\0", ["1", "2"]),
    "a file of somebody else": (lambda file: b"PK\x03\x04" * 100, []),
    "twice the same": (lambda file: file + file, ["1", "2"]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_gives_up_what_is_readable_is_kept_and_complained_of(
    bench: Bench, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    spoil, readable = DAMAGES[damage]
    path, _ = two_files(bench)
    path.write_bytes(spoiled := spoil(path.read_bytes()))
    before = set_aside()
    while bench.flusher.step():
        pass
    assert bench.stored() == Counter([*readable, "3"])
    (kept,) = bench.spool.aside()
    assert (kept.name, kept.read_bytes()) == (path.name + ".bad", spoiled)
    assert bench.spool.holds() == (0, 0)
    assert set_aside() == before + 1
    assert [record.levelno for record in caplog.records if "set aside" in record.message] == [logging.ERROR]
    assert bench.breaker.closed


def set_aside() -> float:
    return REGISTRY.get_sample_value("logboom_spill_set_aside_total", {"reason": "bad"}) or 0


def test_a_file_that_is_put_back_damaged_takes_no_other_files_place(bench: Bench) -> None:
    path, _ = two_files(bench)
    for rot in (b"first", b"second", b"third"):
        path.write_bytes(rot)
        bench.flusher.step()
    assert sorted(kept.read_bytes() for kept in bench.spool.aside()) == [b"first", b"second", b"third"]


def test_a_file_that_is_put_back_mended_is_stored(bench: Bench) -> None:
    path, _ = two_files(bench)
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    while bench.flusher.step():
        pass
    path.write_bytes(whole)
    while bench.flusher.step():
        pass
    assert bench.stored() == Counter({"1": 1, "2": 1, "3": 1})
    assert bench.buffer.depth().spilled == 0
