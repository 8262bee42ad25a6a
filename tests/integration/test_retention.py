"""Retention: the floor first, the days a token's lifetime later, and what goes is counted."""

import contextlib

import psycopg
import pytest
from django.conf import LazySettings

from tests.rows import NOW_US, record, unit
from webapp.logs import editions, retention, store
from webapp.logs.errors import Busy, CursorExpired
from webapp.logs.snapshot import reading, visible

DAY_US = 86_400_000_000
TODAY = NOW_US // DAY_US


def fill(conn: psycopg.Connection, *ages: int) -> None:
    for age in ages:
        for source in (1, 2, 2):
            store.store(conn, [unit(record(time_us=NOW_US - age * DAY_US), source=source)])


def keep(conn: psycopg.Connection, days: int) -> None:
    conn.execute("UPDATE log_class SET days = %s", [days])


def let_tokens_expire(conn: psycopg.Connection) -> None:
    conn.execute("UPDATE log_class SET raised = raised - interval '2 hours'")


def count(url: str, as_of: str | None = None) -> int:
    with reading(url, as_of=as_of) as reader:
        reader.require(None)
        clause, params = visible(reader.token)
        row = reader.conn.execute(b"SELECT count(*) FROM log WHERE " + clause.as_bytes(), params).fetchone()
        assert row is not None
        return int(row[0])


def expired(conn: psycopg.Connection) -> list[tuple[int, int]]:
    return conn.execute("SELECT source, sum(rows)::int FROM log_expired GROUP BY 1 ORDER BY 1").fetchall()


def test_a_new_floor_hides_at_once_and_drops_later(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn:
        fill(conn, 0, 5, 9)
        keep(conn, 6)  # not 5: midnight may pass since the day was looked up
        let_tokens_expire(conn)
        assert retention.run(conn) == 0
        assert count(any_database_url) == 6
        assert TODAY - 9 in editions.partitions(conn)
        assert retention.run(conn) == 0, "tokens that see the day still live"
        let_tokens_expire(conn)
        assert retention.run(conn) == 1
        assert TODAY - 9 not in editions.partitions(conn)
        assert TODAY - 5 in editions.partitions(conn)
        assert (expired(conn), count(any_database_url)) == ([(1, 1), (2, 2)], 6)


def test_a_token_whose_range_meets_a_newer_floor_has_expired(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn:
        fill(conn, 0, 9)
        with reading(any_database_url) as reader:
            as_of = reader.token.encode()
        assert count(any_database_url, as_of) == 6
        keep(conn, 5)
        retention.run(conn)
        with reading(any_database_url, as_of=as_of) as reader:
            reader.require(NOW_US)
            with pytest.raises(CursorExpired):
                reader.require(NOW_US - 9 * DAY_US)
        let_tokens_expire(conn)
        assert retention.run(conn) == 1
        with pytest.raises(CursorExpired):
            count(any_database_url, as_of)


def test_late_lines_below_the_floor_are_stored_unseen_and_counted_when_they_go(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn:
        fill(conn, 9)
        keep(conn, 5)
        for _ in range(2):
            let_tokens_expire(conn)
            retention.run(conn)
        fill(conn, 9)
        assert count(any_database_url) == 0
        assert retention.run(conn) == 1
        assert expired(conn) == [(1, 2), (2, 4)]


def test_a_reader_of_the_day_makes_retention_wait_for_the_next_time(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn:
        fill(conn, 0, 9)
        keep(conn, 5)
        retention.run(conn)
        let_tokens_expire(conn)
        conn.execute("SET lock_timeout = '100ms'")
        with reading(any_database_url) as reader:
            reader.conn.execute("SELECT count(*) FROM log")
            with pytest.raises(Busy):
                retention.run(conn)
        fill(conn, 0)
        assert retention.run(conn) == 1
        assert (count(any_database_url), expired(conn)) == (6, [(1, 1), (2, 2)])


@pytest.mark.parametrize("killed_at", ["COUNT", "DROP TABLE"])
def test_a_run_killed_half_way_is_finished_by_the_next(
    database_url: str, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    with store.connect(database_url) as conn:
        fill(conn, 0, 9)
        keep(conn, 5)
        retention.run(conn)
        let_tokens_expire(conn)
        conn.execute(
            f"ALTER TABLE log DETACH PARTITION {editions.partition_name(TODAY - 9)} CONCURRENTLY".encode()
        )
        if killed_at == "DROP TABLE":
            with contextlib.suppress(psycopg.Error), conn.transaction():
                retention.drop_partition(conn, TODAY - 9)
                raise psycopg.Error("killed before COMMIT")
        assert retention.run(conn) == 1
        assert expired(conn) == [(1, 1), (2, 2)]


def test_a_detached_day_takes_late_lines_again(database_url: str) -> None:
    with store.connect(database_url) as conn:
        fill(conn, 9)
        conn.execute(
            f"ALTER TABLE log DETACH PARTITION {editions.partition_name(TODAY - 9)} CONCURRENTLY".encode()
        )
        fill(conn, 9)
        assert conn.execute("SELECT count(*) FROM log").fetchone() == (6,)


def test_the_ledger_forgets_after_its_time_and_the_newest_segment_stays(database_url: str) -> None:
    with store.connect(database_url) as conn:
        fill(conn, 9, 0)
        keep(conn, 5)
        retention.run(conn)
        conn.execute("UPDATE log_batch SET committed = committed - interval '36 days'")
        conn.execute("UPDATE log_segment SET committed = committed - interval '36 days'")
        retention.run(conn)
        left = conn.execute(
            "SELECT (SELECT count(*) FROM log_batch), (SELECT count(*) FROM log_segment)"
        ).fetchone()
        assert left == (0, 3), "segments stay as long as their lines"


def test_what_is_dropped_is_what_the_settings_say(database_url: str, settings: LazySettings) -> None:
    settings.TOKEN_SECONDS = 4 * 3600
    with store.connect(database_url) as conn:
        fill(conn, 9)
        keep(conn, 5)
        retention.run(conn)
        let_tokens_expire(conn)
        assert retention.run(conn) == 0
