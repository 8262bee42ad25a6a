"""The demo from telling to removal: the offered searches find the story, and `clear` leaves the rest."""

import hashlib
import io
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command
from django.test import Client

from ingest import story_telling
from ingest.client import Answer, Rejected, Sender, Target
from ingest.dialects import native
from ingest.envelope import Envelope, keyed_id
from ingest.limits import Limits
from ingest.normalise import Normaliser
from tests.brokers import offer
from tests.rows import record, unit
from webapp import under_way
from webapp.access.models import Source, Token, create_token
from webapp.access.scope import ALL, Scope
from webapp.logs import demo, store
from webapp.logs.errors import StoreError
from webapp.logs.receipts import buffer
from webapp.logs.search import Ask, search
from webapp.logs.snapshot import reading
from webapp.management.commands import demo as command


class Straight(Sender):
    """From a body to rows, as ingest and worker make them, without the way between."""

    def __init__(self, url: str, source: int) -> None:
        super().__init__(Target("http://nowhere", "token"))
        self.url, self.source = url, source

    def post(self, body: bytes, key: str, content_type: str = "application/x-ndjson") -> Answer:
        now_us = time.time_ns() // 1000
        found = native.decode(body, native.form_of(content_type), Normaliser(Limits(), now_us, 30))
        content = hashlib.sha256(body).digest()
        envelope = Envelope(self.source, "native", now_us, content, found.records, found.rejects)
        batch = keyed_id(self.source, key.encode(), content)
        with store.connect(self.url) as conn:
            store.store(conn, [store.Unit(batch, now_us, envelope)])
        rejected = [Rejected(one.line, one.reason) for one in found.rejects]
        return Answer(str(batch), len(found.records), rejected)


@pytest.fixture(autouse=True)
def own_broker(broker: redis.Redis, valkey_url: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BROKER_URL = valkey_url
    monkeypatch.setattr(command, "NOTICED_SECONDS", 0.0)


@pytest.fixture
def source(django_logs_url: str) -> Source:
    return Source.objects.create(name="demo")


def tell(url: str, source: Source, tmp_path: Path, telling: int = 1) -> None:
    path = story_telling.journal_path(tmp_path, telling)
    story_telling.tell(Straight(url, source.pk), path, telling, lambda body, answer: None)


def clear() -> str:
    out = io.StringIO()
    call_command("demo", "clear", stdout=out)
    return out.getvalue()


def found(wanted: demo.Offer) -> Any:
    return search(Ask(q=wanted.q, start=wanted.start, end=wanted.end), ALL, limit=2000, count="exact")


def test_the_story_is_offered_found_and_removed(
    django_logs_url: str, source: Source, tmp_path: Path, client: Client
) -> None:
    other = Source.objects.create(name="shop")
    _, reader = create_token("reader", "read", all_sources=True)
    token, _ = create_token("demo sender", "ingest", source=source)
    kept, _ = create_token("shop sender", "ingest", source=other)
    with store.connect(django_logs_url) as conn:
        store.store(conn, [unit(record("of the shop"), source=other.pk)])
    assert demo.offers(ALL) == []

    tell(django_logs_url, source, tmp_path)
    errors, new, order = demo.offers(ALL)
    assert {line.service for line in found(errors).logs} >= {"web", "checkout", "payments", "inventory"}
    assert found(new).total > 300
    assert "Caused by" in "".join(line.message for line in found(order).logs)
    shown = client.get("/api/v1/status", headers={"Authorization": f"Bearer {reader}"}).json()["demo"]
    assert [one["title"] for one in shown] == [errors.title, new.title, order.title]
    assert demo.offers(Scope(frozenset({other.pk}))) == [], "not to who may not see it"
    assert demo.offers(Scope(frozenset({source.pk}))) == [errors, new, order]

    with reading() as before:
        as_of = before.token.encode()
    said = clear()
    assert '"demo sender", which sends to source "demo", is switched off' in said
    assert "50,001 lines and 1 entry of the quarantine" in said, "the marker is one"
    assert demo.offers(ALL) == []
    assert [line.message for line in search(Ask(), ALL).logs] == ["of the shop"]
    switched = {one.pk: one.disabled for one in Token.objects.all()}
    assert (switched[token.pk], switched[kept.pk]) == (True, False)
    old = client.get(f"/api/v1/logs/search?as_of={as_of}", headers={"Authorization": f"Bearer {reader}"})
    assert old.status_code == 410
    assert "nothing to remove" in clear()


def test_after_its_removal_the_story_is_another_one(
    django_logs_url: str, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story_telling.story, "bodies", lambda told_ns: [b'{"message": "short"}\n'])
    tell(django_logs_url, source, tmp_path)
    clear()
    assert demo.standing(source.pk).telling == 2
    tell(django_logs_url, source, tmp_path, telling=2)
    assert len(demo.offers(ALL)) == 3
    assert "2 lines" in clear()


def test_a_story_that_has_expired_is_not_offered(
    django_logs_url: str, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story_telling.story, "bodies", lambda told_ns: [])
    tell(django_logs_url, source, tmp_path)
    assert demo.offers(ALL)
    with store.connect(django_logs_url) as conn:
        (before,) = conn.execute("SELECT floor FROM log_class").fetchone() or ()
        conn.execute("UPDATE log_class SET floor = now()")
        assert demo.offers(ALL) == []
        conn.execute("UPDATE log_class SET floor = %s", [before])


def test_what_is_still_under_way_is_named(
    source: Source, django_logs_url: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_way, "PATIENCE_SECONDS", 0.2)
    buffer(settings.BROKER_URL).accept(offer(source=source.pk, rows=3))
    with pytest.raises(CommandError, match="3 lines of it are not stored yet"):
        clear()


def test_without_a_source_there_is_nothing_to_remove(django_logs_url: str) -> None:
    assert "no source" in clear()


def test_the_story_is_told_to_no_other_source(django_logs_url: str, source: Source) -> None:
    _, value = create_token("shop", "ingest", source=Source.objects.create(name="shop"))
    with pytest.raises(CommandError, match='source "demo" only'):
        call_command("demo", url="http://127.0.0.1:1", token=value)


def test_a_busy_database_is_one_sentence(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise StoreError("the database says not now")

    monkeypatch.setattr(command.erase, "erase", busy)
    with pytest.raises(CommandError, match=r"not now\. Run it again\."):
        clear()
