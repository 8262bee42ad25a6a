"""What stood around a line: neighbours in order, each side with a cursor, no line twice and none left out."""

from typing import Any

import psycopg
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from ingest.record import LogRecord
from tests.reading import DAY, put
from tests.rows import NOW_US, record
from webapp.access.scope import ALL, Scope
from webapp.api import serializers
from webapp.logs.asking import Ask, Refused
from webapp.logs.context import Around, Context, context
from webapp.logs.errors import CursorExpired
from webapp.logs.lines import Line
from webapp.logs.search import search


def named(message: str) -> str:
    (line,) = search(Ask(q=f'message:~"^{message}$"'), ALL).logs
    return line.id


def messages(lines: list[Line]) -> list[str]:
    return [line.message for line in lines]


def around(line_id: str, scope: Scope = ALL, **more: Any) -> Context:
    found = context(line_id, scope, **more)
    assert found is not None
    return found


def numbered(*numbers: int, **more: Any) -> list[LogRecord]:
    return [record(str(number), NOW_US + number // 3, **more) for number in numbers]


def test_neighbours_stand_on_both_sides_in_order_of_time(url: str) -> None:
    put(url, *numbered(*range(9)))
    put(url, record("old", NOW_US - 20 * DAY))
    whole = messages(search(Ask(), ALL, order="asc").logs)
    for at, message in enumerate(whole):
        found = around(named(message), before=2, after=3)
        assert found.line.message == message
        assert messages(found.before) == whole[max(at - 2, 0) : at]
        assert messages(found.after) == whole[at + 1 : at + 4]
        assert (found.prev is None, found.next is None) == (at <= 2, at + 4 >= len(whole))
        assert (found.partial, found.covered) == (False, None)


def test_cursors_lead_away_from_the_line_over_each_line_once(url: str) -> None:
    for group in range(3):
        put(url, *numbered(*range(group, 60, 3)))
    page = search(Ask(), ALL, limit=1000, order="asc")
    middle = page.logs[31].id
    first = around(middle, before=4, after=4, as_of=page.as_of)
    put(url, *numbered(*range(60)))  # what is stored meanwhile is of another set
    before, after = first.before, first.after
    prev, next = first.prev, first.next
    while prev:
        more = around(middle, before=7, after=7, cursor=prev)
        assert (more.after, more.next, more.as_of) == ([], None, page.as_of)
        before, prev = more.before + before, more.prev
    while next:
        more = around(middle, before=7, after=7, cursor=next)
        assert (more.before, more.prev) == ([], None)
        after, next = after + more.after, more.next
    assert [*before, first.line, *after] == page.logs


@pytest.mark.parametrize(
    ("scope", "expected"),
    [("all", "abcdefg"), ("host", "adf"), ("service", "abd"), ("source", "abcdef")],
)
def test_neighbours_are_of_the_line_s_own(plain_url: str, scope: Around, expected: str) -> None:
    kinds = [
        ("a", "h", "s"),
        ("b", "", "s"),
        ("c", "i", "t"),
        ("d", "h", "s"),
        ("e", "i", ""),
        ("f", "h", "t"),
    ]
    put(plain_url, *(record(name, NOW_US + at, host=host, service=service)
                     for at, (name, host, service) in enumerate(kinds)))  # fmt: skip
    put(plain_url, record("g", NOW_US + 9, host="x", service="x"), source=4)
    found = around(named("d"), around=scope)
    assert "".join(messages([*found.before, found.line, *found.after])) == expected


def test_a_line_without_a_host_stands_among_those_without_one(plain_url: str) -> None:
    hosts = [("a", ""), ("b", "h"), ("c", ""), ("d", "")]
    put(plain_url, *(record(name, NOW_US + at, host=host) for at, (name, host) in enumerate(hosts)))
    found = around(named("c"))
    assert (messages(found.before), messages(found.after)) == (["a"], ["d"])


def test_a_side_not_asked_for_still_says_how_to_go_there(plain_url: str) -> None:
    put(plain_url, *(record(name, NOW_US + at) for at, name in enumerate("abc")))
    found = around(named("b"), before=0, after=0)
    assert (found.before, found.after) == ([], [])
    assert messages(around(found.line.id, cursor=found.prev).before) == ["a"]
    assert messages(around(found.line.id, cursor=found.next).after) == ["c"]


def test_a_scope_bounds_the_line_and_its_neighbours(plain_url: str) -> None:
    put(plain_url, record("ours", NOW_US), record("ours too", NOW_US + 2), source=1)
    put(plain_url, record("theirs", NOW_US + 1), source=2)
    mine = Scope(frozenset({1}))
    assert context(named("theirs"), mine) is None
    assert messages(around(named("ours"), mine, around="all").after) == ["ours too"]
    assert messages(around(named("ours"), around="all").after) == ["theirs", "ours too"]


def test_what_is_no_line_has_no_context(plain_url: str) -> None:
    put(plain_url, record("a"))
    assert context("nonsense", ALL) is None
    before = search(Ask(), ALL).as_of
    put(plain_url, record("later"))
    assert context(named("later"), ALL, as_of=before) is None


def test_a_cursor_is_of_one_line_and_one_scope(plain_url: str, settings: LazySettings) -> None:
    put(plain_url, *(record(str(at), NOW_US + at) for at in range(5)))
    found = around(named("2"), before=1, after=1)
    for line_id, scope in ((named("3"), "host"), (found.line.id, "all")):
        with pytest.raises(Refused, match="another query"):
            context(line_id, ALL, around=scope, cursor=found.next or "")  # type: ignore[arg-type]
    with pytest.raises(Refused):
        context(found.line.id, ALL, before=1001)
    settings.TOKEN_SECONDS = -1
    with pytest.raises(CursorExpired):
        context(found.line.id, ALL, cursor=found.next or "")


def test_when_time_runs_out_the_cursor_goes_on(plain_url: str) -> None:
    put(plain_url, record("new", NOW_US), record("old", NOW_US - 3 * DAY))
    line_id = named("new")
    with psycopg.connect(plain_url) as blocker:
        day = blocker.execute("SELECT tableoid::regclass::text FROM log ORDER BY time LIMIT 1").fetchone()
        assert day is not None
        blocker.execute(f"LOCK TABLE {day[0]} IN ACCESS EXCLUSIVE MODE")  # type: ignore[arg-type]
        found = around(line_id, timeout_ms=1000)
    assert (found.partial, found.before, found.next) == (True, [], None)
    assert found.covered is not None and found.covered["start"] is not None
    assert found.covered["end"] is None
    rest = around(line_id, cursor=found.prev or "")
    assert (messages(rest.before), rest.partial) == (["old"], False)


# ---- over HTTP ----


@pytest.fixture
def reader(django_logs_url: str, settings: LazySettings) -> APIClient:
    settings.DATABASE_URL = settings.DATABASE_READ_URL = django_logs_url
    put(django_logs_url, *(record(str(at), NOW_US + at) for at in range(5)))
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("reader"))
    return client


def test_the_api_answers_as_it_is_described(reader: APIClient) -> None:
    path = f"/api/v1/logs/{named('2')}/context"
    made = reader.get(path, {"before": 1, "after": 1, "scope": "all"}).json()
    assert made.keys() == serializers.Context().fields.keys()
    assert [line["message"] for line in made["before"] + [made["line"]] + made["after"]] == ["1", "2", "3"]
    more = reader.get(path, {"cursor": made["next"], "scope": "all"}).json()
    assert [line["message"] for line in more["after"]] == ["4"]


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"befor": "1"}, 400, "unknown_param"),
        ({"before": "1001"}, 400, "bad_value"),
        ({"scope": "pod"}, 400, "bad_value"),
        ({"cursor": "nonsense"}, 400, "bad_value"),
        ({"as_of": "nonsense"}, 400, "bad_value"),
    ],
)
def test_the_api_refuses_by_name(reader: APIClient, asked: dict[str, str], status: int, code: str) -> None:
    answer = reader.get(f"/api/v1/logs/{named('2')}/context", asked)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["errors"][0]["param"] == next(iter(asked))


def test_a_line_that_is_not_there_is_a_problem(reader: APIClient) -> None:
    answer = reader.get("/api/v1/logs/nonsense/context")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert APIClient().get(f"/api/v1/logs/{named('2')}/context").status_code == 401
