"""store(): a group is one transaction, once, on every kind of server."""

import threading
import uuid
from typing import Any

import psycopg
import pytest

from ingest.record import Reject
from tests.rows import NOW_US, record, unit
from webapp.logs import editions, store
from webapp.logs.errors import Busy, Outage, Poison
from webapp.logs.store import Outcome

DAY_US = 86_400_000_000
LINES = """
SELECT message, (extract(epoch FROM time) * 1e6)::bigint, (extract(epoch FROM observed) * 1e6)::bigint, nanos,
       severity, service, host, trace_id, span_id, source, attributes, flags, pos
FROM log ORDER BY time, nanos, seg, pos
"""


def one(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def messages(conn: psycopg.Connection[Any]) -> list[str]:
    return [message for (message,) in conn.execute("SELECT message FROM log ORDER BY seg, pos")]


def test_what_is_stored_is_what_was_given(any_database_url: str) -> None:
    trace, span = bytes(range(16)), bytes(range(8))
    given = unit(record("grüße\n\t", NOW_US + 1, trace_id=trace, span_id=span, severity=None, flags=4))
    with store.connect(any_database_url) as conn:
        assert store.store(conn, [given]) == [Outcome(given.batch, 1, True)]
        assert conn.execute(LINES).fetchall() == [
            ("grüße\n\t", NOW_US + 1, NOW_US + 5, 7, None, "checkout", "web-1", uuid.UUID(bytes=trace), span,
             3, {"a.b": 1, "c": ["x"]}, 4, 0)
        ]  # fmt: skip


def test_times_on_both_sides_of_every_epoch_survive(database_url: str) -> None:
    times = [-1, 0, 946_684_799_999_999, 946_684_800_000_000, NOW_US]
    with store.connect(database_url) as conn:
        store.store(conn, [unit(*(record(time_us=time) for time in times))])
        assert [row[1] for row in conn.execute(LINES).fetchall()] == times


def test_a_group_is_one_segment_and_each_batch_a_run_of_positions(any_database_url: str) -> None:
    units = [unit(record("a"), record("b")), unit(record("c")), unit(record("d"), record("e"), record("f"))]
    with store.connect(any_database_url) as conn:
        store.store(conn, units)
        assert one(conn, "SELECT count(DISTINCT seg) FROM log") == 1
        for given in units:
            found = conn.execute(
                "SELECT message FROM log JOIN log_batch USING (seg) WHERE batch = %s"
                " AND pos >= first_pos AND pos < first_pos + rows ORDER BY pos",
                [given.batch],
            ).fetchall()
            assert [message for (message,) in found] == [line.message for line in given.envelope.records]
        seg, rows = one(conn, "SELECT seg, rows FROM log_segment")
        assert rows == 6
        assert one(conn, "SELECT DISTINCT seg FROM log_batch") == seg


def test_the_segment_knows_its_times_and_slots(database_url: str) -> None:
    times = [NOW_US, NOW_US + 3 * 600_000_000, NOW_US + 1]
    with store.connect(database_url) as conn:
        store.store(conn, [unit(*(record(time_us=time) for time in times))])
        found = one(
            conn,
            "SELECT (extract(epoch FROM time_min) * 1e6)::bigint,"
            " (extract(epoch FROM time_max) * 1e6)::bigint FROM log_segment",
        )
        slots = conn.execute("SELECT slot FROM log_segment_slot ORDER BY slot").fetchall()
    assert found == (min(times), max(times))
    assert [slot for (slot,) in slots] == [NOW_US // 600_000_000, NOW_US // 600_000_000 + 3]


def test_a_redelivery_counts_as_stored_and_a_repeat_as_duplicate(any_database_url: str) -> None:
    first = unit(record("once"), acceptance=1)
    repeat = unit(record("once"), batch=first.batch, acceptance=2)
    other = unit(record("new"))
    with store.connect(any_database_url) as conn:
        store.store(conn, [first])
        outcomes = store.store(conn, [repeat, other, first])
        assert {(o.batch, o.acceptance, o.stored) for o in outcomes} == {
            (first.batch, 1, True), (first.batch, 2, False), (other.batch, 1, True)
        }  # fmt: skip
        assert messages(conn) == ["once", "new"]


def test_a_batch_given_twice_in_one_group_is_stored_once(database_url: str) -> None:
    first = unit(record("once"), acceptance=1)
    with store.connect(database_url) as conn:
        outcomes = store.store(conn, [first, unit(record("once"), batch=first.batch, acceptance=2)])
        assert sorted((o.acceptance, o.stored) for o in outcomes) == [(1, True), (2, False)]
        assert messages(conn) == ["once"]


def test_two_writers_of_the_same_batches_store_them_once(any_database_url: str) -> None:
    units = [unit(record(f"{n}")) for n in range(40)]
    wrong: list[BaseException] = []

    def write(order: list[Any]) -> None:
        try:
            with store.connect(any_database_url) as conn:
                assert all(outcome.stored for outcome in store.store(conn, order))
        except BaseException as error:
            wrong.append(error)

    threads = [
        threading.Thread(target=write, args=[order]) for order in (units, units[::-1]) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.connect(any_database_url) as conn:
        assert (wrong, len(messages(conn))) == ([], 40)


def test_rejects_go_to_quarantine_with_their_batch_and_only_once(any_database_url: str) -> None:
    rejects = (Reject(2, "bad_json", "a NUL \0 in it", b"{\xff\0"), Reject(3, "too_long", "70 KiB", b"x"))
    given = unit(record(), rejects=rejects, quarantined=1)
    with store.connect(any_database_url) as conn:
        store.store(conn, [given])
        store.store(conn, [given])
        found = conn.execute(
            "SELECT batch, line, reason, detail, raw FROM quarantine ORDER BY line"
        ).fetchall()
        assert found == [
            (given.batch, 2, "bad_json", "a NUL � in it", b"{\xff\0"),
            (given.batch, 3, "too_long", "70 KiB", b"x"),
        ]
        assert one(conn, "SELECT rows, rejected, quarantined FROM log_batch") == (1, 1, 1)


def test_a_batch_of_rejects_alone_is_in_the_ledger(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn:
        assert store.store(conn, [unit(rejects=(Reject(1, "bad_json", "", b"x"),))])[0].stored
        assert one(conn, "SELECT rows, rejected FROM log_batch") == (0, 1)
        assert one(conn, "SELECT rows, time_min FROM log_segment") == (0, None)


@pytest.mark.parametrize(
    "bad",
    [
        {"message": "a\0b"},
        {"message": "half an emoji \ud83d"},
        {"attributes": b'{"a": "\\u0000"}'},
        {"attributes": b"not json"},
        {"trace_id": b"short"},
        {"time_us": 2**63},
        {"time_us": 2**62},
    ],
)
def test_a_row_that_cannot_be_stored_is_poison_and_leaves_nothing(
    database_url: str, bad: dict[str, Any]
) -> None:
    with store.connect(database_url) as conn:
        with pytest.raises(Poison):
            store.store(conn, [unit(record("good")), unit(record(**bad))])
        assert one(conn, "SELECT count(*) FROM log_batch") == 0
        assert store.store(conn, [unit(record("next"))])[0].stored
        assert messages(conn) == ["next"]


def test_days_are_made_before_the_rows_that_need_them(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn:
        store.store(conn, [unit(*(record(time_us=NOW_US - day * DAY_US) for day in range(5)))])
        today = NOW_US // DAY_US
        assert set(range(today - 4, today + 1)) <= set(editions.partitions(conn))
        assert one(conn, "SELECT count(*) FROM log") == 5


def test_a_day_that_was_dropped_behind_our_back_is_made_again(database_url: str) -> None:
    with store.connect(database_url) as conn:
        store.store(conn, [unit(record("old"))])
        conn.execute(f"DROP TABLE {editions.partition_name(NOW_US // DAY_US)}".encode())
        assert store.store(conn, [unit(record("new"))])[0].stored
        assert messages(conn) == ["new"]


def test_many_writers_of_new_days_do_not_deadlock(any_database_url: str) -> None:
    wrong: list[BaseException] = []

    def write() -> None:
        try:
            with store.connect(any_database_url) as conn:
                editions.forget(conn)
                store.store(conn, [unit(*(record(time_us=NOW_US - day * DAY_US) for day in range(8)))])
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.connect(any_database_url) as conn:
        assert (wrong, one(conn, "SELECT count(*) FROM log")) == ([], 48)


def test_a_held_ledger_key_is_busy_not_an_outage(database_url: str) -> None:
    given = unit(record())
    with store.connect(database_url) as holder, store.connect(database_url) as conn:
        store.store(holder, [unit(record())])
        conn.execute("SET lock_timeout = '50ms'")
        holder.execute("BEGIN")
        store.enter_ledger(holder, [given])
        with pytest.raises(Busy):
            store.store(conn, [given])
        holder.execute("ROLLBACK")
        assert store.store(conn, [given])[0].stored


def test_a_server_that_ends_the_session_is_an_outage(database_url: str) -> None:
    with store.connect(database_url) as conn, store.connect(database_url) as killer:
        store.store(conn, [unit(record())])
        killer.execute("SELECT pg_terminate_backend(%s)", [conn.info.backend_pid])
        with pytest.raises(Outage):
            store.store(conn, [unit(record())])


def test_nobody_there_is_an_outage() -> None:
    with pytest.raises(Outage):
        store.connect("postgresql://nobody@127.0.0.1:1/logboom")


def test_a_batch_put_into_quarantine_whole_is_in_the_ledger(any_database_url: str) -> None:
    batch = uuid.uuid4()

    def put(acceptance: int) -> bool:
        return store.quarantine_batch(
            conn, batch, acceptance, 3, "native", NOW_US, "poison", "died", b"\0raw", rows=7
        ).stored

    with store.connect(any_database_url) as conn:
        assert [put(1), put(1), put(2)] == [True, True, False]
        assert one(conn, "SELECT batch, line, reason, raw FROM quarantine") == (
            batch,
            None,
            "poison",
            b"\0raw",
        )
        assert one(conn, "SELECT rows, quarantined FROM log_batch") == (0, 7)
        assert store.store(conn, [unit(record(), batch=batch, acceptance=3)])[0].stored is False
