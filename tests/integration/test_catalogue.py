"""The field catalogue: each segment once, whatever the order of commits, bounded, and gone with its lines."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import LazySettings

from ingest.record import LogRecord
from tests.reading import DAY, put
from tests.rows import NOW_US, record, unit
from webapp.logs import catalogue, editions, erase, retention, store
from webapp.logs.errors import Busy
from webapp.logs.store import Unit

MINUTE = 60_000_000
Conn = psycopg.Connection[Any]


@pytest.fixture
def conn(url: str) -> Iterator[Conn]:
    with store.connect(url) as conn:
        yield conn


def having(*attributes: dict[str, Any], at: int = NOW_US) -> list[LogRecord]:
    return [record("x", at, attributes=json.dumps(one).encode()) for one in attributes]


def counts(conn: Conn) -> dict[str, int]:
    """Lines of each attribute, and of `time` all."""
    return dict(
        conn.execute(
            "SELECT name, sum(lines)::int FROM log_field WHERE NOT builtin OR name = 'time' GROUP BY name"
        ).fetchall()
    )


def counted(conn: Conn) -> int:
    return counts(conn).get("time", 0)


def test_fields_are_counted_by_slot_source_and_type(url: str, conn: Conn) -> None:
    put(url, *having({"a": 1, "b": None}, {"a": "x"}, {"a": [1]}))
    put(url, *having({"a": 2}, at=NOW_US + 10 * MINUTE), source=9)
    assert catalogue.run(conn) == (2, 4, False)
    rows = conn.execute(
        "SELECT source, type, lines, looked, example FROM log_field WHERE name = 'a' ORDER BY slot, type"
    ).fetchall()
    assert rows == [
        (3, "array", 1, 1, "[1]"),
        (3, "number", 1, 1, "1"),
        (3, "string", 1, 1, "x"),
        (9, "number", 1, 1, "2"),
    ]
    assert counts(conn) == {"time": 4, "a": 4}
    present = conn.execute("SELECT DISTINCT name FROM log_field WHERE builtin").fetchall()
    assert {name for (name,) in present} == {"time", "severity", "service", "host", "message"}


def test_each_segment_is_counted_once(url: str, conn: Conn) -> None:
    put(url, *having({"a": 1}))
    assert catalogue.run(conn).rows == 1
    assert catalogue.run(conn).rows == 0
    put(url, *having({"a": 1}), *having({"a": 1}, at=NOW_US - DAY))
    assert catalogue.run(conn).rows == 2
    assert counts(conn) == {"time": 3, "a": 3}


def begin(url: str, *units: Unit) -> tuple[Conn, store.Ledger]:
    """A group all but committed, as a slow worker leaves it for a moment."""
    writer = store.connect(url)
    editions.ensure(writer, store.touched([one.envelope.records for one in units], store.DAY_US))
    writer.execute("BEGIN")
    ledger = store.enter_ledger(writer, list(units))
    store.copy_units(writer, ledger)
    return writer, ledger


def test_a_segment_that_commits_late_is_counted_then(
    url: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "STEP_ROWS", 1)
    put(url, *having({"a": 1}))
    early, first = begin(url, unit(*having({"late": 1})))
    put(url, *having({"a": 1}))
    later, second = begin(url, unit(*having({"late": 1})))
    put(url, *having({"a": 1}))
    assert catalogue.step(conn).more
    assert catalogue.run(conn).rows == 2
    store.close_segment(early, first)
    put(url, *having({"a": 1}))
    steps = [catalogue.step(conn)]
    store.close_segment(later, second)  # below an edge that a step has passed meanwhile
    while steps[-1].more or steps[-1].rows:
        steps.append(catalogue.step(conn))
    assert [one.rows for one in steps] == [1, 1, 1, 0]
    assert counts(conn) == {"time": 6, "a": 4, "late": 2}
    early.close()
    later.close()


def test_a_run_leaves_no_page_that_the_coarse_index_does_not_know(url: str, conn: Conn) -> None:
    put(url, *having(*({"a": number} for number in range(3000))))  # more than it knows from the start
    catalogue.run(conn)
    assert {row[0] for row in conn.execute(catalogue.SUMMARISE)} == {0}


def test_of_two_at_once_one_is_told_busy(url: str, conn: Conn) -> None:
    put(url, *having({"a": 1}))
    with store.connect(url) as other, other.transaction():
        other.execute("SELECT FROM log_catalogue FOR UPDATE")
        with pytest.raises(Busy):
            catalogue.step(conn)
    assert (catalogue.run(conn).rows, counted(conn)) == (1, 1)


def test_a_step_that_fails_counts_nothing(url: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    put(url, *having({"a": 1}))
    with monkeypatch.context() as patched:
        patched.setattr(catalogue, "keep", lambda conn, _: conn.execute("SELECT 1 / 0"))
        with pytest.raises(store.StoreError):
            catalogue.step(conn)
    assert counted(conn) == 0
    assert (catalogue.run(conn).rows, counted(conn)) == (1, 1)


def test_a_large_step_looks_at_a_sample_and_counts_every_line(
    url: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "SAMPLE_LINES", 250)
    put(url, *having(*({"a": number} for number in range(2000))))
    catalogue.run(conn)
    found = conn.execute("SELECT lines, looked FROM log_field WHERE name = 'a'").fetchone()
    assert found is not None
    lines, looked = found
    assert lines == looked * 8 and 150 < looked < 350
    assert counted(conn) == 2000


def test_fields_beyond_the_bound_are_counted_as_left_off(
    url: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "MOST_FIELDS", 2)
    put(url, *having({"a": 1, "b": 1, "c": 1}, {"a": 1, "b": "x"}))
    catalogue.run(conn)
    put(url, *having({"a": 1, "c": 1, "d": 1}))
    catalogue.run(conn)
    left_off = conn.execute("SELECT lines FROM log_field WHERE type = 'left off'").fetchall()
    assert (counts(conn), left_off) == ({"time": 3, "a": 3, "b": 2}, [(3,)])


def test_what_expires_or_is_erased_leaves_the_catalogue(url: str, conn: Conn, settings: LazySettings) -> None:
    put(url, *having({"old": 1}, at=NOW_US - 9 * DAY))
    put(url, *having({"secret": 1}), source=9)
    put(url, *having({"kept": 1}))
    catalogue.run(conn)
    conn.execute("UPDATE log_class SET days = 5")
    retention.run(conn)
    erase.erase(conn, 9)
    assert counts(conn) == {"time": 1, "kept": 1}
