"""What a search does, told: the numbers are those of what it read, and nothing of another reader's lines."""

import json
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from ingest.record import LogRecord
from tests.reading import DAY, put
from tests.rows import NOW_US, record
from webapp.access.scope import ALL, Scope
from webapp.api import explain as api
from webapp.logs.asking import Ask, Refused
from webapp.logs.explain import Explained, Part, Statement, explain
from webapp.logs.search import search


def lines(count: int, days_ago: int = 0, **more: Any) -> list[LogRecord]:
    return [record(str(at), NOW_US - days_ago * DAY + at, **more) for at in range(count)]


def of(made: Explained, part: Part) -> list[Statement]:
    return [one for one in made.statements if one.part == part]


def test_it_looks_at_what_the_search_looks_at(url: str) -> None:
    put(url, *lines(30))
    put(url, *lines(20, days_ago=3))
    made = explain(Ask(q="7"), ALL)
    assert made.matched == len(search(Ask(q="7"), ALL).logs) == 5
    assert made.scan is not None and made.scan.rows == 50
    assert made.scan.hit + made.scan.read > 0
    assert len({table for one in made.statements for table in one.tables}) == 2
    assert not made.partial


def test_it_stops_where_the_page_is_full_and_then_counts(url: str) -> None:
    put(url, *lines(30))
    put(url, *lines(20, days_ago=3))
    made = explain(Ask(), ALL, limit=10)
    assert (made.matched, sum(one.matched for one in of(made, "lines"))) == (11, 11)
    (counted,) = of(made, "total")
    assert counted.matched == 50 and len(counted.tables) == 2
    assert {table for one in of(made, "lines") for table in one.tables} < set(counted.tables)
    assert of(explain(Ask(), ALL, limit=10, count="none"), "total") == []
    assert of(explain(Ask(), ALL, limit=100), "total") == []  # the page holds them all: nothing to count


def test_segments_outside_the_range_are_skipped(url: str) -> None:
    for days_ago in (0, 2, 4, 6):
        put(url, *lines(5, days_ago))
    made = explain(Ask(start="now-5d", end="now-1d"), ALL)
    assert made.segments is not None
    assert (made.segments.total, made.segments.considered, made.segments.skipped) == (4, 2, 2)
    assert made.scan is not None and made.scan.rows == made.matched == 10
    assert any("2 of 4 segments" in sentence for sentence in made.plan)


def test_the_sql_is_what_ran_and_runs_as_told(plain_url: str) -> None:
    put(plain_url, *lines(30))
    (one, *_) = explain(Ask(q="service:checkout -message:3 start_ms:*", start="now-2d"), ALL).statements
    assert found_by(one, plain_url) == one.matched == 0
    made = explain(Ask(q="service:checkout -message:3 a.b:>0", start="now-2d"), ALL).statements
    one = max(made, key=lambda statement: statement.matched)  # the first slice may end before the lines begin
    assert set(one.parameters) == {name for name in one.parameters if f"%({name})s" in one.sql}
    assert found_by(one, plain_url) == one.matched == 27
    json.dumps(one.parameters)


def found_by(statement: Statement, url: str) -> int:
    with psycopg.connect(url) as conn:
        return len(conn.execute(statement.sql, statement.parameters).fetchall())  # type: ignore[arg-type]


def test_what_is_wanted_is_said_in_words(plain_url: str) -> None:
    q = 'level:>=warn service:(a OR b) -host:web* "disk full" ip:10.0.0.0/8 x:[1 TO 5} y:* z:~"a+" *:dead'
    plan = explain(Ask(q=q, start="now-1h"), Scope(frozenset({3, 4}))).plan
    wanted = [sentence.removeprefix("Wanted: ") for sentence in plan if sentence.startswith("Wanted: ")]
    assert wanted == [
        "severity is warn to fatal (13 to 24).",
        'service is "a" or service is "b".',
        'not: host has the form "web*" (lines without the field too).',
        'message contains "disk full", whatever the case.',
        "attribute ip is an address of 10.0.0.0/8.",
        "attribute x is at least 1 and below 5.",
        "attribute y is there.",
        'some part of attribute z fits the expression "a+".',
        'message, a name, an id or any attribute contains "dead", whatever the case.',
    ]
    assert "Only lines of the 2 sources that you may see." in plan


def test_who_may_not_read_every_source_learns_nothing_of_the_others(plain_url: str) -> None:
    put(plain_url, *lines(10), source=3)
    mine = Scope(frozenset({3}))
    alone = explain(Ask(), mine)
    put(plain_url, *lines(70), source=4)
    beside = explain(Ask(), mine)
    assert (alone.matched, beside.matched) == (10, 10)
    assert (beside.scan, beside.segments) == (None, None)
    assert all(one.scan is None for one in beside.statements)
    unlike = ("Of the lines that were stored by",)
    assert [line for line in alone.plan if not line.startswith(unlike)] == [
        line for line in beside.plan if not line.startswith(unlike)
    ]


def test_when_time_runs_out_the_rest_is_said_to_be_unread(plain_url: str) -> None:
    put(plain_url, *lines(10))
    with psycopg.connect(plain_url) as blocker:
        blocker.execute("LOCK TABLE log IN ACCESS EXCLUSIVE MODE")
        made = explain(Ask(timeout_ms=100), ALL)
    assert made.partial and made.statements == []
    assert "The time ran out: the rest of the range was not read." in made.plan


def test_an_empty_range_reads_nothing(plain_url: str) -> None:
    made = explain(Ask(start="now-1h", end="now-1h"), ALL)
    assert (made.statements, made.matched) == ([], 0)
    assert made.plan == ["The range is empty: nothing is read."]


def test_a_mistake_is_refused_as_the_search_refuses_it(plain_url: str) -> None:
    for ask, more in ((Ask(q="(a"), {}), (Ask(), {"limit": -1}), (Ask(start="then"), {})):
        with pytest.raises(Refused):
            explain(ask, ALL, **more)  # type: ignore[arg-type]


# ---- over HTTP ----


def test_it_is_answered_as_described_and_a_cursor_is_gone_on_from(django_logs_url: str) -> None:
    put(django_logs_url, *lines(30))
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("boss"))
    found = client.get("/api/v1/logs/explain", {"q": "level:info", "limit": 10}).json()
    assert found.keys() == api.Explained().fields.keys()
    assert found["statements"][0].keys() == api.Statement().fields.keys()
    assert found["scan"].keys() == api.Scan().fields.keys()
    assert found["segments"].keys() == api.Segments().fields.keys()
    page = client.get("/api/v1/logs/search", {"limit": 25, "order": "asc"}).json()
    posted = {"limit": 25, "order": "asc", "cursor": page["next"]}
    rest = client.post("/api/v1/logs/explain", posted, format="json").json()
    assert (rest["matched"], rest["as_of"]) == (5, page["as_of"])
