"""The ledger's books in tests: a site whose lines are counted, and who counts them."""

from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.core.management import call_command

from ingest.buffer import Offer
from tests.workbench import OWNER, Bench
from webapp.access.models import Source
from webapp.logs import imbalance, ledger, store
from workers.recount import Recount


@pytest.fixture
def booked(
    broker: redis.Redis, valkey_url: str, django_logs_url: str, tmp_path: Path, settings: Any
) -> Iterator[Bench]:
    settings.BROKER_URL = valkey_url
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    for number, name in ((1, "shop"), (8, "demo"), (9, "old")):
        Source.objects.create(pk=number, name=name)
    with closing(Bench(broker, django_logs_url, tmp_path / "spill")) as bench:
        yield bench
    run(bench, "UPDATE log_class SET floor = 'epoch', raised = now()")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every minute is settled: a test does not wait two minutes for one to be."""
    monkeypatch.setattr(ledger, "SETTLE_SECONDS", -61)


def audit() -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("audit", stdout=out, no_color=True)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def look(site: Bench) -> imbalance.Standing:
    with store.connect(site.url) as conn:
        return imbalance.look(conn, site.buffer)


def stored(site: Bench, *offers: Offer) -> None:
    site.accept(*offers)
    assert site.pump.step().outcome == "stored"


def spill(site: Bench, *offers: Offer) -> None:
    site.accept(*offers)
    site.database.close()
    site.connect_to(site.url, spill_always=True)
    assert site.pump.step().outcome == "spilled"
    site.database.close()
    site.connect_to(site.url)
    recount(site)


def recount(site: Bench) -> None:
    """As the worker does every few seconds."""
    Recount(site.buffer.client, site.spool, OWNER).tell()


def run(site: Bench, statement: str) -> int:
    with psycopg.connect(site.url) as conn:
        return conn.execute(statement).rowcount  # type: ignore[arg-type]
