"""What the admin says is wrong, and what it says to do."""

import datetime
from dataclasses import replace
from typing import Any

import pytest

from ingest.buffer import Depth
from webapp.heartbeat import MISSED_MS, Heartbeat, Seen, natural
from webapp.pipeline.chart import HEIGHT, LEAST, columns
from webapp.pipeline.saying import age, size
from webapp.pipeline.verdict import LATE_MS, Broker, findings

DEPTH = Depth(
    due=0, leased=0, queued_rows=0, spilled=0, spilled_rows=0, oldest_ms=0, drain_rate=0.0, by_source={},
    memory_used=10, memory_max=100,
)  # fmt: skip


def worker(age_ms: int = 1000, **other: Any) -> Seen:
    given = {"name": "worker-0", "disk_free": 50, "disk_total": 100, **other}
    return Seen(Heartbeat(kind="worker", host="box", version="1", started_ms=0, **given), age_ms)


def beat(age_ms: int = 1000) -> Seen:
    return Seen(Heartbeat(kind="beat", name="beat", host="box", version="1", started_ms=0), age_ms)


WELL = Broker(DEPTH, "", [beat(), worker()], full_share=0.75)


def said(broker: Broker | None = WELL, broker_problem: str = "", database_problem: str = "") -> list[str]:
    return [one.sentence for one in findings(broker, broker_problem, database_problem)]


def test_when_all_is_well_it_says_so_and_nothing_else() -> None:
    (only,) = findings(WELL, "", "")
    assert (only.gravity, only.sentence) == ("good", "All is well. Nothing waits.")


@pytest.mark.parametrize(
    ("broker", "sentence"),
    [
        (replace(WELL, weakness="The broker has appendfsync no"), "The broker has appendfsync no"),
        (replace(WELL, depth=replace(DEPTH, memory_used=75)), "full (75 bytes of 100 bytes)"),
        (
            replace(WELL, depth=replace(DEPTH, due=2, queued_rows=2310, oldest_ms=LATE_MS * 3 + 1)),
            "2,310 lines wait, the oldest for 3 min.",
        ),
        (replace(WELL, depth=replace(DEPTH, spilled=3, spilled_rows=40)), "hold 40 lines of 3 batches"),
        (replace(WELL, seen=[beat()]), "No worker is running."),
        (replace(WELL, seen=[beat(), worker(MISSED_MS + 1)]), "on box missed its heartbeat: last seen 30 s"),
        (replace(WELL, seen=[beat(), worker(hangs=True)]), "worker-0 hangs"),
        (replace(WELL, seen=[beat(), worker(database="refused")]), "takes the database for away: refused."),
        (replace(WELL, seen=[beat(), worker(full="no room")]), "does not write, says worker-0: no room."),
        (replace(WELL, seen=[beat(), worker(volume="gone")]), "worker-0 cannot read its spill files: gone."),
        (replace(WELL, seen=[beat(), worker(spill_aside=1)]), "set 1 spill file aside"),
        (replace(WELL, seen=[beat(), worker(disk_free=9)]), "has 9 bytes left"),
        (replace(WELL, seen=[worker()]), "Beat is not running."),
        (replace(WELL, seen=[beat(3_600_000), worker()]), "Beat is not running since 1 h 0 min."),
    ],
)  # fmt: skip
def test_each_trouble_is_named_with_a_cure(broker: Broker, sentence: str) -> None:
    found = [one for one in findings(broker, "", "") if sentence in one.sentence]
    assert found
    assert all(one.cure for one in found)
    assert all(one.gravity != "good" for one in findings(broker, "", ""))


def test_a_worker_that_stopped_in_order_is_no_trouble_unless_it_left_something() -> None:
    other = worker(name="worker-1", age_ms=3_600_000, stopped=True)
    assert said(replace(WELL, seen=[beat(), worker(), other])) == ["All is well. Nothing waits."]
    left = worker(name="worker-1", age_ms=3_600_000, stopped=True, spill_files=2)
    assert said(replace(WELL, seen=[beat(), worker(), left])) == [
        "worker-1 is not running and left 2 spill files behind."
    ]


def test_a_broker_and_a_database_that_are_away_are_both_told() -> None:
    assert said(None, "refused", "timeout") == [
        "The database does not answer as it should: timeout.",
        "The broker is away: refused.",
    ]


def test_what_is_bad_comes_first() -> None:
    late = replace(DEPTH, due=1, queued_rows=1, oldest_ms=LATE_MS + 1)
    gravities = [one.gravity for one in findings(replace(WELL, depth=late, seen=[worker()]), "", "")]
    assert gravities == ["bad", "warn"]


def test_ordinals_are_numbers() -> None:
    names = ["worker-10", "worker-2", "beat"]
    assert sorted(names, key=natural) == ["beat", "worker-2", "worker-10"]


@pytest.mark.parametrize(
    ("ms", "text"),
    [(900, "0 s"), (59_999, "59 s"), (60_000, "1 min"), (3_660_000, "1 h 1 min"), (172_800_000, "2 days")],
)
def test_ages_are_said_in_one_unit_or_two(ms: int, text: str) -> None:
    assert age(ms) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (10 * 1024**2, "10 MiB"),
        (2**70, "1048576 PiB"),
    ],
)
def test_sizes_are_said_in_powers_of_1024(count: int, text: str) -> None:
    assert size(count) == text


def test_one_among_many_stays_visible_and_none_is_not_drawn() -> None:
    at = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    tall, short, none = columns([(at, 1_000_000), (at, 1), (at, 0)])
    assert (tall.height, short.height, none.height) == (HEIGHT, LEAST, 0)
    assert tall.y == 0
