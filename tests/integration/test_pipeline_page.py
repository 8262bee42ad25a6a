"""The admin's first page on real servers: what it shows, to whom, and what it shows when half is away."""

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
import redis
from django.contrib.auth.models import Permission, User
from django.test import Client

from ingest.buffer import Buffer
from ingest.record import Reject
from tests.brokers import offer
from tests.rows import record, unit
from webapp import beat, heartbeat
from webapp.access.models import Grant, Source, create_token
from webapp.heartbeat import MISSED_MS, Heartbeat
from webapp.logs import pipeline, store
from webapp.logs.models import Minute

HOSTILE = b'\x1b]0;x\x07<script>alert(1)</script>\xff\xe2\x80\xae\x00{"a":'
AWAY = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def own_servers(broker: redis.Redis, valkey_url: str, plain_static: None, settings: Any) -> None:
    settings.BROKER_URL = valkey_url


@pytest.fixture
def keep(django_logs_url: str, shop: Source) -> Any:
    def keep(*rejects: Reject, source: int = shop.pk) -> None:
        with store.connect(django_logs_url) as conn:
            store.store(conn, [unit(record(), source=source, rejects=rejects)])

    return keep


def worker(name: str, **other: Any) -> Heartbeat:
    return Heartbeat(kind="worker", name=name, host="box", version="9.9", started_ms=0, **other)


def text_of(browser: Client, address: str = "/admin/") -> str:
    """What a person reads: without tags, spaces as one."""
    response = browser.get(address)
    assert response.status_code == 200
    bare = re.sub(r"<[^>]*>", " ", response.content.decode())
    return re.sub(r"\s+", " ", html.unescape(bare))


# ---- what it shows ----


def test_health_comes_first_with_what_every_part_knows(root: Client, keep: Any, broker: redis.Redis) -> None:
    keep(Reject(2, "bad_json", "It ends too early.", b"{"))
    Buffer(broker).accept(offer(rows=2310))
    heartbeat.tell(broker, worker("worker-0", threads=2, disk_free=2**30, disk_total=2**31))
    heartbeat.tell(broker, Heartbeat("beat", "beat", "box", "9.9", 0))
    text = text_of(root)
    assert "All is well. 2,310 lines wait" in text
    assert re.search(r"worker-0 running \d+ s ago box 9\.9", text)
    assert "1.0 GiB of 2.0 GiB" in text
    assert "Batches due 1" in text
    assert "1 line in 1 transaction" in text
    assert "bad_json 1" in text
    assert re.search(r"Edition (plain|apache|community)", text)
    assert f"{datetime.now(UTC):%Y-%m-%d}" in text
    assert text.index("Queue") < text.index("Recent actions")
    assert 'href="/flower/"' in root.get("/admin/").content.decode()


def test_what_is_wrong_stands_at_the_top_with_its_cure(root: Client, broker: redis.Redis) -> None:
    silent = worker("worker-1", at_ms=heartbeat.now_ms(broker) - MISSED_MS - 1)
    broker.hset(heartbeat.KEY, "worker:worker-1", msgspec.json.encode(silent))
    text = text_of(root)
    assert "worker-1 on box missed its heartbeat" in text
    assert "No worker is running" in text
    assert "Beat is not running" in text
    assert text.index("missed its heartbeat") < text.index("Lines that wait")


def test_a_weak_broker_is_named(root: Client, broker: redis.Redis) -> None:
    broker.config_set("appendfsync", "everysec")
    try:
        assert "set appendfsync always" in text_of(root)
    finally:
        broker.config_set("appendfsync", "always")


def test_it_refreshes_when_asked_to_and_has_no_inline_code(root: Client, keep: Any) -> None:
    keep()
    assert b'http-equiv="refresh"' not in root.get("/admin/").content
    page = root.get("/admin/?refresh=10").content.decode()
    assert '<meta http-equiv="refresh" content="10">' in page
    assert re.search(r"<rect [^>]*><title>\d\d:\d\d UTC: 1 transaction</title>", page)
    health = page[page.index("lb-health") : page.index("content-main")]
    assert not re.search(r"<style|\sstyle=|<script|\son\w+=", health)


# ---- to whom ----


def test_it_is_for_staff(client: Client, shop: Source) -> None:
    client.force_login(User.objects.create_user("reader"))
    assert client.get("/admin/").status_code == 302
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert "Lines that wait" in text_of(client)


# ---- while half is away ----


def test_with_the_broker_away_the_rest_is_still_shown(root: Client, keep: Any, settings: Any) -> None:
    keep()
    settings.BROKER_URL = AWAY
    text = text_of(root)
    assert "The broker is away" in text
    assert text.count("Not to be read now") == 2
    assert "1 line in 1 transaction" in text


def test_with_reads_failing_the_broker_is_still_shown(
    root: Client, broker: redis.Redis, settings: Any
) -> None:
    settings.DATABASE_READ_URL = "postgresql://nobody@127.0.0.1:1/nowhere"
    Buffer(broker).accept(offer(rows=7))
    text = text_of(root)
    assert "The database does not answer as it should" in text
    assert text.count("Not to be read now") == 4
    assert "Lines that wait 7" in text


def test_a_look_that_takes_too_long_spoils_only_its_own_box(
    root: Client, keep: Any, monkeypatch: pytest.MonkeyPatch, django_logs_url: str
) -> None:
    keep()
    monkeypatch.setattr(pipeline, "LOOK_MS", 300)
    with psycopg.connect(django_logs_url) as holder:
        holder.execute("LOCK TABLE quarantine IN ACCESS EXCLUSIVE MODE")
        text = text_of(root)
    assert text.count("Not to be read now") == 1
    assert "statement timeout" in text
    assert "1 line in 1 transaction" in text


# ---- heartbeats ----


def test_a_heartbeat_of_another_version_is_passed_over(broker: redis.Redis) -> None:
    broker.hset(heartbeat.KEY, "worker:new", b'{"kind":"robot"}')
    heartbeat.tell(broker, worker("worker-0"))
    assert [one.beat.name for one in heartbeat.read(broker)] == ["worker-0"]


def test_who_was_silent_for_a_day_is_forgotten_unless_spill_files_wait(broker: redis.Redis) -> None:
    for name, files in (("worker-1", 0), ("worker-2", 3)):
        old = worker(name, at_ms=heartbeat.now_ms(broker) - heartbeat.FORGOTTEN_MS - 1, spill_files=files)
        broker.hset(heartbeat.KEY, f"worker:{name}", msgspec.json.encode(old))
    assert [one.beat.name for one in heartbeat.read(broker)] == ["worker-2"]


def test_beats_ticks_become_heartbeats(broker: redis.Redis) -> None:
    telling = beat.Telling()
    telling.tell(sender="logs.retention")
    (seen,) = heartbeat.read(broker)
    assert (seen.beat.kind, seen.alive) == ("beat", True)
    broker.delete(heartbeat.KEY)
    telling.tell(sender="logs.retention")
    assert heartbeat.read(broker) == []


# ---- sources, batches, quarantine ----


def test_sources_tell_their_use_and_lead_into_the_explorer(root: Client, shop: Source) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for minutes in (1, 2, 60 * 30):
        Minute.objects.create(
            time=now - timedelta(minutes=minutes),
            source=shop.pk,
            dialect="native",
            received=1300,
            accepted=1200,
        )
    create_token("till", "ingest", source=shop)
    listed = root.get("/admin/access/source/").content.decode()
    assert "2,400" in listed
    assert "200" in listed
    assert "/?q=source%3Ashop&amp;start=now-24h&amp;end=now" in listed
    page = text_of(root, f"/admin/access/source/{shop.pk}/change/")
    assert "Lines, 24 h: 2,400" in page


def test_a_source_can_still_be_made_and_changed(root: Client, shop: Source) -> None:
    given = {"name": "till", "description": "", "weight": 2, "retention_days": 7}
    assert root.post("/admin/access/source/add/", given).status_code == 302
    made = Source.objects.get(name="till")
    changed = root.post(f"/admin/access/source/{made.pk}/change/", {**given, "weight": 5})
    assert changed.status_code == 302
    assert Source.objects.get(name="till").weight == 5


def test_a_batch_leads_to_its_lines(root: Client, keep: Any) -> None:
    keep()
    page = html.unescape(root.get("/admin/logs/batch/").content.decode())
    assert re.search(r"/\?q=batch%3A[0-9a-f-]{36}&start=\d{4}-\d\d-\d\dT[0-9%A.]+Z&end=", page)
    (seg,) = re.findall(r"/admin/logs/batch/\?seg=(\d+)", root.get("/admin/logs/segment/").content.decode())
    assert "native" in text_of(root, f"/admin/logs/batch/?seg={seg}")


def test_hostile_bytes_are_shown_harmless_and_given_whole(root: Client, keep: Any) -> None:
    keep(Reject(2, "bad_json", "It ends too early.", HOSTILE))
    listed = root.get("/admin/logs/quarantine/?reason=bad_json").content.decode()
    (number,) = set(re.findall(r"/admin/logs/quarantine/(\d+)/change/", listed))
    page = root.get(f"/admin/logs/quarantine/{number}/change/").content.decode()
    assert "\\u001b]0;x\\u0007&lt;script&gt;alert(1)&lt;/script&gt;\\xff\\u202e\\u0000" in page
    assert "00000000  1b 5d 30 3b 78 07 3c 73 63 72 69 70 74 3e 61 6c  |.]0;x.&lt;script&gt;al|" in page
    for answer in (listed, page):
        assert "<script>alert" not in answer
        assert not set(answer) & set("\x1b\x07\x00\u202e")
    whole = root.get(f"/admin/logs/quarantine/{number}/raw/")
    assert whole.content == HOSTILE
    assert whole.headers["Content-Type"] == "application/octet-stream"
    assert whole.headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in whole.headers["Content-Security-Policy"]


def test_quarantine_is_bounded_in_time_and_selected_by_reason(
    root: Client, keep: Any, django_logs_url: str
) -> None:
    keep(Reject(1, "bad_json", "", b"recent-one"), Reject(2, "too_old", "", b"other-one"))
    keep(Reject(1, "bad_json", "", b"ancient-one"))
    with psycopg.connect(django_logs_url) as conn:
        conn.execute(
            "UPDATE quarantine SET created = now() - interval '3 days' WHERE raw = 'ancient-one'::bytea"
        )
    address = "/admin/logs/quarantine/"
    assert "ancient-one" not in text_of(root, address)
    only = text_of(root, f"{address}?reason=bad_json")
    assert "recent-one" in only
    assert "other-one" not in only
    assert "ancient-one" in text_of(root, f"{address}?since=7d")
    assert root.get(f"{address}?detail__contains=a").status_code == 400
    assert "_facets" not in root.get(address).content.decode()


def test_raw_bytes_are_given_to_none_who_may_not_read_their_source(
    root: Client, keep: Any, shop: Source
) -> None:
    keep(Reject(1, "bad_json", "", b"secret"))
    listed = root.get("/admin/logs/quarantine/").content.decode()
    (number,) = set(re.findall(r"/admin/logs/quarantine/(\d+)/change/", listed))
    clerk = User.objects.create_user("clerk", is_staff=True)
    browser, address = Client(), f"/admin/logs/quarantine/{number}/raw/"
    browser.force_login(clerk)
    Grant.objects.create(user=clerk, source=shop)
    assert browser.get(address).status_code == 404
    clerk.user_permissions.add(Permission.objects.get(codename="view_quarantine"))
    assert browser.get(address).content == b"secret"
    Grant.objects.all().delete()
    assert browser.get(address).status_code == 404


# ---- runbooks ----


def test_what_is_wrong_leads_to_its_runbook_and_the_runbook_is_shown(root: Client) -> None:
    page = root.get("/admin/").content.decode()
    links = set(re.findall(r'href="(/admin/runbooks/[a-z-]+/)"', page))
    assert links == {"/admin/runbooks/worker-stuck/"}  # no worker, no beat
    shown = text_of(root, links.pop())
    assert "Nothing leaves the queue, or a role hangs" in shown
    assert "manage.py queue" in shown


def test_all_runbooks_are_listed_for_staff_and_an_unknown_one_is_not_found(root: Client) -> None:
    assert "The ledger is out of balance" in text_of(root, "/admin/runbooks/")
    assert root.get("/admin/runbooks/nothing/").status_code == 404
    assert Client().get("/admin/runbooks/imbalance/").status_code == 302
