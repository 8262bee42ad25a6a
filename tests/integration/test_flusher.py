"""The flusher: every batch of a file is stored once, whatever fails; what is not stored is not erased."""

from collections import Counter
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import redis

from ingest.buffer import Offer, State
from tests.batches import offer
from tests.faults import Crash, FaultyFiles
from tests.workbench import NOWHERE, Bench, bench
from workers.flusher import REST_SECONDS
from workers.spool import OLDEST_DAYS

__all__ = ["bench"]


def spill(bench: Bench, *offers: Offer) -> Path:
    """One file with these batches; the broker knows them as spilled."""
    before = set(bench.spool.waiting())
    bench.accept(*offers)
    bench.connect_to(bench.url, spill_always=True)
    bench.pump.step()
    (path,) = set(bench.spool.waiting()) - before
    return path


def drain(bench: Bench) -> None:
    while bench.flusher.step():
        pass


def test_files_are_stored_oldest_first_and_removed(bench: Bench) -> None:
    first, second = spill(bench, offer("1")), spill(bench, offer("2"))
    bench.flusher.step()
    assert not first.exists()
    assert second.exists()
    drain(bench)
    assert bench.stored() == Counter({"1": 1, "2": 1})


def test_a_file_is_stored_in_groups_no_larger_than_a_claim(bench: Bench) -> None:
    spill(bench, *(offer(str(n)) for n in range(40)))
    drain(bench)
    with psycopg.connect(bench.url) as conn:
        rows = conn.execute("SELECT rows FROM log_segment ORDER BY seg").fetchall()
    assert rows == [(16,), (16,), (8,)]


def test_a_file_that_fails_is_stepped_over(bench: Bench) -> None:
    first, second = spill(bench, offer("1")), spill(bench, offer("2"))
    failing = OSError(5, "unreadable for now")
    read = bench.spool.read

    def read_but_the_first(path: Path) -> object:
        if path == first:
            raise failing
        return read(path)

    bench.spool.read = read_but_the_first  # type: ignore[assignment,method-assign]
    assert [bench.flusher.step() for _ in range(3)] == [True, True, False]
    assert first.exists()
    assert not second.exists()
    assert bench.stored() == Counter({"2": 1})


def test_a_file_keeps_its_good_batches_when_one_is_poison(bench: Bench) -> None:
    bad = offer(*(f"{n}\0" for n in range(20)))
    path = spill(bench, offer("a"), bad, offer("b"))
    drain(bench)
    assert bench.stored() == Counter(a=1, b=1)
    assert bench.quarantined() == {bad.batch: "poison"}
    assert bench.state(bad) is State.QUARANTINED
    assert not path.exists()


def test_a_damaged_file_gives_up_its_readable_batches_and_is_kept(bench: Bench) -> None:
    good, rotten = offer("good"), offer("rotten", payload=b"ROTTEN" * 20)
    path = spill(bench, good, rotten)
    path.write_bytes(path.read_bytes().replace(b"ROTTENROTTEN", b"ROTTENrotten"))
    drain(bench)
    assert bench.stored() == Counter(good=1)
    assert (bench.state(good), bench.state(rotten)) == (State.STORED, State.SPILLED)
    assert [kept.name for kept in bench.spool.aside()] == [path.name + ".bad"]


def test_a_file_older_than_the_ledger_remembers_is_kept_unstored(bench: Bench) -> None:
    path = spill(bench, offer("a"))
    bench.spool._now_us = lambda: int(path.stem) + (OLDEST_DAYS * 86_400 + 1) * 1_000_000
    drain(bench)
    assert bench.stored() == Counter()
    assert [kept.name for kept in bench.spool.aside()] == [path.name + ".old"]


def test_an_outage_while_flushing_opens_the_breaker_and_keeps_the_file(bench: Bench) -> None:
    path = spill(bench, offer("a"))
    bench.connect_to(NOWHERE)
    bench.flusher.step()
    assert not bench.breaker.closed
    assert path.exists()


@pytest.mark.parametrize("operation", [4, 5], ids=["before unlink", "before the directory's sync"])
@pytest.mark.parametrize("power_cut", [False, True], ids=["killed", "power cut"])
def test_a_crash_after_the_commit_stores_nothing_twice(
    broker: redis.Redis, database_url: str, tmp_path: Path, operation: int, power_cut: bool
) -> None:
    directory = tmp_path / "spill"
    directory.mkdir()
    files = FaultyFiles(directory, fail_at=operation)
    with closing(Bench(broker, database_url, directory, files)) as before:
        spill(before, offer("a"))
        with pytest.raises(Crash):
            before.flusher.step()
    if power_cut:
        files.cut_power()
    with closing(Bench(broker, database_url, directory)) as after:
        drain(after)
        assert after.stored() == Counter(a=1)
        assert after.spool.waiting() == []


def test_a_directory_that_cannot_be_read_is_told_and_tried_again(bench: Bench) -> None:
    now = [0.0]
    path = spill(bench, offer("a"))
    away = path.parent.rename(path.parent.with_name("away"))
    bench.connect_to(bench.url)
    bench.flusher._clock = lambda: now[0]
    assert [bench.flusher.step() for _ in range(2)] == [False, False]
    away.rename(path.parent)
    now[0] += REST_SECONDS
    assert bench.flusher.step()
    assert bench.stored() == Counter(a=1)
