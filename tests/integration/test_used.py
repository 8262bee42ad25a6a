"""When a token last sent: noted in the broker by ingest, moved to the table by beat's task."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.test import Client

from ingest import directory, stage, usage
from ingest.broker import connect
from webapp.access import publish, used
from webapp.access.models import Source, Token, create_token
from webapp.local import servers

pytestmark = pytest.mark.django_db
MINUTE = 29_000_000
AT = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=MINUTE)


@pytest.fixture
def till(broker: redis.Redis, valkey_url: str, settings: Any) -> tuple[Token, str]:
    settings.BROKER_URL = valkey_url
    return create_token("till", "ingest", source=Source.objects.create(name="shop"))


def test_a_sender_is_seen_within_the_minute(till: tuple[Token, str], settings: Any) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = "ingest.urls", []
    publish.publish()
    stage.of_settings.cache_clear()
    token, value = till
    headers = {"authorization": f"Bearer {value}"}
    Client().post("/logs", b'{"message": "hi"}', content_type="application/json", headers=headers)
    stage.of_settings.cache_clear()
    assert used.move() == 1
    seen = Token.objects.get(pk=token.pk).last_used
    assert seen is not None
    assert abs(seen - datetime.now(UTC)) < timedelta(minutes=2)
    assert used.move() == 0


def test_a_minute_is_written_once_by_a_process(broker: redis.Redis) -> None:
    now = [MINUTE * 60.0]
    noting = usage.Usage(broker, clock=lambda: now[0])
    noting.note("ab")
    broker.delete(usage.USED)
    now[0] += 59
    noting.note("ab")
    assert not broker.exists(usage.USED)
    now[0] += 1
    noting.note("ab")
    assert usage.read(broker) == {"ab": MINUTE + 1}


def test_a_broker_that_is_away_is_no_reason_to_refuse(caplog: pytest.LogCaptureFixture) -> None:
    with connect(f"redis://127.0.0.1:{servers.free_port()}/0") as away:
        usage.Usage(away).note("ab")
    assert "was not noted" in caplog.text


def test_a_later_use_is_not_taken_back_and_a_deleted_token_is_forgotten(
    till: tuple[Token, str], broker: redis.Redis
) -> None:
    token, value = till
    broker.hset(usage.USED, mapping={directory.digest(value): MINUTE, "gone": MINUTE})
    Token.objects.filter(pk=token.pk).update(last_used=AT + timedelta(hours=1))
    assert used.move() == 0
    assert Token.objects.get(pk=token.pk).last_used == AT + timedelta(hours=1)
    assert usage.read(broker) == {directory.digest(value): MINUTE}
