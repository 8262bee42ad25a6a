"""Lines come in over HTTP: through Django with a real broker, and through the server that production runs."""

import contextlib
import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from backports import zstd
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ingest import stage
from ingest.buffer import Buffer, connect
from ingest.dialects import native
from ingest.directory import Directory, SourceEntry, TokenEntry, digest, make_token, publish
from ingest.envelope import Envelope, unpack
from ingest.limits import Limits
from ingest.normalise import Normaliser
from webapp import roles
from webapp.local import servers

SOURCE, RETRYING = 7, 8
LINE = b'{"message": "hello", "service": "cart"}\n'
TOKENS = {
    make_token("ingest"): TokenEntry(SOURCE, "ingest", "good"),
    make_token("ingest"): TokenEntry(RETRYING, "ingest", "identical is retry"),
    make_token("ingest"): TokenEntry(SOURCE, "ingest", "off", disabled=True),
    make_token("ingest"): TokenEntry(99, "ingest", "source gone"),
    make_token("read"): TokenEntry(0, "read", "reader"),
}
GOOD, RETRIER, OFF, ORPHAN, READER = TOKENS
DIRECTORY = Directory(
    0,
    {digest(token): entry for token, entry in TOKENS.items()},
    {SOURCE: SourceEntry("shop"), RETRYING: SourceEntry("otlp", identical_is_retry=True)},
)


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


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


def metric(text: bytes, name: str) -> float:
    found = [line for line in text.decode().splitlines() if line.startswith(name + " ")]
    return float(found[0].split()[-1]) if found else 0.0


# ---- jsonb takes what normalise lets through ----


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)
numbers = st.from_regex(r"-?(0|[1-9]\d{0,9})(\.\d{1,9})?([eE][+-]?\d{1,6})?", fullmatch=True)
members = trees.map(json.dumps) | numbers
odd_lines = st.lists(members, max_size=5).map(
    lambda values: "{" + ", ".join(f'"{at % 3}": {value}' for at, value in enumerate(values)) + "}"
)


@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(odd_lines | odd_lines.map('{{"attributes": {}}}'.format), min_size=1, max_size=10))
def test_postgresql_takes_whatever_is_accepted(database: psycopg.Connection, lines: list[str]) -> None:
    found = native.decode("\n".join(lines).encode(), native.Form.LINES, Normaliser(Limits(), 10**15, 30))
    texts = [record.attributes.decode() for record in found.records]
    row = database.execute("select count(a::jsonb) from unnest(%s::text[]) a", [texts]).fetchone()
    assert row == (len(texts),)


# ---- the server that production runs ----


@dataclass
class Port:
    port: int
    process: subprocess.Popen[bytes]

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named, encode_chunked=not isinstance(body, bytes | None))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def post(self, body: Any, token: str = GOOD, **headers: str) -> Answer:
        given = {"Authorization": f"Bearer {token}", "Content_Type": "application/x-ndjson"} | headers
        return self.request("POST", "/logs", body, **given)

    def cut(self, *head: str, body: bytes) -> None:
        """Says this much and hangs up."""
        lines = [
            "POST /logs HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {GOOD}",
            "Content-Type: text/plain",
        ]
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall("\r\n".join([*lines, *head, "", ""]).encode() + body)

    def told(self, code: str) -> float:
        return metric(self.request("GET", "/metrics").body, f'logboom_ingest_requests_total{{code="{code}"}}')

    def memory_mib(self) -> float:
        """The most that the serving process ever held."""
        (worker,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        status = Path(f"/proc/{worker}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


@contextlib.contextmanager
def serving(broker_url: str, log: Path) -> Iterator[Port]:
    port = servers.free_port()
    command = roles.command("ingest")
    command[command.index("--port") + 1] = str(port)
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            env=os.environ | {"ROLE": "ingest", "BROKER_URL": broker_url, "BROKER_WAIT_SECONDS": "20"},
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: listens(port), process, log)
        yield Port(port, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def wait_for(true: Any, process: subprocess.Popen[bytes], log: Path) -> None:
    servers.wait_until(true, process, "ingest", log)


@pytest.fixture(scope="module")
def ingest_port(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Port]:
    with serving(valkey_url, tmp_path_factory.mktemp("ingest") / "log") as port:
        yield port


@pytest.fixture
def port(ingest_port: Port, broker: redis.Redis) -> Port:
    publish(broker, DIRECTORY)
    return ingest_port


def test_granian_hands_on_a_chunked_body(port: Port) -> None:
    answer = port.post(iter([LINE, LINE, LINE]), Transfer_Encoding="chunked")
    assert (answer.status, answer.json["accepted"]) == (202, 3)


def test_a_chunked_body_may_have_a_key(port: Port) -> None:
    first = port.post(iter([LINE]), Transfer_Encoding="chunked", Idempotency_Key="k")
    again = port.post(iter([LINE]), Transfer_Encoding="chunked", Idempotency_Key="k")
    assert again.json == first.json | {"duplicate": True}


def test_a_retry_after_a_cut_between_chunks_is_not_a_conflict(port: Port) -> None:
    before = port.told("accepted")
    port.cut("Transfer-Encoding: chunked", "Idempotency-Key: cut", body=b"4\r\none\n\r\n")
    wait_for(lambda: port.told("accepted") == before + 1, port.process, Path(os.devnull))
    answer = port.post(iter([LINE, LINE]), Transfer_Encoding="chunked", Idempotency_Key="cut")
    assert (answer.status, answer.json["duplicate"]) == (202, False)


def test_a_body_cut_short_of_its_announced_length_is_refused(port: Port) -> None:
    before = port.told("bad_body")
    port.cut("Content-Length: 1000", body=LINE)
    wait_for(lambda: port.told("bad_body") == before + 1, port.process, Path(os.devnull))


def test_a_refused_sender_of_much_hears_why(port: Port) -> None:
    too_much = port.post(bytes(20 * 1024 * 1024))
    assert (too_much.status, too_much.json["code"]) == (413, "too_large")
    stranger = port.post(bytes(500_000), token="nobody")
    assert (stranger.status, stranger.json["code"]) == (401, "unauthenticated")


def test_a_bomb_is_refused_in_bounded_memory(port: Port) -> None:
    port.post(LINE)
    before = port.memory_mib()
    bomb = gzip.compress(bytes(1024**3), 1)
    assert port.post(bomb, Content_Encoding="gzip").json["code"] == "too_large"
    # 64 MiB inflated, twice while the buffer grows, and what came over the wire
    assert port.memory_mib() - before < 64 * 2.5


def test_probes_and_metrics_answer_without_a_word_to_the_broker(port: Port, broker: redis.Redis) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert port.request("GET", path).status == 200


def test_ingest_starts_without_its_broker_and_waits_for_it(tmp_path: Path) -> None:
    number = servers.free_port()
    with serving(f"redis://127.0.0.1:{number}/0", tmp_path / "log") as port:
        assert port.request("GET", "/readyz").status == 200
        assert port.post(LINE).status == 503
        with servers.running(servers.valkey(tmp_path / "broker", number, broker=True)) as server:
            publish(connect(server.url), DIRECTORY)
            time.sleep(1.1)  # the directory is asked for once a second
            assert port.post(LINE).status == 202


def test_ingest_refuses_to_start_on_a_cache(tmp_path: Path) -> None:
    log = tmp_path / "log"
    weak = servers.valkey(tmp_path / "cache", servers.free_port(), broker=False)
    with servers.running(weak), pytest.raises(servers.ServerError), serving(weak.url, log):
        pass
    assert "set appendonly yes" in log.read_text()
