"""Exports: each line once and of one set, a marker at the end, nothing left running when nobody listens."""

import asyncio
import csv
import io
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import psycopg
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from rest_framework.test import APIClient

from ingest.record import LogRecord
from tests.reading import DAY, put
from tests.rows import NOW_US, record
from webapp.access.models import Source, create_token
from webapp.access.scope import ALL, Scope
from webapp.api import export as exports
from webapp.api.export import COLUMNS, Csv, Ndjson
from webapp.logs import export as pages
from webapp.logs.asking import Ask
from webapp.logs.errors import OutOfTime, StoreError
from webapp.logs.export import Export
from webapp.logs.lines import Line
from webapp.logs.search import Order, search

PATH = "/api/v1/logs/export"
Put = Callable[..., None]


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE_LINES", 7)


def numbered(count: int) -> list[LogRecord]:
    return [record(str(at), NOW_US + at // 3) for at in range(count)]


def exported(export: Export) -> list[Line]:
    found: list[Line] = []
    while not export.done:
        found += export.page()
    return found


# ---- pages ----


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_an_export_holds_the_search_s_lines_in_order(url: str, short_pages: None, order: Order) -> None:
    put(url, *numbered(30))
    put(url, record("old", NOW_US - 20 * DAY), *numbered(20))
    whole = search(Ask(q="NOT 5"), ALL, limit=1000, order=order).logs
    assert exported(Export(Ask(q="NOT 5"), ALL, order)) == whole
    assert len(whole) > 40


def test_what_is_stored_meanwhile_is_of_another_set(plain_url: str, short_pages: None) -> None:
    put(plain_url, *numbered(20))
    export = Export(Ask(start="now-9d"), ALL, "asc")
    first = export.page()
    put(plain_url, *numbered(20))
    assert len(first + exported(export)) == 20
    assert export.token is not None
    asked = Ask(start="now-9d", as_of=export.token.encode())
    assert exported(Export(asked, ALL, "asc")) == search(asked, ALL, limit=1000, order="asc").logs


def test_a_scope_bounds_an_export(plain_url: str) -> None:
    put(plain_url, record("ours"), source=1)
    put(plain_url, record("theirs"), source=2)
    assert [line.message for line in exported(Export(Ask(), Scope(frozenset({1})), "desc"))] == ["ours"]


def test_a_page_that_takes_too_long_is_taken_up_where_it_ended(
    plain_url: str, settings: LazySettings, short_pages: None
) -> None:
    put(plain_url, *numbered(10), record("old", NOW_US - 3 * DAY))
    settings.QUERY_SECONDS = 0.5
    export = Export(Ask(), ALL, "desc")
    with psycopg.connect(plain_url) as blocker:
        day = blocker.execute("SELECT tableoid::regclass::text FROM log ORDER BY time LIMIT 1").fetchone()
        assert day is not None
        blocker.execute(f"LOCK TABLE {day[0]} IN ACCESS EXCLUSIVE MODE")  # type: ignore[arg-type]
        found = export.page() + export.page()
        assert (len(found), export.done) == (10, False)
    found += exported(export)
    assert [line.message for line in found][-1] == "old" and len(found) == 11


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_an_export_that_comes_no_further_gives_up(
    plain_url: str, settings: LazySettings, order: Order
) -> None:
    put(plain_url, *numbered(3))
    settings.QUERY_SECONDS = 0.1
    export = Export(Ask(), ALL, order)
    with psycopg.connect(plain_url) as blocker:
        blocker.execute("LOCK TABLE log IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(OutOfTime, match="short stretch"):
            exported(export)


def test_an_export_keeps_to_the_time_it_was_given(plain_url: str, short_pages: None) -> None:
    put(plain_url, *numbered(20))
    export = Export(Ask(timeout_ms=60_000), ALL, "desc")
    export.page()
    export.ends = time.monotonic()
    with pytest.raises(OutOfTime):
        export.page()


def test_a_first_page_that_finds_nothing_in_its_time_is_gone_on_with(
    stored: Put, reader: APIClient, django_logs_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(*numbered(3))
    monkeypatch.setattr(exports, "FIRST_MS", 50)
    with psycopg.connect(django_logs_url) as blocker:
        blocker.execute("LOCK TABLE log IN ACCESS EXCLUSIVE MODE")
        answer = reader.get(PATH)
    *lines, last = body(answer).splitlines()
    assert len(lines) == json.loads(last)["_end"]["lines"] == 3


def waiting(watcher: psycopg.Connection[Any]) -> int:
    """How many readers of this database wait for a lock."""
    row = watcher.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'logboom reader' AND wait_event_type = 'Lock'"
    ).fetchone()
    return int(row[0]) if row else 0


# ---- over HTTP ----


@pytest.fixture
def stored(django_logs_url: str, settings: LazySettings) -> Put:
    settings.DATABASE_URL = settings.DATABASE_READ_URL = django_logs_url
    return lambda *records, **more: put(django_logs_url, *records, **more)


@pytest.fixture
def reader(stored: Put) -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("reader"))
    return client


def body(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    return asyncio.run(joined(cast(StreamingHttpResponse, answer)))


async def joined(answer: StreamingHttpResponse) -> bytes:
    return b"".join([piece async for piece in cast(AsyncIterator[bytes], answer.streaming_content)])


def test_ndjson_is_the_lines_of_the_search_and_a_marker(
    stored: Put, reader: APIClient, short_pages: None
) -> None:
    stored(*numbered(30))
    answer = reader.get(PATH, {"q": "NOT 5", "order": "asc"})
    *lines, last = [json.loads(line) for line in body(answer).splitlines()]
    asked = {"q": "NOT 5", "limit": 1000, "order": "asc", "as_of": last["_end"]["as_of"]}
    page = reader.get("/api/v1/logs/search", asked).json()
    assert lines == page["logs"]
    assert last["_end"] == {"lines": len(lines), "complete": True, "as_of": page["as_of"]}
    assert answer["Content-Type"] == "application/x-ndjson; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="logboom-2')
    assert answer["Content-Disposition"].endswith('Z.ndjson"')


def test_csv_has_a_heading_the_lines_and_a_marker(stored: Put, reader: APIClient, short_pages: None) -> None:
    stored(*numbered(10), record('a "b",\r\nc', NOW_US + 99, severity=None, host="", trace_id=bytes(16)))
    answer = reader.post(PATH, {"format": "csv"}, format="json")
    heading, *rows, last = csv.reader(io.StringIO(body(answer).decode(), newline=""))
    assert heading == list(COLUMNS)
    told = dict(zip(heading, rows[0], strict=True))
    assert (told["message"], told["severity"], told["host"]) == ('a "b",\r\nc', "", "")
    assert (told["trace_id"], json.loads(told["attributes"])) == ("0" * 32, {"a.b": 1, "c": ["x"]})
    assert len(rows) == 11 and all(len(row) == len(heading) for row in [*rows, last])
    assert json.loads(last[0])["_end"] | {"as_of": ""} == {"lines": 11, "complete": True, "as_of": ""}
    assert answer["Content-Disposition"].endswith('Z.csv"')


def test_an_export_of_nothing_is_whole(reader: APIClient) -> None:
    (last,) = body(reader.get(PATH)).splitlines()
    assert json.loads(last)["_end"]["lines"] == 0
    assert body(reader.get(PATH, {"end_marker": "0"})) == b""
    assert body(reader.get(PATH, {"end_marker": "0", "format": "csv"})).startswith(b"time,severity,")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_csv_is_a_formula(stored: Put, reader: APIClient, begin: str) -> None:
    stored(record(f"{begin}1+1", service=f"{begin}s", host=f"a{begin}", severity=None))
    text = body(reader.get(PATH, {"format": "csv", "end_marker": "0"})).decode()
    (told,) = csv.DictReader(io.StringIO(text, newline=""))
    assert (told["message"], told["service"], told["host"]) == (f"'{begin}1+1", f"'{begin}s", f"a{begin}")


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"formt": "csv"}, "unknown_param", "formt"),
        ({"format": "parquet"}, "bad_value", "format"),
        ({"order": "up"}, "bad_value", "order"),
        ({"q": "(a"}, "query_syntax", "q"),
        ({"end": "x"}, "bad_time", "end"),
        ({"as_of": "nonsense"}, "bad_value", "as_of"),
    ],
)
def test_a_mistake_is_told_before_a_file_begins(
    reader: APIClient, asked: dict[str, str], code: str, param: str
) -> None:
    answer = reader.get(PATH, asked)
    document = json.loads(answer.content)
    assert (answer.status_code, document["code"]) == (400, code)
    assert [error["param"] for error in document["errors"]] == [param]
    assert answer["Content-Type"] == "application/problem+json"


def test_a_token_exports_the_lines_of_its_sources_only(stored: Put) -> None:
    shop = Source.objects.create(name="shop")
    stored(record("ours"), source=shop.pk)
    stored(record("theirs"), source=shop.pk + 1)
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {create_token('reader', 'read', sources=[shop])[1]}")
    (line,) = body(client.get(PATH, {"end_marker": "0"})).splitlines()
    assert json.loads(line)["message"] == "ours"
    assert APIClient().get(PATH).status_code == 401


def test_an_old_as_of_is_gone(reader: APIClient, settings: LazySettings) -> None:
    as_of = reader.get("/api/v1/logs/search").json()["as_of"]
    settings.TOKEN_SECONDS = -1
    assert reader.get(PATH, {"as_of": as_of}).status_code == 410


def test_there_is_a_bound_on_exports(reader: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MOST_EXPORTS", 0)
    answer = reader.get(PATH)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


# ---- what goes wrong on the way ----


def failing(export: Export, error: Exception) -> list[Line]:
    def page() -> list[Line]:
        raise error

    first = export.page()
    export.page = page  # type: ignore[method-assign]
    return first


async def collected(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


@pytest.mark.parametrize("form", [Ndjson(), Csv()])
def test_a_file_that_is_not_whole_says_so(plain_url: str, short_pages: None, form: Ndjson | Csv) -> None:
    put(plain_url, *numbered(20))
    export = Export(Ask(), ALL, "desc")
    pieces = exports.stream(export, form, failing(export, StoreError("host=secret")), end_marker=True)
    last = asyncio.run(collected(pieces)).decode().splitlines()[-1]
    text = next(csv.reader([last]))[0] if isinstance(form, Csv) else last
    told = json.loads(text)["_end"]
    assert (told["lines"], told["complete"]) == (7, False)
    assert "does not answer" in told["error"] and "secret" not in told["error"]


def test_without_a_marker_a_failure_breaks_the_connection(plain_url: str, short_pages: None) -> None:
    put(plain_url, *numbered(20))
    export = Export(Ask(), ALL, "desc")
    pieces = exports.stream(export, Ndjson(), failing(export, OutOfTime("late")), end_marker=False)
    with pytest.raises(OutOfTime):
        asyncio.run(collected(pieces))


def test_when_the_client_goes_its_sql_ends(plain_url: str, short_pages: None) -> None:
    put(plain_url, *numbered(20))
    export = Export(Ask(), ALL, "desc")
    first = export.page()

    async def gone(watcher: psycopg.Connection[Any]) -> None:
        pieces = exports.stream(export, Ndjson(), first, end_marker=True)
        assert await anext(pieces)
        going = asyncio.ensure_future(anext(pieces))  # type: ignore[arg-type]
        while not waiting(watcher):
            await asyncio.sleep(0.01)
        assert exports.STREAMS.running == 1
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going

    with psycopg.connect(plain_url, autocommit=True) as watcher, psycopg.connect(plain_url) as blocker:
        blocker.execute("LOCK TABLE log IN ACCESS EXCLUSIVE MODE")
        asyncio.run(gone(watcher))
        deadline = time.monotonic() + 5
        while waiting(watcher) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert waiting(watcher) == 0
    assert exports.STREAMS.running == 0
