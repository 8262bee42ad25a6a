"""The spill directory: whole or absent after any crash, one owner, nothing erased that a person may want."""

import errno
import itertools
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.batches import claimed
from tests.faults import Crash, FaultyFiles
from workers import spill
from workers.errors import Damaged, DirectoryTaken, SpillFailed
from workers.spool import BAD, Files, Spool

ROOM = 1024**2
A, B = claimed("a"), claimed("b")


@contextmanager
def opened(
    directory: Path, files: Files | None = None, *, most_bytes: int = ROOM, now_us: int = 10**15
) -> Iterator[Spool]:
    with closing(Spool(directory, most_bytes=most_bytes, files=files, now_us=lambda: now_us)) as spool:
        yield spool


def contents(directory: Path) -> list[list[object]]:
    with opened(directory) as spool:
        return [list(spool.read(path).batches) for path in spool.waiting()]


def test_what_is_written_waits_oldest_first(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.write([A])
        spool.write([B])
    assert contents(tmp_path) == [[A], [B]]


@pytest.mark.parametrize("power_cut", [False, True], ids=["process killed", "power cut"])
@pytest.mark.parametrize("operation", [1, 2, 3])
def test_a_crash_while_writing_leaves_a_whole_file_or_none(
    tmp_path: Path, operation: int, power_cut: bool
) -> None:
    files = FaultyFiles(tmp_path, fail_at=operation)
    with opened(tmp_path, files) as spool, pytest.raises(Crash):
        spool.write([A])
    if power_cut:
        files.cut_power()
    assert contents(tmp_path) in ([], [[A]])


def test_what_write_has_returned_survives_a_power_cut(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path)
    with opened(tmp_path, files) as spool:
        spool.write([A])
    files.cut_power()
    assert files.operations == ["write", "rename", "sync_directory"]
    assert contents(tmp_path) == [[A]]


def test_a_files_bytes_are_synced_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.readlink(f"/proc/self/fd/{number}")))
    with opened(tmp_path) as spool:
        path = spool.write([A])
    assert synced == [str(path.with_suffix(".tmp")), str(tmp_path)]


def test_a_removed_file_stays_removed_after_a_power_cut(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path)
    with opened(tmp_path, files) as spool:
        spool.remove(spool.write([A]))
    files.cut_power()
    assert contents(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("operation", [1, 2])
def test_a_failing_volume_takes_nothing_and_says_so(tmp_path: Path, number: int, operation: int) -> None:
    files = FaultyFiles(tmp_path, fail_at=operation, failure=OSError(number, "no"))
    with opened(tmp_path, files) as spool:
        with pytest.raises(SpillFailed):
            spool.write([A])
        assert not list(tmp_path.glob("*.tmp"))
        spool.write([B])
    assert contents(tmp_path) == [[B]]


@pytest.mark.parametrize("deed", ["write", "remove", "set_aside"])
def test_what_it_holds_is_known_although_the_directory_could_not_be_synced(tmp_path: Path, deed: str) -> None:
    operation = {"write": 3, "remove": 5, "set_aside": 5}[deed]
    files = FaultyFiles(tmp_path, fail_at=operation, failure=OSError(errno.EIO, "no"))
    with opened(tmp_path, files) as spool:
        if deed == "write":
            with pytest.raises(SpillFailed):
                spool.write([A])
        else:
            path = spool.write([A])
            with pytest.raises(OSError, match="no"):
                spool.remove(path) if deed == "remove" else spool.set_aside(path, BAD, "rot")
        sizes = [path.stat().st_size for path in spool.waiting()]
        assert spool.holds() == (len(sizes), sum(sizes))
        assert len(sizes) == (deed == "write")


def test_what_it_holds_is_known_although_a_file_went_with_an_error(tmp_path: Path) -> None:
    class Lying(Files):
        def unlink(self, path: Path) -> None:
            super().unlink(path)
            raise OSError(errno.EIO, "no")

    with opened(tmp_path, Lying()) as spool:
        path = spool.write([A])
        with pytest.raises(OSError, match="no"):
            spool.remove(path)
        assert spool.holds() == (0, 0)


def test_a_clock_set_back_gives_no_name_that_was_set_aside(tmp_path: Path) -> None:
    for rot in (b"first", b"second"):
        with opened(tmp_path, now_us=5) as spool:
            path = spool.write([A])
            path.write_bytes(rot)
            spool.set_aside(path, BAD, "rot")
    with opened(tmp_path) as spool:
        assert [path.read_bytes() for path in spool.aside()] == [b"first", b"second"]


def test_a_directory_that_could_not_be_opened_is_let_go_of(tmp_path: Path) -> None:
    (tmp_path / "1.tmp").write_bytes(b"half")
    failing = FaultyFiles(tmp_path, fail_at=1, failure=OSError(errno.EIO, "no"))
    with pytest.raises(OSError, match="no"), opened(tmp_path, failing):
        pass
    with opened(tmp_path):
        pass


def test_a_full_bound_refuses_until_a_file_is_removed(tmp_path: Path) -> None:
    size = len(spill.encode([A], 0))
    with opened(tmp_path, most_bytes=size) as spool:
        first = spool.write([A])
        with pytest.raises(SpillFailed, match="SPILL_BYTES"):
            spool.write([B])
        spool.remove(first)
        spool.write([B])
    assert contents(tmp_path) == [[B]]


def test_a_second_owner_is_turned_away_until_the_first_ends(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(DirectoryTaken, match="WORKER_NAME"), opened(tmp_path):
        pass
    with opened(tmp_path):
        pass


def test_unfinished_files_are_deleted_at_start(tmp_path: Path) -> None:
    (tmp_path / "1.tmp").write_bytes(b"half")
    with opened(tmp_path):
        assert not (tmp_path / "1.tmp").exists()


def test_names_rise_although_the_clock_falls(tmp_path: Path) -> None:
    with opened(tmp_path, now_us=1000) as spool:
        spool.write([A])
    with opened(tmp_path, now_us=10) as spool:
        spool.write([B])
    assert contents(tmp_path) == [[A], [B]]


def test_a_damaged_file_is_kept_under_another_name(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        path = spool.write([A])
        path.write_bytes(b"rot")
        with pytest.raises(Damaged):
            spool.read(path)
        spool.set_aside(path, BAD, "rot")
        assert spool.waiting() == []
        assert [kept.read_bytes() for kept in spool.aside()] == [b"rot"]


@pytest.mark.parametrize(("days", "too_old"), [(33, False), (35, True)])
def test_a_file_is_too_old_before_the_ledger_forgets(tmp_path: Path, days: int, too_old: bool) -> None:
    with opened(tmp_path, now_us=10**15) as spool:
        path = spool.write([A])
    with opened(tmp_path, now_us=10**15 + days * 86_400_000_000) as spool:
        assert spool.too_old(spool.read(path)) is too_old


def test_names_do_not_clash_when_threads_write_in_one_microsecond(tmp_path: Path) -> None:
    with opened(tmp_path, now_us=5) as spool:
        paths = [spool.write([A]) for _ in range(3)]
    assert all(one.name < other.name for one, other in itertools.pairwise(paths))
