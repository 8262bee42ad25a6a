"""The tail over HTTP: events and NDJSON, places to resume from, what is refused before a stream begins."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from rest_framework.test import APIClient

from tests.rows import record, unit
from webapp.api import tail
from webapp.api.tail import Follower, as_event, as_ndjson
from webapp.logs import arrivals, store
from webapp.logs.asking import Ask, prepared

pytestmark = pytest.mark.django_db
Put = Callable[..., None]


@pytest.fixture
def put(django_logs_url: str, settings: LazySettings) -> Put:
    settings.DATABASE_URL = settings.DATABASE_READ_URL = django_logs_url

    def stored(*messages: str) -> None:
        with store.connect(django_logs_url) as conn:
            store.store(conn, [unit(*map(record, messages))])

    return stored


@pytest.fixture
def reader() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("reader"))
    return client


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that has said what there is, and a status, is at its end."""
    monkeypatch.setattr(tail, "STREAM_SECONDS", 0.2)
    monkeypatch.setattr(tail, "STATUS_SECONDS", 0.0)
    monkeypatch.setattr(tail, "LOOK_SECONDS", 0.01)


def place(reader: APIClient) -> str:
    return str(reader.get("/api/v1/logs/search", {"limit": 0}).json()["as_of"])


def body(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    return asyncio.run(joined(cast(StreamingHttpResponse, answer))).decode()


async def joined(answer: StreamingHttpResponse) -> bytes:
    return b"".join([piece async for piece in cast(AsyncIterator[bytes], answer.streaming_content)])


def events(text: str) -> list[dict[str, str]]:
    blocks = [block for block in text.split("\n\n") if block]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


def messages(found: list[dict[str, str]]) -> list[str]:
    return [json.loads(event["data"])["message"] for event in found if event["event"] == "line"]


def test_lines_come_as_events_and_each_is_a_place_to_resume_from(put: Put, reader: APIClient) -> None:
    start = place(reader)
    put("one", "two\nof two lines")
    found = events(body(reader.get("/api/v1/logs/tail", {"cursor": start})))
    assert messages(found) == ["one", "two\nof two lines"]
    first = found[0]["id"]
    again = events(body(reader.get("/api/v1/logs/tail", {"cursor": first})))
    assert messages(again) == ["two\nof two lines"]


def test_a_browser_resumes_by_its_header_whatever_its_address_says(put: Put, reader: APIClient) -> None:
    start = place(reader)
    put("one")
    last = events(body(reader.get("/api/v1/logs/tail", {"cursor": start})))[-1]["id"]
    put("two")
    answer = reader.get("/api/v1/logs/tail", {"cursor": start}, headers={"Last-Event-ID": last})
    assert messages(events(body(answer))) == ["two"]


def test_status_tells_rate_and_lag(put: Put, reader: APIClient) -> None:
    found = [event for event in events(body(reader.get("/api/v1/logs/tail"))) if event["event"] == "status"]
    assert json.loads(found[0]["data"]) == {"rate": 0.0, "lag_ms": 0}


def test_ndjson_by_accept(put: Put, reader: APIClient) -> None:
    start = place(reader)
    put("one")
    answer = reader.get("/api/v1/logs/tail", {"cursor": start}, headers={"Accept": "application/x-ndjson"})
    found = [json.loads(line) for line in body(answer).splitlines()]
    assert answer["Content-Type"].startswith("application/x-ndjson")
    assert (found[0]["event"], found[0]["data"]["message"]) == ("line", "one")
    assert found[0]["cursor"]


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"q": "(a"}, 400, "query_syntax"),
        ({"since": "1h"}, 400, "unknown_param"),
        ({"cursor": "nonsense"}, 400, "bad_value"),
    ],
)
def test_a_mistake_is_told_before_a_stream_begins(
    put: Put, reader: APIClient, parameters: dict[str, str], status: int, code: str
) -> None:
    answer = reader.get("/api/v1/logs/tail", parameters)
    assert (answer.status_code, json.loads(answer.content)["code"]) == (status, code)


def test_an_expired_cursor_is_gone(put: Put, reader: APIClient, settings: LazySettings) -> None:
    start = place(reader)
    settings.TOKEN_SECONDS = -1
    assert reader.get("/api/v1/logs/tail", {"cursor": start}).status_code == 410


def test_nobody_reads_without_a_right(put: Put) -> None:
    assert APIClient().get("/api/v1/logs/tail").status_code in (401, 403)


def test_there_is_a_bound_on_streams(put: Put, reader: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "MOST_STREAMS", 0)
    answer = reader.get("/api/v1/logs/tail")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


def test_who_fell_behind_for_long_is_told_what_was_left_out(put: Put, reader: APIClient) -> None:
    ask = Ask()
    cursor = arrivals.now(ask, arrivals.Scope(None), prepared(ask))
    put(*(f"line {number}" for number in range(5)))
    follower = Follower(ask, arrivals.Scope(None), prepared(ask), cursor, as_event, caught_up=True)
    (gap,) = events(follower.gap(follower.leap()).decode())
    assert (gap["event"], json.loads(gap["data"])["lines"]) == ("gap", 5)
    assert follower.look().lines == []


def test_only_who_had_caught_up_can_be_too_slow(put: Put) -> None:
    ask = Ask()
    follower = Follower(
        ask,
        arrivals.Scope(None),
        prepared(ask),
        arrivals.now(ask, arrivals.Scope(None), prepared(ask)),
        as_ndjson,
    )
    late = arrivals.Step([], [], follower.cursor, more=True, behind=timedelta(hours=1))
    assert not follower.too_slow(late)
    follower.caught_up = True
    assert follower.too_slow(late)
