"""Lines that were refused: a whole site that takes them in, and whoever asks for them."""

import json
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client

from ingest import accept, stage
from ingest.buffer import Buffer, Minute
from ingest.directory import Directory, SourceEntry, TokenEntry, digest, make_token, publish
from tests.workbench import Bench
from webapp.access.models import Source

LIST = "/api/v1/quarantine"
AGAIN = "/api/v1/quarantine/replay"
GOOD = b'{"message": "good"}'
BAD = b'{"message": "bad", "time": "never"}'
HOSTILE = b'\x1b[31m<script>\xff\xe2\x80\xae\x00{"time":'


class Site:
    """Ingest, one worker turned by hand, and the API, on one broker and one database."""

    def __init__(self, broker: redis.Redis, url: str, directory: Path, shop: Source) -> None:
        self.broker, self.url, self.shop = broker, url, shop
        self.bench = Bench(broker, url, directory)
        self.token = make_token("ingest")
        entry = TokenEntry(shop.pk, "ingest", "till")
        publish(broker, Directory(0, {digest(self.token): entry}, {shop.pk: SourceEntry("shop")}))

    def send(self, body: bytes, kind: str = "application/x-ndjson") -> Any:
        sent = accept.Sent(f"Bearer {self.token}", kind, "", None, len(body), BytesIO(body))
        return accept.accept(stage.of_settings(), sent)

    def work(self) -> None:
        while self.bench.buffer.depth().due:
            self.bench.pump.step()

    def refuse(self, *lines: bytes) -> list[int]:
        """Sent and put into quarantine; the ids, in the order of the lines."""
        self.send(b"\n".join(lines))
        self.work()
        return self.ids()[-len(lines) :]

    def rows(self, statement: str, *given: Any) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as conn:
            return conn.execute(statement, given).fetchall()  # type: ignore[arg-type]

    def ids(self) -> list[int]:
        return [number for (number,) in self.rows("SELECT id FROM quarantine ORDER BY id")]

    def books(self) -> list[Minute]:
        return Buffer(self.broker).minutes()


@pytest.fixture
def site(
    broker: redis.Redis,
    valkey_url: str,
    django_logs_url: str,
    shop: Source,
    tmp_path: Path,
    plain_static: None,
    settings: Any,
) -> Iterator[Site]:
    settings.BROKER_URL = valkey_url
    stage.of_settings.cache_clear()
    site = Site(broker, django_logs_url, tmp_path / "spill", shop)
    with closing(site.bench):
        yield site
    stage.of_settings.cache_clear()


@pytest.fixture
def boss(client: Client, site: Site) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def post(client: Client, body: Any, **more: Any) -> Any:
    return client.post(AGAIN, json.dumps(body), content_type="application/json", **more)
