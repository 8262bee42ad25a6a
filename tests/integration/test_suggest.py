"""Why a search found nothing: the nearest values and names, and the newest match."""

import json
from typing import Any

import pytest

from ingest.record import LogRecord
from tests.reading import DAY, put
from tests.rows import NOW_US, record
from webapp.access.scope import ALL, NOTHING, Scope
from webapp.logs import catalogue, store, times
from webapp.logs import suggest as suggesting
from webapp.logs.asking import Ask
from webapp.logs.search import search
from webapp.logs.suggest import Suggestion, suggest


def services(*names: str, at: int = NOW_US) -> list[LogRecord]:
    return [record(name, at + place, service=name) for place, name in enumerate(names)]


def having(*attributes: dict[str, Any]) -> list[LogRecord]:
    return [record("x", attributes=json.dumps(one).encode()) for one in attributes]


def asked(q: str, scope: Scope = ALL, **more: Any) -> Suggestion:
    return suggest(Ask(q=q, **more), scope)


def offered(made: Suggestion) -> list[tuple[str, int]]:
    for fix in made.fixes:
        assert search(Ask(q=fix.q), ALL, limit=0, count="exact").total == fix.lines, "what it says it finds"
    return [(fix.q, fix.lines) for fix in made.fixes]


def test_a_mistyped_value_is_offered_as_it_is(url: str) -> None:
    put(url, *services("api", "api", "app", "worker"))
    made = asked("service:apii")
    assert offered(made) == [("service:api", 2), ("service:app", 1)]
    assert made.fixes[0].message == 'service is never "apii" here; "api" is there.'
    assert (made.fixes[0].lines_relation, made.partial) == ("eq", False)


@pytest.mark.parametrize(
    ("q", "better"),
    [
        ("service:API", "service:api"),
        ('service:"API" x', 'service:"api" x'),
        ("service:(API, x)", "service:(api, x)"),
        ("(service:API OR service:x) -host:none", "(service:api OR service:x) -host:none"),
        ("host:WEB-1", "host:web-1"),
        ("kind:red", "kind:Red"),
        ('kind:"two wordz"', 'kind:"two words"'),
        ("kind:twowords", 'kind:"two words"'),
        ("code:20O", "code:200"),
    ],
)
def test_a_value_is_mended_where_it_stands(plain_url: str, q: str, better: str) -> None:
    put(plain_url, *(record("x", service="api") for _ in range(2)))
    put(plain_url, *having({"kind": "Red", "code": 200}, {"kind": "two words"}))
    assert better in [q for q, _ in offered(asked(q))]


def test_only_what_the_rest_of_the_query_leaves_is_offered(url: str) -> None:
    put(url, record("boom", service="api"), record("boom", service="app"), record("calm", service="app"))
    assert offered(asked("calm service:appi")) == [("calm service:app", 1)]
    assert offered(asked("service:app")) == [], "what is there needs no other"
    assert offered(asked("service:entirely-different")) == []
    assert offered(asked("-service:appi")) == [] and offered(asked("service:app*x")) == []


def test_two_mistakes_are_mended_together(url: str) -> None:
    put(url, record("x", service="api", host="web-1"), record("x", service="auth", host="db-1"))
    assert offered(asked("service:apii host:wbe-1")) == [("service:api host:web-1", 1)]


def test_a_mistyped_name_of_a_field_is_offered(url: str) -> None:
    put(url, *having({"status_code": 200}))
    with store.connect(url) as conn:
        conn.execute("UPDATE log_class SET floor = 'epoch'")
        catalogue.run(conn)
    assert offered(asked("statuscode:200")) == [("status_code:200", 1)]
    assert offered(asked("servce:checkout")) == [("service:checkout", 1)]


def test_the_newest_match_is_found_at_any_time(url: str) -> None:
    put(url, *services("api", at=NOW_US - 9 * DAY), *services("api", at=NOW_US - 8 * DAY), *services("web"))
    start = times.rfc3339((NOW_US - DAY) * 1000)
    for made in (asked("service:api", start=start), asked("service:api time:>now-2d")):
        assert made.newest is not None and made.newest.service == "api"
        assert made.newest.time.startswith(times.rfc3339((NOW_US - 8 * DAY) * 1000)[:19])
    assert asked("service:none", start=start).newest is None


def test_nothing_is_offered_from_what_a_reader_may_not_see(url: str) -> None:
    put(url, *services("api"), source=9)
    put(url, *having({"secret": 1}), source=9)
    with store.connect(url) as conn:
        catalogue.run(conn)
    for scope in (NOTHING, Scope(frozenset({3}))):
        for q in ("service:apii", "secre:1", "service:api"):
            made = asked(q, scope)
            assert (made.newest, made.fixes) == (None, [])


def test_when_the_time_runs_out_the_answer_says_so(plain_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(plain_url, *services("api"))
    monkeypatch.setattr(suggesting, "MOST_MS", 1)
    monkeypatch.setattr(suggesting.Finder, "values", lambda self, *_: self.answer.rows and ({}, "gte"))
    monkeypatch.setattr("webapp.logs.asking.Clock.left_ms", lambda _: 0)
    made = asked("service:api")
    assert (made.partial, made.newest) == (True, None)
