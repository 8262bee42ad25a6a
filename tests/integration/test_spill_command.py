"""`manage.py spill`: what it tells, does and leaves alone, also while half is away."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from ingest.buffer import Offer, State
from tests.batches import offer
from tests.commanded import NO_BROKER, own_servers, run
from tests.workbench import NOWHERE, Bench, bench
from workers import spill as spill_file
from workers.spool import OLDEST_DAYS

__all__ = ["bench", "own_servers"]

pytestmark = pytest.mark.usefixtures("own_servers")
DAY_US = 86_400_000_000


def spill_away(bench: Bench, *offers: Offer) -> Path:
    """One file with these batches, and its worker still running."""
    before = set(bench.spool.waiting())
    bench.connect_to(bench.url, spill_always=True)
    bench.accept(*offers)
    bench.pump.step()
    (path,) = set(bench.spool.waiting()) - before
    return path


@pytest.fixture
def left(bench: Bench) -> Path:
    """A removed worker's file of two batches."""
    path = spill_away(bench, offer("a1", "a2"), offer("b"))
    bench.spool.close()
    return path


def flipped(path: Path, word: bytes) -> None:
    """One bit of the file, at that word of it."""
    data = bytearray(path.read_bytes())
    data[data.index(word)] ^= 1
    path.write_bytes(data)


def aside(path: Path, suffix: str = ".bad") -> Path:
    return path.rename(path.with_name(path.name + suffix))


def quarantined(bench: Bench) -> dict[uuid.UUID, tuple[str, bytes]]:
    with psycopg.connect(bench.url) as conn:
        rows = conn.execute("SELECT batch, reason, raw FROM quarantine").fetchall()
    return {batch: (reason, raw) for batch, reason, raw in rows}


# ---- list ----


def test_list_tells_what_lies_where_and_whose_it_is(bench: Bench, settings: Any) -> None:
    spill_away(bench, offer("a1", "a2"), offer("b"))
    settings.BROKER_URL, settings.DATABASE_URL = NO_BROKER, NOWHERE  # neither is asked
    code, said = run("spill", "list")
    assert code == 0
    assert "1 file waiting" in said
    assert "3 lines, oldest 0 s; its worker is running and stores them" in said
    assert "2 batches, 3 lines" in said
    bench.spool.close()
    assert "ORPHANED: nobody stores them" in run("spill", "list")[1]


def test_list_tells_why_a_file_was_set_aside(left: Path) -> None:
    left.write_bytes(left.read_bytes()[:-1])
    aside(left)
    told = json.loads(run("spill", "list", "--json")[1])
    (file,) = told[0]["files"]
    assert (file["kind"], file["batches"], file["rows"]) == ("damaged", 2, 3)
    assert "trailer is damaged" in file["reason"]
    assert told[0]["running"] is False


def test_a_missing_directory_is_simply_empty(tmp_path: Path) -> None:
    code, said = run("spill", "list", "--dir", tmp_path / "nothing")
    assert (code, said) == (0, "No worker has a spill directory here.\n")


def test_a_look_at_the_lock_keeps_no_worker_from_starting(left: Path) -> None:
    from workers.spool import Spool
    from workers.volumes import owned

    assert not owned(left.parent)
    taken = Spool(left.parent, most_bytes=1024**3)
    assert owned(left.parent)
    taken.close()
    assert not owned(left.parent)


# ---- verify ----


def test_verify_is_content_with_whole_files(left: Path) -> None:
    assert run("spill", "verify") == (0, "1 file read, 0 damaged.\n")


def test_verify_names_what_cannot_be_read_and_who_counts_on_it(bench: Bench) -> None:
    lost, kept = offer("lost"), offer("kept")
    path = spill_away(bench, lost, kept)
    flipped(path, b"lost")
    code, said = run("spill", "verify")
    assert code == 1
    assert f"{path}  the 1. record's checksum is wrong; 1 batch can be read" in said
    assert f"cannot be read: {lost.batch}, 1 line: the broker counts on this file" in said
    assert str(kept.batch) not in said


def test_verify_knows_that_an_unreadable_batch_is_stored_all_the_same(bench: Bench, valkey_url: str) -> None:
    stored = offer("twice")
    path = spill_away(bench, stored)
    copy = path.read_bytes()
    bench.flusher.step()
    path.write_bytes(copy)
    flipped(path, b"twice")
    assert f"{stored.batch}, 1 line: the ledger has it: nothing is lost" in run("spill", "verify")[1]


def test_verify_tells_how_many_records_a_torn_file_lacks(bench: Bench) -> None:
    path = spill_away(bench, offer("a"), offer("b"), offer("c"))
    data = bytearray(path.read_bytes())
    assert data[20:21] == b"R"
    data[20] = 0  # the first record's own letter: nothing behind it can be found
    path.write_bytes(data)
    code, said = run("spill", "verify")
    assert code == 1
    assert "0 batches can be read" in said
    assert "and 3 records that cannot be found in it" in said
    assert "The broker counts on spill files for 3 batches that are in none of these files" in said


@pytest.mark.parametrize("away", ["BROKER_URL", "DATABASE_URL"])
def test_verify_works_while_a_part_is_away_and_says_which(bench: Bench, settings: Any, away: str) -> None:
    path = spill_away(bench, offer("lost"))
    flipped(path, b"lost")
    setattr(settings, away, NO_BROKER if away == "BROKER_URL" else NOWHERE)
    code, said = run("spill", "verify")
    assert code == 1
    assert "broker or ledger did not answer" in said
    assert "Not asked: The " in said


# ---- drain ----


def test_drain_stores_what_a_removed_worker_left(bench: Bench, left: Path) -> None:
    code, said = run("spill", "drain")
    assert code == 0
    assert f"{left}: stored" in said
    assert bench.stored() == Counter(a1=1, a2=1, b=1)
    assert not left.exists()


@pytest.mark.parametrize("away", ["BROKER_URL", "DATABASE_URL"])
def test_drain_keeps_the_file_while_a_part_is_away(left: Path, settings: Any, away: str) -> None:
    setattr(settings, away, NO_BROKER if away == "BROKER_URL" else NOWHERE)
    code, said = run("spill", "drain")
    assert code == 2
    assert "NOT FINISHED, nothing is lost, try again" in said
    assert left.exists()


def test_drain_leaves_a_running_workers_directory_to_it(bench: Bench) -> None:
    code, said = run("spill", "drain")
    assert (code, "its worker is running" in said) == (0, True)


def test_drain_saves_what_a_damaged_file_still_holds_and_asks_for_a_person(bench: Bench, left: Path) -> None:
    left.write_bytes(left.read_bytes()[:-1])
    code, said = run("spill", "drain", "--json")
    (told,) = json.loads(said)
    assert (code, told["outcome"], told["stored"]) == (1, "aside", [])
    assert told["aside"] == [f"{left}.bad"]
    assert bench.stored() == Counter(a1=1, a2=1, b=1)


# ---- replay ----


def test_replay_stores_a_file_that_was_mended_and_removes_it(bench: Bench, left: Path) -> None:
    code, said = run("spill", "replay", aside(left))
    assert code == 0
    assert "2 batches read (2 stored), 3 lines" in said
    assert "the file is removed" in said
    assert bench.stored() == Counter(a1=1, a2=1, b=1)
    assert list(left.parent.glob("*.spill*")) == []


def test_replay_beside_a_running_worker_and_again_stores_once(bench: Bench) -> None:
    path = spill_away(bench, offer("good"), offer("rotten"))
    flipped(path, b"rotten")
    bench.flusher.step()
    (bad,) = bench.spool.aside()
    assert [run("spill", "replay", bad)[0] for _ in range(2)] == [1, 1]
    assert bench.stored() == Counter(good=1)
    assert bad.exists()


def test_replay_reads_behind_a_damaged_header(bench: Bench, left: Path) -> None:
    flipped(left, b"LBSPILL")
    bad = aside(left)
    code, said = run("spill", "replay", bad)
    assert code == 1
    assert "not a spill file of a version known here" in said
    assert bench.stored() == Counter(a1=1, a2=1, b=1)
    assert bad.exists()


def test_only_discard_deletes_a_damaged_file_and_what_it_held_goes_into_quarantine(bench: Bench) -> None:
    rotten, good = offer("rotten"), offer("good")
    path = spill_away(bench, rotten, good)
    flipped(path, b"rotten")
    bad = aside(path)
    assert run("spill", "replay", bad)[0] == 1
    assert bench.state(rotten) is State.SPILLED
    code, said = run("spill", "replay", bad, "--discard")
    assert code == 0
    assert "1 batch put into quarantine as damaged" in said
    assert not bad.exists()
    assert bench.stored() == Counter(good=1)
    assert bench.state(rotten) is State.QUARANTINED
    ((reason, raw),) = quarantined(bench).values()
    assert (reason, b"sotten" in raw) == ("damaged", True)


def ancient(bench: Bench, days: int) -> Path:
    path = spill_away(bench, offer("a"))
    (batch,) = bench.spool.read(path).batches
    written = time.time_ns() // 1000 - days * DAY_US
    old = path.with_name(f"{spill_file.name(written)}.old")
    old.write_bytes(spill_file.encode([batch], written))
    path.unlink()
    return old


def test_what_is_older_than_the_ledger_is_stored_only_at_a_risk_that_was_accepted(bench: Bench) -> None:
    old = ancient(bench, OLDEST_DAYS + 6)
    code, said = run("spill", "replay", old)
    assert code == 1
    assert "was written 40 days ago. The ledger remembers a batch for 35 days" in said
    assert "would be stored a second time" in said
    assert old.exists()
    assert run("spill", "replay", old, "--accept-duplicates")[0] == 0
    assert bench.stored() == Counter(a=1)


@pytest.mark.parametrize("away", ["BROKER_URL", "DATABASE_URL"])
def test_replay_keeps_the_file_while_a_part_is_away(
    bench: Bench, left: Path, settings: Any, away: str
) -> None:
    bad, before = aside(left), getattr(settings, away)
    setattr(settings, away, NO_BROKER if away == "BROKER_URL" else NOWHERE)
    code, said = run("spill", "replay", bad, "--discard")
    assert (code, bad.exists()) == (2, True)
    assert "nothing is lost, try again" in said
    setattr(settings, away, before)
    assert run("spill", "replay", bad)[0] == 0
    assert bench.stored() == Counter(a1=1, a2=1, b=1)
    assert bench.buffer.depth().spilled == 0


@pytest.fixture
def locked(left: Path) -> Iterator[Path]:
    import fcntl

    bad = aside(left)
    with bad.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield bad


def test_two_replays_of_a_file_do_not_meet(locked: Path) -> None:
    code, said = run("spill", "replay", locked)
    assert (code, "another replay is at it" in said) == (1, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["replay"], "name the files to replay"),
        (["lost"], "name the batches that are lost"),
        (["drain", "something"], "drain takes no names"),
        (["drain", "--discard"], "--discard goes with replay alone"),
        (["lost", "this"], "ids of batches are wanted"),
        (["replay", "/nowhere/1.spill.bad"], "there is no such file"),
    ],
)
def test_words_that_do_not_fit_are_answered(words: list[str], sentence: str) -> None:
    code, said = run("spill", *words)
    assert (code, sentence in said) == (1, True)


def test_a_file_that_was_not_set_aside_is_its_workers(left: Path) -> None:
    code, said = run("spill", "replay", left)
    assert (code, "was not set aside" in said) == (1, True)
    assert left.exists()


# ---- lost ----


def test_what_lay_on_a_volume_that_is_gone_is_noted_and_the_broker_forgets_it(bench: Bench) -> None:
    gone, there = offer("gone"), offer("there")
    spill_away(bench, gone).unlink()
    path = spill_away(bench, there)
    code, said = run("spill", "lost", gone.batch)
    assert (code, said) == (0, "1 batch noted as lost, in quarantine.\n")
    assert bench.state(gone) is State.QUARANTINED
    assert quarantined(bench) == {gone.batch: ("lost", b"")}
    code, said = run("spill", "lost", there.batch)
    assert (code, f"{path} has {there.batch}: it can be stored" in said) == (1, True)


def test_what_is_stored_or_unknown_is_not_noted_as_lost(bench: Bench, broker: redis.Redis) -> None:
    untold = offer("untold")
    path = spill_away(bench, untold)
    copy = path.read_bytes()
    bench.flusher.step()
    path.write_bytes(copy)
    path.unlink()
    broker.hset(b"m:" + untold.batch.bytes, "s", "p")  # as if the worker had died before it told
    assert "stored, and the worker that knew has not told the broker" in run("spill", "lost", untold.batch)[1]
    assert "does not count on a spill file" in run("spill", "lost", uuid.uuid4())[1]
    assert quarantined(bench) == {}
