"""A file is cut the same way at every reading, and known again after a rename."""

import dataclasses
import io
import os
import random
from pathlib import Path

import pytest

from ingest import chunks
from ingest.chunks import BYTES, LINES, LONGEST_LINE, Chunk, NotLines, Place, Starts
from ingest.formats import traces


def cut(
    path: Path, start: Place | None = None, ends: list[int] | None = None, starts: Starts | None = None
) -> list[Chunk]:
    start = start or Place()
    with path.open("rb") as file:
        file.seek(start.offset)
        return list(chunks.chunks(file, start, ends or [], starts))


def lines_of(found: list[Chunk]) -> list[bytes]:
    return [line for chunk in found for line in chunk.lines]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log.1"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(1, 2501)))
    return path


def test_a_chunk_ends_after_a_thousand_lines(log: Path) -> None:
    found = cut(log)
    assert [len(chunk.lines) for chunk in found] == [LINES, LINES, 500]
    assert found[-1].end == Place(log.stat().st_size, 2501)


def test_or_with_the_line_that_reaches_a_mebibyte(tmp_path: Path) -> None:
    path = tmp_path / "wide"
    path.write_bytes((b"x" * (BYTES // 2) + b"\n") * 5)
    assert [len(chunk.lines) for chunk in cut(path)] == [2, 2, 1]


def test_no_chunk_ends_inside_of_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "traces"
    r = random.Random(11)
    trace = [b"\tat a.B.c(D.java:%d)\n" % number for number in range(40)]
    with path.open("wb") as file:
        while file.tell() < 400_000:
            file.writelines([b"2026-11-24 12:00:00 ERROR x\n", *trace[: r.choice((0, 1, 7, 8, 9, 40))]])
    found = cut(path, starts=traces.starts)
    assert all(chunk.lines[0].startswith(b"2026") for chunk in found)
    assert b"\n".join(lines_of(found)) + b"\n" == path.read_bytes()
    assert [number for chunk in found for number in chunk.numbers] == list(range(1, len(lines_of(found)) + 1))
    assert cut(path, found[2].end, starts=traces.starts) == found[3:]
    assert cut(path, ends=[chunk.end.offset for chunk in found], starts=traces.starts) == found
    assert any(len(chunk.lines) > LINES for chunk in found)


def test_a_trace_that_grew_is_cut_where_it_was_cut_before(tmp_path: Path) -> None:
    path = tmp_path / "traces"
    path.write_bytes(b"2026-11-24 12:00:00 ERROR x\n\tat a.B.c(D.java:1)\n")
    before = cut(path, starts=traces.starts)
    with path.open("ab") as file:
        file.write(b"\tat a.B.c(D.java:2)\n" * 3)
    after = cut(path, ends=[before[0].end.offset], starts=traces.starts)
    assert [len(chunk.lines) for chunk in after] == [2, 3]


def test_a_monstrous_line_behind_a_chunk_is_not_taken_for_a_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    frame = b"\tat a.B.c(D.java:1)\n"
    path.write_bytes(b"x\n" * LINES + frame + b"y" * (LONGEST_LINE + 5) + b"\n" + frame)
    found = cut(path, starts=traces.starts)
    assert [len(chunk.lines) for chunk in found] == [LINES + 1, 0, 1]
    assert [chunk.too_long for chunk in found] == [[], [LINES + 2], []]


def test_reading_on_from_a_boundary_gives_the_same_chunks(log: Path) -> None:
    found = cut(log)
    assert cut(log, found[0].end) == found[1:]


def test_a_file_that_grew_is_cut_again_where_it_was_cut_before(log: Path) -> None:
    before = cut(log)
    with log.open("ab") as file:
        file.write(b"more\n" * 1000)
    after = cut(log, ends=[chunk.end.offset for chunk in before])
    assert after[:3] == before
    assert lines_of(after) == log.read_bytes().splitlines()


def test_a_last_line_without_an_end_is_sent_and_its_rest_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "cut"
    path.write_bytes(b"one\ntwo, half")
    before = cut(path)
    path.write_bytes(b"one\ntwo, half of it\n")
    assert lines_of(cut(path, ends=[before[0].end.offset])) == [b"one", b"two, half", b" of it"]


def test_windows_line_ends_are_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "crlf"
    path.write_bytes(b"one\r\n\r\ntwo\r\n")
    assert lines_of(cut(path)) == [b"one", b"", b"two"]


def test_a_monstrous_line_is_named_and_its_neighbours_are_sent(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.write_bytes(b"a\n" + b"x" * (LONGEST_LINE * 2 + 5) + b"\nb\n")
    found = cut(path)
    assert lines_of(found) == [b"a", b"b"]
    assert [number for chunk in found for number in chunk.too_long] == [2]
    assert [number for chunk in found for number in chunk.numbers] == [1, 3]


def test_any_file_is_covered_without_gap_or_overlap(tmp_path: Path) -> None:
    r = random.Random(7)
    path = tmp_path / "any"
    path.write_bytes(b"".join(bytes(r.choices(b"ab\n\r", k=r.randrange(4000))) for _ in range(60)))
    found = cut(path, ends=[r.randrange(100_000) for _ in range(5)])
    assert found[0].start.offset == 0 and found[-1].end.offset == path.stat().st_size
    assert all(one.end == two.start for one, two in zip(found, found[1:], strict=False))


def test_a_file_is_the_same_after_a_rename_and_after_it_grew(tmp_path: Path) -> None:
    path, moved = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"short\n")
    with path.open("rb") as file:
        known = chunks.fingerprint(file)
    path.rename(moved)
    with moved.open("ab") as file:
        file.write(b"x" * 5000)
    with moved.open("rb") as file:
        assert chunks.still(known, file)


def test_a_new_file_under_the_old_inode_is_another(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"first life\n")
    with path.open("rb") as file:
        known = chunks.fingerprint(file)
    path.write_bytes(b"second life\n")
    with path.open("rb") as file:
        assert not chunks.still(known, file)


def test_a_compressed_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b\x08rest")
    with (tmp_path / "a.gz").open("rb") as file, pytest.raises(NotLines, match="unpack"):
        chunks.fingerprint(file)


def test_the_key_names_file_range_content_and_reading(log: Path) -> None:
    first, second, _ = cut(log)
    one = chunks.key("f", first, "plain")
    assert one == chunks.key("f", first, "plain")
    others = [("g", first, "plain"), ("f", second, "plain"), ("f", first, "looked into")]
    assert len({one, *(chunks.key(*other) for other in others)}) == 4
    rewritten = dataclasses.replace(first, lines=[b"other", *first.lines[1:]])
    assert one != chunks.key("f", rewritten, "plain")


@pytest.mark.parametrize("name", ["app.log", "app.log.1", "app.log-20260101", "app"])
def test_a_rotated_file_keeps_its_service(name: str) -> None:
    assert chunks.service_of(Path("/var/log") / name) == "app"


def test_a_pipe_is_cut_by_count_and_numbered_throughout() -> None:
    found = list(chunks.pipe_chunks(io.BytesIO(b"x\r\n" * 1500 + b"end")))
    assert lines_of(found) == [b"x"] * 1500 + [b"end"]
    assert [number for chunk in found for number in chunk.numbers] == list(range(1, 1502))


def test_a_slow_pipe_is_not_held_back() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb", 0) as feed:
        found = chunks.pipe_chunks(pipe, linger=0.01)
        feed.write(b"one\n")
        assert next(found).lines == [b"one"]
        feed.write(b"two\n")
        feed.close()
        assert lines_of(list(found)) == [b"two"]
