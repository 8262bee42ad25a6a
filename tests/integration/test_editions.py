"""One project, every edition: found once, kept, and Django's own tables on each."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.conf import LazySettings
from django.db import connections

from ingest import buffer
from tests.database import on_server
from tests.rows import NOW_US, record, unit
from webapp.logs import balance, editions, store
from webapp.logs.editions import Edition
from webapp.logs.models import Batch, Minute, Quarantine, Segment
from webapp.settings import database

HOUR = datetime(2026, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def alias(any_database_url: str, django_db_blocker: Any) -> Any:
    """Django's ORM on any kind of server."""
    connections.settings["any"] = {**connections.settings["default"], **database(any_database_url)}
    with django_db_blocker.unblock():
        yield "any"
        connections["any"].close()
    del connections["any"], connections.settings["any"]


def test_the_edition_is_what_the_server_can_do(any_database_url: str, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["any_database_url"]
    wanted = {"apache": Edition.APACHE, "community": Edition.COMMUNITY}.get(kind, Edition.PLAIN)
    with store.connect(any_database_url) as conn:
        assert (editions.detect(conn), editions.kept(conn)) == (wanted, wanted)


def test_an_installation_keeps_its_edition(timescale_url: str) -> None:
    with store.connect(timescale_url) as conn:
        conn.execute("UPDATE log_origin SET edition = 'plain'")
        assert (editions.detect(conn), editions.kept(conn)) == (Edition.APACHE, Edition.PLAIN)


def test_days_are_made_ahead_once(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn:
        assert editions.ensure_ahead(conn) == 5
        editions.forget(conn)
        assert editions.ensure_ahead(conn) == 0
        today = (datetime.now(UTC).date() - editions.EPOCH).days
        assert list(editions.partitions(conn)) == list(range(today - 1, today + 4))


def test_a_day_can_be_made_while_readers_read(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn, store.connect(any_database_url) as reader:
        store.store(conn, [unit(record())])
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM log")
        conn.execute("SET lock_timeout = '500ms'")
        assert editions.ensure(conn, [0]) == 1


def test_a_line_of_a_day_lies_in_its_partition(database_url: str) -> None:
    noon = NOW_US // 86_400_000_000
    with store.connect(database_url) as conn:
        store.store(
            conn, [unit(record("last", noon * 86_400_000_000 - 1), record("first", noon * 86_400_000_000))]
        )
        found = conn.execute("SELECT message, tableoid::regclass::text FROM log ORDER BY time").fetchall()
        assert found == [
            ("last", editions.partition_name(noon - 1)),
            ("first", editions.partition_name(noon)),
        ]


def test_makers_of_one_day_in_many_sessions_make_it_once(any_database_url: str) -> None:
    made: list[int] = []

    def make() -> None:
        with store.connect(any_database_url) as conn:
            make_day = (
                editions.make_partition if editions.kept(conn) is Edition.PLAIN else editions.make_chunk
            )
            made.append(make_day(conn, 20_000))

    threads = [threading.Thread(target=make) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 4 + [True]


def test_the_models_read_the_log_tables(alias: str, any_database_url: str) -> None:
    given = unit(record(), record())
    with store.connect(any_database_url) as conn:
        store.store(conn, [given])
        store.quarantine_batch(conn, unit().batch, 2, 3, "native", NOW_US, "poison", "died", b"raw")
    batch = Batch.objects.using(alias).get(batch=given.batch)
    assert (batch.rows, bytes(batch.content_hash), batch.dialect) == (2, b"hash", "native")
    assert Segment.objects.using(alias).get(seg=batch.seg).rows == 2
    assert bytes(Quarantine.objects.using(alias).get().raw) == b"raw"


def test_a_minute_is_a_hypertable_where_there_are_hypertables(alias: str, any_database_url: str) -> None:
    with psycopg.connect(any_database_url) as conn:
        edition = editions.kept(conn)
        key = conn.execute(
            "SELECT array_agg(attname ORDER BY attnum)::text FROM pg_index"
            " JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)"
            " WHERE indrelid = 'log_minute'::regclass AND indisprimary"
        ).fetchone()
        if edition is Edition.PLAIN:
            assert key == ("{id}",)
            return
        assert key == ("{id,time}",)
        hypertables = "SELECT hypertable_name FROM timescaledb_information.hypertables ORDER BY 1"
        assert conn.execute(hypertables).fetchall() == [("log",), ("log_minute",)]
    for minute in range(4):
        Minute.objects.using(alias).create(time=HOUR + timedelta(minutes=minute), source=1, dialect="native")
    buckets = Minute.timescale.using(alias).time_bucket("time", "2 minutes").values_list("bucket", flat=True)
    assert sorted(set(buckets)) == [HOUR, HOUR + timedelta(minutes=2)]


class Books(buffer.Buffer):
    """Counters as the broker would give them."""

    def __init__(self, lines: list[buffer.Minute]) -> None:
        self.lines, self.asked, self.client = lines, [], self  # type: ignore[assignment]
        self.asked: list[int]

    def time(self) -> tuple[int, int]:
        return (1_000_000, 0)

    def minutes(self, *, since_ms: int = 0) -> list[buffer.Minute]:
        self.asked.append(since_ms)
        return self.lines


def minute(**counts: Any) -> buffer.Minute:
    values = {
        "minute": 29_540_000, "source": 3, "dialect": "native", "refused": {"too_old": 2}, "accepted": 10,
        "stored": 4, "duplicate": 0, "quarantined": 0, "spilled": 6, "repeated": 0, **counts,
    }  # fmt: skip
    return buffer.Minute(**values)


def test_counters_are_copied_as_they_change(any_database_url: str) -> None:
    books = Books([minute()])
    with store.connect(any_database_url) as conn:
        assert balance.copy_minutes(books, conn) == 1
        books.lines = [minute(stored=10, spilled=0, refused={"too_old": 2, "bad_json": 1}), minute(source=4)]
        assert balance.copy_minutes(books, conn) == 2
        rows = conn.execute(
            "SELECT source, received, refused, accepted, stored, spilled FROM log_minute ORDER BY source"
        ).fetchall()
    assert rows == [(3, 13, {"too_old": 2, "bad_json": 1}, 10, 10, 0), (4, 12, {"too_old": 2}, 10, 4, 6)]
    assert books.asked == [0, 1_000_000_000 - balance.OVERLAP_MS]


def test_a_broker_begun_anew_takes_no_count_back(database_url: str) -> None:
    with store.connect(database_url) as conn:
        balance.copy_minutes(Books([minute(accepted=10, stored=10, spilled=0)]), conn)
        balance.copy_minutes(Books([minute(accepted=1, stored=0, spilled=0)]), conn)
        assert conn.execute("SELECT accepted, stored FROM log_minute").fetchall() == [(10, 10)]


@pytest.mark.django_db
def test_djangos_test_database_is_migrated_and_the_settings_name_it(settings: LazySettings) -> None:
    name = connections["default"].settings_dict["NAME"]
    assert on_server(settings.DATABASE_URL, name) == settings.DATABASE_URL
    assert Minute.objects.count() == 0
    assert Batch.objects.count() == 0
