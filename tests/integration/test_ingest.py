"""Lines come in over HTTP: every answer of the ingest port, through Django with a real broker."""

import gzip
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
from backports import zstd
from django.test import Client

from ingest import stage
from ingest.buffer import Buffer
from ingest.directory import make_token, publish
from ingest.envelope import Envelope, unpack
from tests.senders import DIRECTORY, GOOD, LINE, OFF, ORPHAN, READER, RETRIER, SOURCE, Answer, metric


@dataclass
class Sender:
    broker: redis.Redis
    token: str = GOOD
    client: Client = field(default_factory=Client)

    def post(
        self,
        body: bytes,
        content_type: str = "application/x-ndjson",
        path: str = "/api/v1/logs",
        **headers: str,
    ) -> Answer:
        named = {"Authorization": f"Bearer {self.token}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        response = self.client.post(path, body, content_type=content_type, headers=named)
        return Answer(response.status_code, response.headers, response.content)

    def envelope(self, answer: Answer) -> Envelope:
        payload = self.broker.get(b"b:" + uuid.UUID(answer.json["batch"]).bytes)
        assert isinstance(payload, bytes)
        return unpack(payload)


@pytest.fixture
def sender(broker: redis.Redis, valkey_url: str, settings: Any) -> Iterator[Sender]:
    settings.ROOT_URLCONF, settings.MIDDLEWARE, settings.BROKER_URL = "ingest.urls", [], valkey_url
    settings.PUBLIC_URL = "https://logs.example"
    settings.BROKER_WAIT_SECONDS = 0.0
    publish(broker, DIRECTORY)
    stage.of_settings.cache_clear()
    yield Sender(broker)
    stage.of_settings.cache_clear()


# ---- taking lines in ----


@pytest.mark.parametrize("path", ["/api/v1/logs", "/logs"])
def test_a_posted_line_lies_in_the_broker(sender: Sender, path: str) -> None:
    answer = sender.post(LINE, path=path)
    assert answer.status == 202
    batch = answer.json["batch"]
    assert answer.json == {"batch": batch, "accepted": 1, "rejected": [], "duplicate": False}
    assert answer.headers["Location"] == f"https://logs.example/api/v1/batches/{batch}"
    envelope = sender.envelope(answer)
    assert (envelope.source, envelope.dialect) == (SOURCE, "native")
    assert [(record.message, record.service) for record in envelope.records] == [("hello", "cart")]


ENCODED = {"gzip": gzip.compress, "zstd": zstd.compress, "identity": bytes}


@pytest.mark.parametrize("encoding", ENCODED)
def test_the_hash_is_that_of_the_inflated_body(sender: Sender, encoding: str) -> None:
    plain = sender.envelope(sender.post(LINE))
    packed = sender.envelope(sender.post(ENCODED[encoding](LINE), Content_Encoding=encoding))
    assert packed.content_hash == plain.content_hash


def test_bad_lines_are_answered_and_travel_along(sender: Sender) -> None:
    answer = sender.post(LINE + b"oops\n" + LINE + b'{"time": "never"}')
    assert (answer.status, answer.json["accepted"]) == (202, 2)
    assert [(bad["line"], bad["reason"]) for bad in answer.json["rejected"]] == [
        (2, "bad_json"),
        (4, "bad_time"),
    ]
    assert [reject.raw for reject in sender.envelope(answer).rejects] == [b"oops", b'{"time": "never"}']


def test_without_one_good_line_the_answer_is_400_and_the_lines_are_kept(sender: Sender) -> None:
    answer = sender.post(b"oops\n{}\n")
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert (answer.json["code"], answer.json["accepted"]) == ("nothing_good", 0)
    assert [bad["reason"] for bad in answer.json["rejected"]] == ["bad_json", "empty"]
    assert not sender.envelope(answer).records
    assert len(sender.envelope(answer).rejects) == 2


def test_a_thousand_refused_lines_are_listed_and_all_are_counted(sender: Sender) -> None:
    answer = sender.post(LINE + b"oops\n" * 1500)
    assert (len(answer.json["rejected"]), answer.json["rejected_total"]) == (1000, 1500)
    assert len(sender.envelope(answer).rejects) == 1500


def test_the_broker_counts_refused_lines_by_reason(sender: Sender) -> None:
    sender.post(LINE + b"oops\noops\n{}")
    (minute,) = Buffer(sender.broker).minutes()
    assert (minute.accepted, minute.refused) == (1, {"bad_json": 2, "empty": 1})


# ---- repeats ----


def test_the_same_key_and_content_are_answered_as_the_first_time(sender: Sender) -> None:
    first = sender.post(LINE, Idempotency_Key="k1")
    again = sender.post(gzip.compress(LINE), Idempotency_Key="k1", Content_Encoding="gzip")
    assert again.json == first.json | {"duplicate": True}


def test_the_same_key_with_other_content_is_a_conflict(sender: Sender) -> None:
    sender.post(LINE, Idempotency_Key="k1")
    answer = sender.post(LINE + LINE, Idempotency_Key="k1")
    assert (answer.status, answer.json["code"]) == (409, "key_conflict")


def test_without_a_key_equal_bodies_are_two_batches(sender: Sender) -> None:
    assert sender.post(LINE).json["batch"] != sender.post(LINE).json["batch"]


def test_a_source_may_say_that_an_identical_body_is_a_retry(sender: Sender) -> None:
    sender.token = RETRIER
    first, again, other = sender.post(LINE), sender.post(LINE), sender.post(LINE + LINE)
    assert again.json == first.json | {"duplicate": True}
    assert other.json["duplicate"] is False


@pytest.mark.parametrize("key, status", [("", 400), ("k" * 255, 202), ("k" * 256, 400), ("é", 202)])
def test_a_key_has_1_to_255_bytes(sender: Sender, key: str, status: int) -> None:
    assert sender.post(LINE, Idempotency_Key=key).status == status


# ---- refusals ----

STRANGERS = {
    "no token": ("", 401),
    "another scheme": (f"Basic {GOOD}", 401),
    "nonsense": ("Bearer nonsense", 401),
    "a cut token": (f"Bearer {GOOD[:-1]}", 401),
    "an unknown token": (f"Bearer {make_token('ingest')}", 401),
    "a disabled token": (f"Bearer {OFF}", 403),
    "a token without a source": (f"Bearer {ORPHAN}", 403),
    "a token to read": (f"Bearer {READER}", 403),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_are_refused(sender: Sender, name: str) -> None:
    authorization, status = STRANGERS[name]
    answer = sender.post(LINE, Authorization=authorization)
    assert answer.status == status
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


REFUSED: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "an empty body": (b"", {}, 400, "bad_body"),
    "blank lines": (b"\n\n", {}, 400, "bad_body"),
    "not what its encoding says": (LINE, {"Content_Encoding": "gzip"}, 400, "bad_body"),
    "an unknown encoding": (LINE, {"Content_Encoding": "br"}, 415, "unsupported_media"),
    "an unknown type": (LINE, {"content_type": "image/png"}, 415, "unsupported_media"),
    "too many lines": (b"\n" * 50_001, {}, 413, "too_large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_as_a_whole_is_refused(sender: Sender, name: str) -> None:
    body, headers, status, code = REFUSED[name]
    answer = sender.post(body, **headers)
    assert (answer.status, answer.json["code"], answer.json["status"]) == (status, code, status)
    assert not sender.broker.keys("b:*")


def test_another_method_is_told_which_one_is_answered(sender: Sender) -> None:
    response = sender.client.get("/api/v1/logs")
    assert (response.status_code, response["Allow"]) == (405, "POST")


def test_another_path_is_a_problem_too(sender: Sender) -> None:
    response = sender.client.get("/api/v1/search")
    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")


def test_a_full_broker_says_when_to_come_back(sender: Sender) -> None:
    used = sender.broker.info("memory")["used_memory"]
    before = sender.broker.config_get("maxmemory")["maxmemory"]
    sender.broker.config_set("maxmemory", int(used * 1.2))
    try:
        answer = sender.post(LINE)
    finally:
        sender.broker.config_set("maxmemory", before)
    assert (answer.status, answer.json["code"]) == (503, "overloaded")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_without_a_directory_a_good_token_is_not_called_unknown(sender: Sender) -> None:
    sender.broker.flushall()
    answer = sender.post(LINE)
    assert (answer.status, answer.json["code"]) == (503, "no_directory")
    assert "Retry-After" in answer.headers


def test_a_broker_that_could_lose_lines_gets_none(sender: Sender) -> None:
    sender.broker.config_set("appendfsync", "everysec")
    try:
        answer = sender.post(LINE)
    finally:
        sender.broker.config_set("appendfsync", "always")
    assert answer.status == 503
    assert "set appendfsync always" in answer.json["detail"]
    assert not sender.broker.keys("b:*")


def test_the_request_id_comes_back(sender: Sender) -> None:
    answer = sender.post(b"", X_Request_ID="abc-1")
    assert (answer.json["request_id"], answer.headers["X-Request-ID"]) == ("abc-1", "abc-1")


def test_refusals_are_counted(sender: Sender) -> None:
    before = metric(sender.client.get("/metrics").content, 'logboom_ingest_requests_total{code="bad_body"}')
    sender.post(b"")
    after = metric(sender.client.get("/metrics").content, 'logboom_ingest_requests_total{code="bad_body"}')
    assert after == before + 1
