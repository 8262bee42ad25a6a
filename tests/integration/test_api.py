"""The REST API over HTTP: who may ask, what is refused and how, and what an answer holds."""

import uuid
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from ingest.buffer import Buffer, Move, Offer, State
from ingest.record import Reject
from tests.rows import NOW_US, record, unit
from webapp.access.models import Grant, Source, create_token
from webapp.api import serializers
from webapp.logs import snapshot, store
from webapp.logs.store import Unit

SEARCH, HISTOGRAM = "/api/v1/logs/search", "/api/v1/logs/histogram"


@pytest.fixture(autouse=True)
def own_broker(broker: redis.Redis, valkey_url: str, settings: Any) -> None:
    settings.BROKER_URL = valkey_url


@pytest.fixture
def shop(django_logs_url: str) -> Source:
    return Source.objects.create(name="shop")


@pytest.fixture
def bank(django_logs_url: str) -> Source:
    return Source.objects.create(name="bank")


@pytest.fixture
def reader(shop: Source) -> dict[str, str]:
    return bearer(create_token("reader", "read", sources=[shop])[1])


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def put(url: str, *messages: str, source: Source, **more: Any) -> Unit:
    given = unit(*(record(text, NOW_US + at) for at, text in enumerate(messages)), source=source.pk, **more)
    with store.connect(url) as conn:
        store.store(conn, [given])
    return given


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert (document["status"], document["code"]) == (status, code)
    assert document["detail"] and document["title"] and document["type"] == "about:blank"
    assert answer["X-Request-ID"] == document["request_id"]
    return document


# ---- who may ask ----


def test_without_a_token_or_a_session_nothing_is_answered(client: Client, django_logs_url: str) -> None:
    for path in (SEARCH, HISTOGRAM, "/logs/search", "/api/v1/logs/x", f"/api/v1/batches/{uuid.uuid4()}"):
        answer = client.get(path)
        problem(answer, 401, "unauthenticated")
        assert answer["WWW-Authenticate"].startswith("Bearer")


def test_an_ingest_token_reads_no_lines(client: Client, shop: Source) -> None:
    _, value = create_token("till", "ingest", source=shop)
    problem(client.get(SEARCH, headers=bearer(value)), 403, "forbidden")


def test_a_token_reads_the_lines_of_its_sources_only(
    client: Client, shop: Source, bank: Source, reader: dict[str, str], django_logs_url: str
) -> None:
    put(django_logs_url, "ours", source=shop)
    put(django_logs_url, "theirs", source=bank)
    found = client.get(SEARCH, headers=reader).json()
    assert [line["message"] for line in found["logs"]] == ["ours"]
    _, value = create_token("boss", "admin")
    everything = client.get(SEARCH, headers=bearer(value)).json()["logs"]
    hidden = next(line for line in everything if line["message"] == "theirs")
    problem(client.get(f"/api/v1/logs/{hidden['id']}", headers=reader), 404, "not_found")
    assert client.get(f"/api/v1/logs/{hidden['id']}", headers=bearer(value)).json() == hidden


def test_a_person_reads_with_the_browser_s_session(
    client: Client, shop: Source, django_logs_url: str
) -> None:
    put(django_logs_url, "hello", source=shop)
    user = User.objects.create(username="ann")
    client.force_login(user)
    assert client.get(SEARCH).json()["logs"] == []
    Grant.objects.create(user=user, source=shop)
    assert len(client.get(SEARCH).json()["logs"]) == 1


# ---- what an answer holds ----


def test_answers_hold_what_the_description_says(
    client: Client, shop: Source, reader: dict[str, str], django_logs_url: str
) -> None:
    given = put(django_logs_url, "one", "two", source=shop)
    page = client.get(SEARCH, {"limit": 1}, headers=reader).json()
    assert page.keys() == serializers.Page().fields.keys()
    assert page["logs"][0].keys() == serializers.Line().fields.keys()
    assert (page["total"], page["total_relation"], page["partial"]) == (2, "eq", False)
    assert page["logs"][0]["source"] == "shop"
    assert page["logs"][0]["attributes"] == {"a.b": 1, "c": ["x"]}
    counts = client.get(HISTOGRAM, headers=reader).json()
    assert counts.keys() == serializers.Histogram().fields.keys()
    assert counts["series"][0].keys() == serializers.Series().fields.keys()
    receipt = client.get(f"/api/v1/batches/{given.batch}", headers=reader).json()
    assert receipt.keys() == serializers.Receipt().fields.keys()


def test_a_post_takes_the_same_names_and_the_alias_answers_alike(
    client: Client, shop: Source, reader: dict[str, str], django_logs_url: str
) -> None:
    put(django_logs_url, "one", "two", "three", source=shop)
    asked = {"q": "NOT two", "limit": 5, "start": NOW_US, "service": "checkout", "order": "asc"}
    answers = [
        client.get(SEARCH, asked, headers=reader),
        client.get("/logs/search", asked, headers=reader),
        client.post(SEARCH, asked, content_type="application/json", headers=reader),
    ]
    for answer in answers:
        assert [line["message"] for line in answer.json()["logs"]] == ["one", "three"]
    posted = client.post(HISTOGRAM, {"by": "service"}, content_type="application/json", headers=reader)
    assert posted.json()["total"] == 3


def test_fields_select_keys_and_attributes(
    client: Client, shop: Source, reader: dict[str, str], django_logs_url: str
) -> None:
    put(django_logs_url, "one", source=shop)
    for asked in ({"fields": "message,a.b"}, {"fields": ["message", "attributes.a.b"]}):
        found = client.get(SEARCH, asked, headers=reader).json()["logs"]
        assert found == [{"message": "one", "attributes": {"a.b": 1}}]


def test_pages_are_walked_over_http(
    client: Client, shop: Source, reader: dict[str, str], django_logs_url: str
) -> None:
    put(django_logs_url, *"abcdefg", source=shop)
    seen, cursor = "", ""
    while cursor is not None:
        page = client.get(SEARCH, {"limit": 3, "cursor": cursor, "order": "asc"}, headers=reader).json()
        seen += "".join(line["message"] for line in page["logs"])
        cursor = page["next"]
    assert seen == "abcdefg"


# ---- what is refused ----


def test_an_unknown_parameter_is_refused_with_the_nearest_name(
    client: Client, reader: dict[str, str]
) -> None:
    document = problem(client.get(SEARCH, {"servce": "api"}, headers=reader), 400, "unknown_param")
    (error,) = document["errors"]
    assert (error["param"], error["fix"]) == ("servce", "service")
    posted = client.post(SEARCH, {"limmit": 1}, content_type="application/json", headers=reader)
    problem(posted, 400, "unknown_param")


def test_a_query_s_mistake_is_told_with_its_place_and_its_cure(
    client: Client, reader: dict[str, str]
) -> None:
    document = problem(client.get(SEARCH, {"q": " service: api"}, headers=reader), 400, "query_syntax")
    (error,) = document["errors"]
    assert error.keys() == serializers.Complaint().fields.keys()
    assert (error["param"], error["offset"], error["length"]) == ("q", 1, 8)
    assert error["fix"] == " service:api"


def test_a_lower_case_operator_is_warned_about(client: Client, reader: dict[str, str]) -> None:
    (warning,) = client.get(SEARCH, {"q": "foo or bar"}, headers=reader).json()["warnings"]
    assert (warning["param"], warning["offset"], warning["fix"]) == ("q", 4, "foo OR bar")


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"start": "yesterday"}, "bad_time", "start"),
        ({"start": "now", "end": "now-1h"}, "bad_time", "start"),
        ({"tz": "Mars"}, "bad_value", "tz"),
        ({"limit": "10001"}, "bad_value", "limit"),
        ({"limit": "ten"}, "bad_value", "limit"),
        ({"limit": ["1", "2"]}, "bad_value", "limit"),
        ({"order": "up"}, "bad_value", "order"),
        ({"severity": "loud"}, "bad_value", "severity"),
        ({"severity": "error) OR (x"}, "bad_value", "severity"),
        ({"cursor": "nonsense"}, "bad_value", "cursor"),
        ({"as_of": "nonsense"}, "bad_value", "as_of"),
        ({"q": "a\0b"}, "bad_value", "q"),
        ({"q": "x" * 5000}, "query_syntax", "q"),
    ],
)
def test_a_bad_value_is_refused_by_name(
    client: Client, reader: dict[str, str], asked: dict[str, Any], code: str, param: str
) -> None:
    document = problem(client.get(SEARCH, asked, headers=reader), 400, code)
    assert [error["param"] for error in document["errors"]] == [param]


@pytest.mark.parametrize(
    ("asked", "param"),
    [({"step": "5"}, "step"), ({"step": "1ms", "start": "now-1d"}, "step"), ({"by": "message"}, "by"),
     ({"buckets": "0"}, "buckets"), ({"top": "1000"}, "top")],
)  # fmt: skip
def test_a_bad_histogram_is_refused_by_name(
    client: Client, reader: dict[str, str], asked: dict[str, Any], param: str
) -> None:
    document = problem(client.get(HISTOGRAM, asked, headers=reader), 400, "bad_value")
    assert [error["param"] for error in document["errors"]] == [param]


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"', b'{"q": ["a", "b"]}', b'{"service": 5, "q": {}}'])
def test_a_body_that_is_no_object_of_parameters_is_refused(
    client: Client, reader: dict[str, str], body: bytes
) -> None:
    problem(client.post(SEARCH, body, content_type="application/json", headers=reader), 400, "bad_value")


def test_an_old_as_of_is_gone(client: Client, reader: dict[str, str], settings: Any) -> None:
    as_of = client.get(SEARCH, headers=reader).json()["as_of"]
    settings.TOKEN_SECONDS = -1
    problem(client.get(SEARCH, {"as_of": as_of}, headers=reader), 410, "cursor_expired")


def test_what_is_not_there_or_not_done_is_a_problem_too(client: Client, reader: dict[str, str]) -> None:
    problem(client.get("/api/v1/nothing", headers=reader), 404, "not_found")
    problem(client.get("/api/v1/logs/nonsense", headers=reader), 404, "not_found")
    answer = client.delete(SEARCH, headers=reader)
    problem(answer, 405, "wrong_method")
    assert "GET" in answer["Allow"]
    problem(client.post(SEARCH, b"q", content_type="text/plain", headers=reader), 415, "unsupported_media")


def test_a_database_that_is_away_is_503_with_retry_after(
    client: Client, reader: dict[str, str], settings: Any
) -> None:
    settings.DATABASE_READ_URL = away = "postgresql://nobody@127.0.0.1:1/nothing"
    answer = client.get(SEARCH, headers=reader)
    snapshot.pool(away).close()
    problem(answer, 503, "overloaded")
    assert int(answer["Retry-After"]) > 0


# ---- receipts ----


def offer(broker: redis.Redis, source: Source, rows: int = 3) -> Offer:
    made = Offer(uuid.uuid4(), source.pk, "native", rows, {"bad_json": 1}, b"hash", b"payload")
    Buffer(broker).accept(made)
    return made


def test_a_receipt_follows_a_batch_from_the_broker_into_the_ledger(
    client: Client, shop: Source, reader: dict[str, str], django_logs_url: str, broker: redis.Redis
) -> None:
    made = offer(broker, shop)
    path = f"/api/v1/batches/{made.batch}"
    queued = client.get(path, headers=reader).json()
    assert (queued["state"], queued["accepted"], queued["rejected"]) == ("queued", 3, 1)
    assert (queued["stored"], queued["stored_at"], queued["source"]) == (0, None, "shop")
    known = Buffer(broker).known(made.batch)
    assert known is not None
    Buffer(broker).finish([Move(made.batch, known.acceptance, State.SPILLED)])
    assert client.get(path, headers=reader).json()["state"] == "spilled"
    put(django_logs_url, "a", "b", "c", source=shop, batch=made.batch, acceptance=known.acceptance)
    stored = client.get(path, {"wait": "5s"}, headers=reader).json()
    assert (stored["state"], stored["accepted"], stored["stored"]) == ("stored", 3, 3)
    assert stored["stored_at"] is not None


def test_a_receipt_waits_no_longer_than_asked(
    client: Client, shop: Source, reader: dict[str, str], broker: redis.Redis
) -> None:
    made = offer(broker, shop)
    answer = client.get(f"/api/v1/batches/{made.batch}", {"wait": "100ms"}, headers=reader)
    assert answer.json()["state"] == "queued"


def test_a_receipt_counts_what_went_to_quarantine(
    client: Client, shop: Source, reader: dict[str, str], django_logs_url: str
) -> None:
    reject = Reject(2, "bad_value", "it cannot be stored", b"{}")
    mixed = put(django_logs_url, "a", source=shop, rejects=(reject,), quarantined=1)
    receipt = client.get(f"/api/v1/batches/{mixed.batch}", headers=reader).json()
    assert (receipt["state"], receipt["accepted"]) == ("mixed", 2)
    assert (receipt["stored"], receipt["quarantined"]) == (1, 1)
    whole = uuid.uuid4()
    with store.connect(django_logs_url) as conn:
        store.store(conn, [unit(source=shop.pk, batch=whole, rejects=(reject,), quarantined=1)])
    assert client.get(f"/api/v1/batches/{whole}", headers=reader).json()["state"] == "quarantined"


def test_an_ingest_token_reads_its_own_source_s_receipts_only(
    client: Client, shop: Source, bank: Source, django_logs_url: str, broker: redis.Redis
) -> None:
    _, value = create_token("till", "ingest", source=shop)
    own, other = put(django_logs_url, "a", source=shop), put(django_logs_url, "b", source=bank)
    assert client.get(f"/api/v1/batches/{own.batch}", headers=bearer(value)).status_code == 200
    problem(client.get(f"/api/v1/batches/{other.batch}", headers=bearer(value)), 404, "not_found")
    queued = offer(broker, bank)
    problem(client.get(f"/api/v1/batches/{queued.batch}", headers=bearer(value)), 404, "not_found")


def test_a_batch_that_nobody_knows_is_not_found_at_once(client: Client, reader: dict[str, str]) -> None:
    problem(client.get(f"/api/v1/batches/{uuid.uuid4()}", {"wait": "30s"}, headers=reader), 404, "not_found")
    problem(client.get(f"/api/v1/batches/{uuid.uuid4()}", {"wait": "x"}, headers=reader), 400, "bad_value")


# ---- the description ----


def test_the_description_is_made_without_a_warning_and_is_valid() -> None:
    GENERATOR_STATS.reset()
    schema = SchemaGenerator().get_schema(request=None, public=True)
    assert not GENERATOR_STATS
    validate_schema(schema)
    assert schema["openapi"].startswith("3.1")
    names = [call["operationId"] for path in schema["paths"].values() for call in path.values()]
    reads = {"search", "histogram", "facets", "summary", "export", "explain", "fields", "suggest"}
    others = {"line", "context", "receipt", "tail", "stats", "parse", "status", "me", "prefer", "createToken"}
    assert reads | {f"{name}Post" for name in reads} | others <= set(names)


def test_the_description_and_its_pages_are_served(
    client: Client, django_logs_url: str, settings: Any
) -> None:
    # Nothing was collected here: files are named as they are in their packages.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    assert client.get("/api/schema/").status_code == 200
    page = client.get("/api/docs/")
    assert page.status_code == 200
    assert b"drf_spectacular_sidecar" in page.content
