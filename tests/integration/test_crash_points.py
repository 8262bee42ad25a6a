"""A worker that ends at any transition: the next of its name stores everything once, and the books agree.

Each point is met three times in a row; CRASH_ROUNDS=20 in the environment makes it twenty.
"""

import os
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import redis

from ingest.buffer import Offer, State
from ingest.directory import publish
from ingest.envelope import unpack
from ingest.record import LogRecord
from tests.batches import offer
from tests.brokers import let_leases_run_out
from tests.crashing import GONE, PATHS, Place, Point, live, post
from tests.senders import DIRECTORY
from tests.workbench import OWNER, Bench
from workers import pump
from workers.settle import DEATHS
from workers.sift import MOST

NEVER = Point("never", "")
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "3"))

# Of each path: where it is ended, and how many deaths the broker counts after that, over all batches.
POINTS = {
    "storing": {
        "before claim": 0,
        "after claim": 2,
        "before enter_ledger": 2,
        "after enter_ledger": 2,
        "after copy_units": 2,
        "before COMMIT": 2,
        "half COMMIT": 2,
        "after commit": 2,
        "before finish": 2,
        "after finish": 0,
    },
    "bisecting": {
        "after claim": 3,
        "before enter_ledger 2": 3,
        "after commit": 3,
        "after finish": 2,
        "before sift": 2,
        "after sift": 2,
        "half COMMIT 2": 2,
        "after commit 2": 2,
        "after finish 2": 1,
        "before finish 3": 1,
    },
    "quarantining": {
        "before quarantine_batch": 2,
        "after quarantine_batch": 2,
        "after finish": 1,
        "after commit": 1,
    },
    "refusing": {"before quarantine_batch": 2, "after quarantine_batch": 2, "after finish": 1},
    "burying": {
        "after claim": 6,
        "before quarantine_batch": 6,
        "after quarantine_batch": 6,
        "after finish": 5,
    },
    "telling again": {"before finish": 2, "after finish": 0},
    "handing back": {"before release": 2, "after release": 0},
    "stopping": {"before release": 2, "after release": 0},
    "spilling": {
        "before claim": 0,
        "after claim": 2,
        "before write": 2,
        "half write": 2,
        "before fsync": 2,
        "after fsync": 2,
        "before rename": 2,
        "after rename": 2,
        "before sync_directory": 2,
        "after sync_directory": 2,
        "before finish": 2,
        "after finish": 0,
    },
    "flushing": {
        "before read": 0,
        "after read": 0,
        "before enter_ledger": 0,
        "half COMMIT": 0,
        "after commit": 0,
        "after finish": 0,
        "before enter_ledger 2": 0,
        "after commit 2": 0,
        "before finish 2": 0,
        "after finish 2": 0,
        "before unlink": 0,
        "after unlink": 0,
        "before sync_directory": 0,
        "after sync_directory": 0,
    },
    "setting aside": {
        "after finish": 0,
        "before rename": 0,
        "after rename": 0,
        "before sync_directory": 0,
        "after sync_directory": 0,
    },
    "starting": {"before unlink": 2, "after unlink": 2, "before free": 2, "after free": 2},
}
# These go through a file with SPILL_ALWAYS=1 and without.
THROUGH_FILES = ("spilling", "flushing", "setting aside", "starting")
CASES = [
    pytest.param(
        path, words, deaths, id=f"{path} {words}", marks=[pytest.mark.direct] * (path in THROUGH_FILES)
    )
    for path, points in POINTS.items()
    for words, deaths in points.items()
]

# What is accepted, and what must have become of each batch in the end.
Expected = list[tuple[Offer, State]]


def two() -> Expected:
    return [(offer("a", "b"), State.STORED), (offer("c"), State.STORED)]


def twenty() -> Expected:
    return [(offer(f"{n}", f"{n} too"), State.STORED) for n in range(20)]


def one_with_a_line_that_is_refused() -> Expected:
    return [(offer(*lines), State.STORED) for lines in (["before"], ["one", "two\0", "three"], ["after"])]


def one_that_is_no_envelope() -> Expected:
    return [(offer("x", payload=b"not an envelope"), State.QUARANTINED), (offer("c"), State.STORED)]


def one_with_too_many_lines_that_are_refused() -> Expected:
    bad = offer(*(f"{n}\0" for n in range(MOST + 1)))
    return [(bad, State.QUARANTINED), (offer("c"), State.STORED)]


def one_deadly() -> Expected:
    return [(offer("deadly"), State.QUARANTINED)]


def one_that_rots() -> Expected:
    return [(offer("a", "b"), State.STORED), (offer("x", payload=b"ROTTEN" * 20), State.SPILLED)]


OFFERS = {
    "bisecting": one_with_a_line_that_is_refused,
    "quarantining": one_that_is_no_envelope,
    "refusing": one_with_too_many_lines_that_are_refused,
    "burying": one_deadly,
    "flushing": twenty,
    "setting aside": one_that_rots,
}


@pytest.fixture
def place(
    broker: redis.Redis, valkey_url: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Place:
    monkeypatch.setattr(pump, "PACE_SECONDS", 0.0)
    return Place(valkey_url, database_url, tmp_path / "spill")


def test_every_path_has_points() -> None:
    assert set(POINTS) | {"dying of one batch"} == set(PATHS)


@pytest.mark.parametrize(("path", "words", "deaths"), CASES)
def test_killed_there_everything_is_stored_once(
    broker: redis.Redis, place: Place, path: str, words: str, deaths: int
) -> None:
    done: Expected = []
    for _ in range(ROUNDS):
        expected = OFFERS.get(path, two)()
        accept(broker, place, expected)
        assert live(place, path, Point.named(words)) == GONE, "it did not come to the point"
        done += expected
        with closing(Bench(broker, place.database_url, place.directory)) as heir:
            heir.buffer.free(OWNER)
            assert sum(deaths_of(heir, one) for one, _ in expected) == deaths
            recover(heir)
            assert [heir.state(one) for one, _ in expected] == [state for _, state in expected]
            check_lines(heir, done)
            check_books(heir, done)
            check_files(heir, done)


def test_a_batch_that_kills_whoever_flushes_it_is_put_away_and_its_neighbours_are_stored(
    broker: redis.Redis, place: Place
) -> None:
    offers = [offer("before"), offer("deadly"), offer("after")]
    accept(broker, place, [(one, State.STORED) for one in offers])
    lives = [live(place, "dying of one batch", NEVER) for _ in range(DEATHS + 1)]
    assert lives == [GONE] * DEATHS + [0]
    with closing(Bench(broker, place.database_url, place.directory)) as heir:
        assert heir.stored() == Counter(before=1, after=1)
        assert heir.quarantined() == {offers[1].batch: "deadly"}
        assert heir.state(offers[1]) is State.QUARANTINED
        assert [path.name for path in heir.spool.directory.iterdir()] == [".lock"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_ingest_killed_with_no_answer_given_takes_the_repeat_for_the_same_lines(
    broker: redis.Redis, place: Place, moment: str
) -> None:
    publish(broker, DIRECTORY)
    for number in range(ROUNDS):
        assert post(place, f"{number}", Point(moment, "accept")) == (GONE, (0, None))
        lying = broker.zrange("queued", 0, -1)
        assert len(lying) == number + (moment == "after")
        status, (code, answer) = post(place, f"{number}", NEVER)
        assert (status, code, answer["accepted"]) == (0, 202, 1)
        assert answer["duplicate"] == (moment == "after")
        assert UUID(answer["batch"]).bytes in broker.zrange("queued", 0, -1)
    with closing(Bench(broker, place.database_url, place.directory)) as bench:
        recover(bench)
        assert bench.stored() == Counter(hello=ROUNDS)
        assert sum(minute.accepted for minute in bench.buffer.minutes()) == ROUNDS


def accept(broker: redis.Redis, place: Place, expected: Expected) -> None:
    with closing(Bench(broker, place.database_url, place.directory)) as client:
        client.accept(*(one for one, _ in expected))


def deaths_of(bench: Bench, one: Offer) -> int:
    known = bench.buffer.known(one.batch)
    return known.deaths if known else 0


def recover(heir: Bench) -> None:
    let_leases_run_out(heir.buffer.client)  # what was handed back is due after a moment
    while heir.flusher.step() or heir.pump.step().batches:
        pass


def check_lines(heir: Bench, done: Expected) -> None:
    """Every line that can be stored is there once, at its place and unchanged; and no other is."""
    stored = {one.batch: good(one) for one, state in done if state is State.STORED}
    assert found_lines(heir.url) == stored
    with psycopg.connect(heir.url) as conn:
        assert conn.execute("SELECT count(*) FROM log").fetchone() == (sum(map(len, stored.values())),)


def good(one: Offer) -> list[tuple[Any, ...]]:
    return [line(record) for record in unpack(one.payload).records if "\0" not in record.message]


def line(record: LogRecord) -> tuple[Any, ...]:
    return (record.time_us, record.message, record.service, record.host, record.severity)


def found_lines(url: str) -> dict[UUID, list[tuple[Any, ...]]]:
    """By batch, in the order of the positions that the ledger gave it."""
    found: dict[UUID, list[tuple[Any, ...]]] = {}
    with psycopg.connect(url) as conn:
        for batch, *rest in conn.execute(
            "SELECT batch, (extract(epoch FROM time) * 1000000)::int8, message, service, host, severity"
            " FROM log_batch JOIN log ON log.seg = log_batch.seg AND log.source = log_batch.source"
            " AND pos >= first_pos AND pos < first_pos + rows ORDER BY batch, pos"
        ):
            found.setdefault(batch, []).append(tuple(rest))
    return found


def check_books(heir: Bench, done: Expected) -> None:
    """The broker's books and the ledger's say what became of every line, and nothing is in any hand."""
    rows = {state: sum(one.rows for one, to in done if to is state) for state in State}
    check_broker(heir, rows)
    check_ledger(heir, done, rows)


def check_broker(heir: Bench, rows: dict[State, int]) -> None:
    books = heir.buffer.minutes()
    assert sum(minute.accepted for minute in books) == sum(rows.values())
    assert sum(minute.stored for minute in books) == rows[State.STORED]
    assert sum(minute.quarantined for minute in books) == rows[State.QUARANTINED]
    assert sum(minute.spilled for minute in books) == rows[State.SPILLED]
    depth = heir.buffer.depth()
    assert (depth.due, depth.leased, depth.queued_rows) == (0, 0, 0)
    assert depth.spilled_rows == rows[State.SPILLED]
    assert not list(heir.buffer.client.scan_iter("b:*"))


def check_ledger(heir: Bench, done: Expected, rows: dict[State, int]) -> None:
    with psycopg.connect(heir.url) as conn:
        put_away, stored = conn.execute(
            "SELECT coalesce(sum(quarantined), 0), coalesce(sum(rows + quarantined), 0) FROM log_batch"
        ).fetchone() or (0, 0)
    bad = sum(len(unpack(one.payload).records) - len(good(one)) for one, to in done if to is State.STORED)
    assert put_away == rows[State.QUARANTINED] + bad
    assert stored == rows[State.STORED] + rows[State.QUARANTINED]


def check_files(heir: Bench, done: Expected) -> None:
    """Only what rots is kept, under the name that says so."""
    kept = [path.name for path in heir.spool.directory.iterdir() if path.name != ".lock"]
    rotten = sum(state is State.SPILLED for _, state in done)
    assert (len(kept), all(name.endswith(".spill.bad") for name in kept)) == (rotten, True)
    assert heir.spool.holds() == (0, 0)
