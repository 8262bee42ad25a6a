"""On real servers the ledger balances whatever became of the lines, and finds what is done behind it."""

import html
import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.core.management import CommandError
from django.test import Client

from ingest import waiting
from ingest.buffer import Buffer, Move, State
from ingest.envelope import Envelope, pack
from tests.batches import offer, record
from tests.books import audit, look, run, spill, stored
from tests.workbench import Bench
from webapp.access.models import Grant
from webapp.logs import balance, erase, imbalance, ledger, presence, retention, store

DAY_US = 86_400_000_000


@pytest.fixture
def site(booked: Bench) -> Bench:
    return booked


def every_kind(site: Bench) -> None:
    """3 stored, 2 of them sent again, 2 refused, 4 put away, 1 expired, 2 erased, 2 spilled, 1 queued."""
    first = replace(offer("a", "b"), rejects={"bad_json": 2})
    stored(site, first, offer("c"), offer("d", "e", source=8))
    site.buffer.client.delete(b"m:" + first.batch.bytes)  # as a minute after its end
    site.accept(replace(first, rejects={}))
    site.pump.step()
    assert site.state(first) is State.DUPLICATE
    stored(site, replace(offer(payload=b"no envelope"), rows=4))
    expire(site)
    with store.connect(site.url) as conn:
        assert erase.erase(conn, 8).lines == 2
    spill(site, offer("f", "g"))
    site.accept(offer("h"))


def expire(site: Bench) -> None:
    old = record("old", time_us=time.time_ns() // 1000 - 40 * DAY_US)
    envelope = Envelope(9, "native", time.time_ns() // 1000, b"\0" * 32, [old], [])
    stored(site, replace(offer("old", source=9), payload=pack(envelope)))
    with store.connect(site.url) as conn:
        retention.run(conn)
        conn.execute("UPDATE log_class SET raised = now() - interval '1 day'")
        assert retention.run(conn) >= 1


# ---- it balances ----


def test_every_kind_of_line_is_accounted_for(site: Bench, at_once: None, client: Client) -> None:
    every_kind(site)
    code, printed = audit()
    assert (code, "Everything is accounted for." in printed) == (0, True), printed
    assert re.search(r"^shop +native +14 +2 +12 +3 +2 +4 +1 +2 +0 +0 +0$", printed, re.M), printed
    assert re.search(r"^old +1 +0 +1 +0 +0$", printed, re.M), printed
    assert re.search(r"^demo +2 +0 +0 +2 +0$", printed, re.M), printed
    assert (look(site).lines, imbalance.told()) == (0, 0)

    client.force_login(User.objects.create_superuser("root"))
    answer = client.get("/api/v1/ledger").json()
    (shop,) = [line for line in answer["lines"] if line["key"] == "shop"]
    assert shop == {
        "key": "shop", "received": 14, "refused": {"bad_json": 2}, "accepted": 12, "stored": 3,
        "duplicate": 2, "quarantined": 4, "queued": 1, "spilled": 2, "moving": 0, "unknown": 0,
        "difference": 0, "unheld": 0,
    }  # fmt: skip
    assert answer["total"]["accepted"] == 15
    assert answer["gone"] == {"demo": {"expired": 0, "erased": 2}, "old": {"expired": 1, "erased": 0}}
    assert answer["differences"] == []


def test_it_balances_when_all_that_waited_is_stored(site: Bench, at_once: None) -> None:
    every_kind(site)
    while site.flusher.step() or site.pump.step().outcome == "stored":
        pass
    code, printed = audit()
    assert code == 0, printed
    assert re.search(r"^shop +native +14 +2 +12 +6 +2 +4 +0 +0 +0 +0 +0$", printed, re.M), printed
    assert site.buffer.client.zcard("spilled") == 0


def test_a_batch_whose_worker_died_before_it_told_is_counted_once(site: Bench, at_once: None) -> None:
    site.accept(offer("a", "b"))
    finish, site.buffer.finish = site.buffer.finish, lambda moves: 0  # type: ignore[method-assign]
    site.pump.step()
    site.buffer.finish = finish  # type: ignore[method-assign]
    assert site.buffer.depth().queued_rows == 2
    assert audit()[0] == 0


def test_batches_forgotten_after_35_days_still_count(site: Bench, at_once: None) -> None:
    stored(site, offer("a", "b"))
    run(site, "UPDATE log_batch SET committed = now() - interval '36 days'")
    with store.connect(site.url) as conn:
        retention.run(conn)
        assert conn.execute("SELECT count(*) FROM log_batch").fetchone() == (0,)
    code, printed = audit()
    assert re.search(r"^shop +2 +2 +0 +0 +0$", printed, re.M), printed
    assert code == 1, "its minute is of today, and nothing of it is in the table"


# ---- negative controls ----


def test_a_line_deleted_behind_its_back_is_found(site: Bench, at_once: None, client: Client) -> None:
    every_kind(site)
    assert look(site).lines == 0
    assert run(site, "DELETE FROM log WHERE message = 'a'") == 1
    code, printed = audit()
    assert (code, "shop: of what was stored, 1 missing." in printed) == (1, True), printed
    assert look(site).lines == 1
    assert imbalance.told() == 1

    client.force_login(User.objects.create_superuser("root"))
    assert "The ledger is out of balance by 1 line" in client.get("/admin/").content.decode()
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", client.get("/admin/ledger/").content.decode()))
    assert re.search(r"shop: 1 line missing ?\. Stored at .* Found \d s ago", html.unescape(page))
    (one,) = client.get("/api/v1/ledger").json()["differences"]
    assert (one["book"], one["source"], one["lines"]) == ("stored", "shop", 1)


def test_a_batch_removed_from_the_broker_is_found(site: Bench, at_once: None) -> None:
    gone = offer("x", "y", "z")
    stored(site, offer("a"))
    site.accept(gone)
    assert look(site).lines == 0
    site.buffer.client.delete(b"b:" + gone.batch.bytes)
    assert look(site).lines == 3
    code, printed = audit()
    assert code == 1
    assert re.search(r"shop, native, accepted in the minute of .* UTC: 3 missing\.", printed)


def test_a_broker_that_lost_everything_leaves_what_it_held_as_a_difference(
    site: Bench, at_once: None
) -> None:
    stored(site, offer("a"))
    spill(site, offer("b", "c"))
    site.accept(offer("x", "y", "z"))
    assert look(site).lines == 0
    site.buffer.client.flushall()
    assert look(site).lines == 5
    while site.flusher.step():
        pass
    assert look(site).lines == 3, "the spill file had its lines"


def test_a_ledger_row_that_vanished_is_found_in_both_books(site: Bench, at_once: None) -> None:
    stored(site, offer("a", "b"))
    assert run(site, "DELETE FROM log_batch") == 1
    code, printed = audit()
    assert code == 1
    assert "UTC: 2 missing." in printed
    assert "of what was stored, 2 too many." in printed


def test_a_minute_from_before_there_was_a_ledger_is_not_known(
    site: Bench, at_once: None, client: Client
) -> None:
    stored(site, offer("a", "b"))
    for name in site.buffer.client.scan_iter(match="c:*"):
        site.buffer.client.hdel(name, "first", "last")
    run(site, "DELETE FROM log_stretch")
    code, printed = audit()
    assert code == 0
    assert "Not judged: 2 lines in minutes from before there was a ledger." in printed
    assert "Everything" not in printed, "it claims nothing of them"
    client.force_login(User.objects.create_superuser("root"))
    total = client.get("/api/v1/ledger").json()["total"]
    assert (total["unknown"], total["moving"], total["difference"]) == (2, 0, 0)
    page = client.get("/admin/ledger/").content.decode()
    assert "of minutes from before there was a ledger it is not known" in page


def test_a_difference_keeps_its_age_and_goes_when_it_is_mended(site: Bench, at_once: None) -> None:
    stored(site, offer("a"))
    run(site, "CREATE TABLE put_by AS SELECT * FROM log")
    try:
        run(site, "DELETE FROM log")
        assert look(site).lines == 1
        run(site, "UPDATE log_imbalance SET found = now() - interval '2 hours'")
        again = look(site)
        assert (again.lines, again.oldest_seconds // 3600) == (1, 2)
        run(site, "INSERT INTO log SELECT * FROM put_by")
        assert look(site) == replace(again, lines=0, differences=0, oldest_seconds=0, looked_seconds=0)
    finally:
        run(site, "DROP TABLE put_by")


def test_an_old_difference_is_looked_at_until_it_is_mended_or_too_old(site: Bench, at_once: None) -> None:
    stored(site, offer("a", "b"))
    with store.connect(site.url) as conn:
        balance.copy_minutes(site.buffer, conn)
    site.buffer.client.flushall()  # the copied books alone speak of that minute now
    for table in ("log_minute", "log_stretch"):
        run(site, f"UPDATE {table} SET time = time - interval '3 hours'")
    run(site, "UPDATE log_minute SET accepted = 5")
    assert look(site).lines == 0, "three hours back is beyond the window"
    run(
        site,
        "INSERT INTO log_imbalance (book, place, source, dialect, time, lines, found)"
        " SELECT 'accepted', extract(epoch FROM time) / 60, source, dialect, time, 9, now() FROM log_minute",
    )
    assert look(site).lines == 3, "but not for a difference that stands"
    run(site, "UPDATE log_minute SET accepted = 2")
    assert look(site).lines == 0
    run(
        site,
        "INSERT INTO log_imbalance (book, place, source, dialect, time, lines)"
        " VALUES ('accepted', 1000, 1, 'native', now() - interval '40 days', 9)",
    )
    assert look(site).lines == 0


def test_what_is_in_flight_is_no_difference(site: Bench, client: Client) -> None:
    gone = offer("x", "y")
    site.accept(gone)
    site.buffer.client.delete(b"b:" + gone.batch.bytes)
    assert look(site).lines == 0
    code, printed = audit()
    assert code == 0
    assert re.search(r"^shop +native +2 +0 +2 +0 +0 +0 +0 +0 +2 +0 +0$", printed, re.M), printed


def test_what_the_time_did_not_suffice_to_read_is_not_judged(
    site: Bench, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "AT_ONCE", 1)
    site.accept(offer("a"), offer("b", "c"), offer("d"))
    hurried, patient = (books_of(site, seconds) for seconds in (-1.0, 60.0))
    assert (hurried.queued, hurried.moving, hurried.difference) == (1, 3, 0)
    assert (patient.queued, patient.moving, patient.difference) == (4, 0, 0)


def books_of(site: Bench, seconds: float) -> ledger.Line:
    now = int(time.time()) // 60
    with store.connect(site.url) as conn:
        balance.copy_minutes(site.buffer, conn)
        return ledger.total(ledger.read(conn, site.buffer, now - 5, now + 1, seconds).lines)


def test_a_long_queue_is_read_without_letting_the_transaction_idle(
    site: Bench, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second in all, where PostgreSQL ends what idles for a third of it."""
    monkeypatch.setattr(waiting, "AT_ONCE", 1)
    monkeypatch.setattr(ledger, "pages", lambda *given: slowly(waiting.pages(*given)))
    monkeypatch.setitem(store.SESSION, "idle_in_transaction_session_timeout", "300ms")
    site.accept(*(offer(message) for message in "abcdefghij"))
    assert look(site).lines == 0


def slowly(pages: Iterator[waiting.Page]) -> Iterator[waiting.Page]:
    for page in pages:
        time.sleep(0.1)
        yield page


# ---- to whom ----


def test_a_reader_sees_the_books_of_his_sources_alone(site: Bench, at_once: None, client: Client) -> None:
    every_kind(site)
    run(site, "DELETE FROM log WHERE message = 'a'")
    look(site)
    reader = User.objects.create_user("reader")
    client.force_login(reader)
    nothing = client.get("/api/v1/ledger").json()
    assert (nothing["lines"], nothing["gone"], nothing["differences"]) == ([], {}, [])
    Grant.objects.create(user=reader, source_id=9)
    answer = client.get("/api/v1/ledger?by=minute").json()
    assert answer["total"]["accepted"] == 1
    assert list(answer["gone"]) == ["old"]
    assert client.get("/admin/ledger/").status_code == 302


def test_what_is_asked_wrongly_is_a_problem_that_names_it(site: Bench, client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    for query, words in (
        ("by=host", "valid choice"),
        ("start=now-60d&end=now-59d", "34 days"),
        ("start=now-20d", "7 days"),
        ("strat=now", "Did you mean start"),
        ("start=now&end=now-1h", "ends before"),
    ):
        answer = client.get(f"/api/v1/ledger?{query}")
        assert answer.status_code == 400
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert words in answer.content.decode()
    assert Client().get("/api/v1/ledger").status_code == 401


def test_with_the_broker_away_nothing_is_said_to_be_missing(
    site: Bench, at_once: None, client: Client, settings: Any
) -> None:
    site.accept(offer("a"))
    with store.connect(site.url) as conn:
        balance.copy_minutes(site.buffer, conn)
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    client.force_login(User.objects.create_superuser("root"))
    answer = client.get("/api/v1/ledger").json()
    assert answer["broker"] == "away"
    assert (answer["total"]["queued"], answer["total"]["difference"]) == (None, 0)
    assert b"The broker is away" in client.get("/admin/ledger/").content


def test_an_audit_that_cannot_read_says_so_and_ends_with_2(site: Bench, settings: Any) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(CommandError, match="could not be read") as failed:
        audit()
    assert failed.value.returncode == 2


# ---- on every kind of server ----


def test_both_books_are_recounted_on_every_edition(
    broker: redis.Redis, any_database_url: str, tmp_path: Path, at_once: None
) -> None:
    with closing(Bench(broker, any_database_url, tmp_path / "spill")) as site:
        stored(site, offer("a", "b"), offer("c"))
        assert look(site).lines == 0
        run(site, "DELETE FROM log WHERE message = 'a'")
        assert look(site).lines == 1
        with store.connect(any_database_url) as conn:
            assert presence.totals(conn) == {1: presence.Kept(stored=3, present=2)}


def test_a_clock_that_is_set_back_takes_no_minute_back(buffer: Buffer) -> None:
    first = buffer.accept(offer("a"))
    (minute,) = buffer.minutes()
    ahead = minute.minute + 3
    buffer.client.set("minute", ahead)  # as if the last batch had come three minutes later
    given = offer("b")
    second = buffer.accept(given)
    books = {book.minute: (book.first, book.last) for book in buffer.minutes()}
    assert books[minute.minute] == (first.acceptance, first.acceptance)
    assert set(books) == {minute.minute, ahead}
    assert books[ahead][1] == second.acceptance
    buffer.claim("w")
    buffer.finish([Move(given.batch, second.acceptance, State.STORED)])
    assert {book.minute: book.stored for book in buffer.minutes()} == {minute.minute: 0, ahead: 1}
