"""Erasure takes all lines of one source and no other, hides before it deletes, and counts what goes."""

import threading
from typing import Any

import psycopg
import pytest

from ingest.record import Reject
from tests.rows import NOW_US, record, unit
from webapp.logs import catalogue, editions, erase, store
from webapp.logs.erase import Erased
from webapp.logs.errors import Busy, CursorExpired
from webapp.logs.snapshot import between, reading, sql, take_token, visible

DAY_US = 86_400_000_000
DEMO, OTHER = 7, 8
BAD = Reject(line=1, reason="bad_json", detail="cut", raw=b"{")


def fill(conn: psycopg.Connection[Any]) -> None:
    """Two sources in every segment, over three days, with an entry of the quarantine each."""
    for age in range(3):
        at = NOW_US - age * DAY_US
        store.store(
            conn,
            [
                unit(*(record(f"demo {n}", at + n) for n in range(4)), source=DEMO, rejects=(BAD,)),
                unit(*(record(f"other {n}", at + n) for n in range(2)), source=OTHER, rejects=(BAD,)),
            ],
        )


def stored(conn: psycopg.Connection[Any]) -> dict[int, int]:
    return dict(conn.execute("SELECT source, count(*) FROM log GROUP BY 1").fetchall())


def seen(url: str, as_of: str | None = None) -> dict[int, int]:
    with reading(url, as_of=as_of) as reader:
        clause, params = visible(reader.token)
        query = sql.SQL("SELECT source, count(*) FROM log WHERE {} GROUP BY 1").format(clause)
        return dict(reader.conn.execute(query, params).fetchall())


def test_one_source_goes_and_every_other_stays(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn:
        fill(conn)
        assert erase.erase(conn, DEMO) == Erased(lines=12, quarantined=3)
        assert stored(conn) == {OTHER: 6}
        assert conn.execute("SELECT source, count(*) FROM quarantine GROUP BY 1").fetchall() == [(OTHER, 3)]
        assert erase.erase(conn, DEMO) == Erased(0, 0)
        kept = conn.execute("SELECT source, lines, quarantined, finished IS NOT NULL FROM log_erased")
        assert kept.fetchall() == [(DEMO, 12, 3, True)]


def test_what_was_erased_does_not_come_back_when_its_batch_does(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn:
        batch = unit(record(), source=DEMO)
        store.store(conn, [batch])
        erase.erase(conn, DEMO)
        assert [one.stored for one in store.store(conn, [batch])] == [True], "as a redelivery of what was"
        assert stored(conn) == {}


def test_a_source_that_speaks_again_is_erased_again(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn:
        fill(conn)
        erase.erase(conn, DEMO)
        store.store(conn, [unit(record("new"), source=DEMO)])
        assert seen(any_database_url) == {OTHER: 6, DEMO: 1}
        assert erase.erase(conn, DEMO) == Erased(1, 0)


def test_a_token_from_before_is_answered_410_and_one_from_the_middle_agrees_with_the_end(
    any_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    middle: list[str] = []
    delete = erase.delete_slice

    def watched(conn: psycopg.Connection[Any], *rest: Any) -> None:
        with reading(any_database_url) as reader:
            middle.append(reader.token.encode())
        assert seen(any_database_url) == {OTHER: 6}, "no fresh read sees a part of it"
        delete(conn, *rest)

    with store.connect(any_database_url) as conn:
        fill(conn)
        with reading(any_database_url) as reader:
            before = reader.token
        assert seen(any_database_url, before.encode()) == {DEMO: 12, OTHER: 6}
        monkeypatch.setattr(erase, "delete_slice", watched)
        monkeypatch.setattr(erase, "SLICE", erase.SLICE * 8)
        erase.erase(conn, DEMO)
        with pytest.raises(CursorExpired, match="removed"):
            seen(any_database_url, before.encode())
        assert seen(any_database_url, middle[0]) == seen(any_database_url, middle[-1]) == {OTHER: 6}
        with reading(any_database_url) as reader:
            assert between(before, reader.token), "a tail goes on"


def test_a_read_under_way_keeps_what_it_saw(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn:
        fill(conn)
        with reading(any_database_url) as reader:
            clause, params = visible(reader.token)
            query = sql.SQL("SELECT count(*) FROM log WHERE {}").format(clause)
            assert reader.conn.execute(query, params).fetchone() == (18,)
            erase.erase(conn, DEMO)
            assert reader.conn.execute(query, params).fetchone() == (18,)


def test_a_run_killed_half_way_stays_hidden_and_is_finished_by_the_next(
    any_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.connect(any_database_url) as conn:
        fill(conn)
        real, calls = erase.delete_slice, []

        def killed(*args: Any) -> None:
            calls.append(args)
            if len(calls) > 15:
                raise KeyboardInterrupt
            real(*args)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(erase, "hours", lambda conn: reversed(list(hours_of(conn))))
            patch.setattr(erase, "delete_slice", killed)
            erase.erase(conn, DEMO)
        assert 0 < stored(conn)[DEMO] < 12
        assert seen(any_database_url) == {OTHER: 6}
        assert erase.erase(conn, DEMO) == Erased(12, 3)
        assert stored(conn) == {OTHER: 6}


hours_of = erase.hours


def test_a_writer_that_began_before_is_waited_for(any_database_url: str) -> None:
    with store.connect(any_database_url) as slow, store.connect(any_database_url) as conn:
        fill(conn)
        slow.execute("BEGIN")
        ledger = store.enter_ledger(slow, [unit(record("slow"), source=DEMO)])
        done: list[Erased] = []
        eraser = threading.Thread(target=lambda: done.append(erase.erase(conn, DEMO)))
        eraser.start()
        while not conn_has_begun(any_database_url):
            pass
        store.copy_units(slow, ledger)
        store.close_segment(slow, ledger)
        eraser.join(30)
        assert done == [Erased(13, 3)]
        assert stored(conn) == {OTHER: 6}


def conn_has_begun(url: str) -> bool:
    with store.connect(url) as conn:
        return conn.execute("SELECT FROM log_erased").fetchone() is not None


def test_a_writer_that_does_not_end_is_not_waited_for_for_ever(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "OLDER_SECONDS", 0.1)
    with store.connect(database_url) as slow, store.connect(database_url) as conn:
        fill(conn)
        slow.execute("BEGIN")
        store.enter_ledger(slow, [unit(record("slow"), source=DEMO)])
        with pytest.raises(Busy, match="hidden"):
            erase.erase(conn, DEMO)
        assert seen(database_url) == {OTHER: 6}


def test_other_senders_store_while_lines_are_erased(any_database_url: str) -> None:
    stop, sent = threading.Event(), [0]

    def send() -> None:
        with store.connect(any_database_url) as conn:
            while not stop.is_set():
                store.store(conn, [unit(record("beside"), source=OTHER)])
                sent[0] += 1

    with store.connect(any_database_url) as conn:
        fill(conn)
        sender = threading.Thread(target=send)
        sender.start()
        assert erase.erase(conn, DEMO).lines == 12
        stop.set()
        sender.join()
        assert sent[0] > 0
        assert stored(conn) == {OTHER: 6 + sent[0]}


def test_a_step_of_the_catalogue_that_saw_the_lines_cannot_count_them_in_afterwards(
    database_url: str,
) -> None:
    with store.connect(database_url) as slow, store.connect(database_url) as conn:
        fill(conn)
        slow.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        token = take_token(slow)
        erase.erase(conn, DEMO)
        with pytest.raises(psycopg.errors.SerializationFailure):
            catalogue.edge(slow, token, lock=True)


def test_two_erasers_do_not_meet(database_url: str) -> None:
    with store.connect(database_url) as one, store.connect(database_url) as two:
        fill(one)
        with erase.alone(one), pytest.raises(Busy, match="another run"):
            erase.erase(two, DEMO)
        assert erase.erase(two, DEMO).lines == 12


def test_days_without_lines_of_the_source_are_left_as_they_are(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn:
        store.store(conn, [unit(record(), source=OTHER)])
        days = list(editions.partitions(conn))
        assert erase.erase(conn, DEMO) == Erased(0, 0)
        assert list(editions.partitions(conn)) == days
        assert conn.execute("SELECT count(*) FROM log_erased").fetchone() == (0,)
