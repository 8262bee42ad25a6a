"""What was refused is kept, is found by its readers, and is sent again exactly once."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import connections
from django.test import Client

from ingest import stage
from ingest.dialects.native import QUARANTINED_BYTES
from ingest.envelope import unpack
from tests.batches import offer
from tests.quarantined import BAD, GOOD, HOSTILE, LIST, Site, post
from tests.workbench import NOWHERE
from webapp.access.models import Grant
from webapp.access.scope import ALL
from webapp.logs import refusals, replay, store
from webapp.logs.refusals import Wanted


def mended(site: Site, number: int, text: str) -> replay.Outcome:
    (outcome,) = replay.replay([number], ALL, text).entries
    return outcome


# ---- what is kept ----


def test_a_body_without_one_good_line_is_kept_through_an_outage_of_the_database(site: Site) -> None:
    site.bench.connect_to(NOWHERE, spill_always=True)
    receipt = site.send(HOSTILE)
    assert receipt.accepted == 0
    site.work()
    site.bench.connect_to(site.url)
    site.bench.wait_for_probe()
    while site.bench.flusher.step():
        pass
    assert [bytes(raw) for (raw,) in site.rows("SELECT raw FROM quarantine")] == [HOSTILE]


def test_what_the_bound_cuts_off_is_counted_and_not_sent_as_if_it_were_whole(site: Site) -> None:
    line = b'{"message": "' + b"x" * QUARANTINED_BYTES
    (number,) = site.refuse(line)
    (entry,) = refusals.find(Wanted(), ALL).entries
    assert (entry.size, entry.dropped) == (QUARANTINED_BYTES, len(line) - QUARANTINED_BYTES)
    assert replay.replay([number], ALL).entries[0].reason == "cut"
    assert mended(site, number, '{"message": "whole"}').outcome == "replayed"


# ---- sending again ----


def test_a_mended_line_is_stored_once_however_often_it_is_sent(boss: Client, site: Site) -> None:
    (number,) = site.refuse(BAD)
    first = post(boss, {"ids": [number], "text": GOOD.decode()}).json()
    assert (first["replayed"], first["entries"][0]["outcome"]) == (1, "replayed")
    again = post(boss, {"ids": [number, number], "text": None}).json()
    assert (again["replayed"], again["already"]) == (0, 1)
    assert again["entries"][0]["batch"] == first["entries"][0]["batch"]
    site.work()
    assert site.bench.stored() == Counter(good=1)
    state = boss.get(f"{LIST}/{number}").json()["replay"]
    assert (state["state"], state["batch"]) == ("replayed", first["entries"][0]["batch"])
    assert boss.get(f"/api/v1/batches/{state['batch']}").json()["state"] == "stored"


def test_what_is_refused_again_stays_and_may_be_tried_again(site: Site) -> None:
    (number,) = site.refuse(BAD)
    for reason, text in (("bad_time", None), ("bad_json", "{"), ("bad_body", " "), ("empty", "{}")):
        (outcome,) = replay.replay([number], ALL, text).entries
        assert (outcome.outcome, outcome.reason) == ("refused", reason)
    (entry,) = refusals.find(Wanted(), ALL).entries
    assert (entry.replay.state, entry.replay.reason) == ("refused", "empty")
    assert mended(site, number, GOOD.decode()).outcome == "replayed"
    site.work()
    assert site.ids() == [number]


def test_a_line_is_given_the_time_at_which_it_first_came(site: Site) -> None:
    (number,) = site.refuse(BAD)
    site.rows("UPDATE quarantine SET received = received - interval '1 hour' RETURNING 1")
    mended(site, number, GOOD.decode())
    site.work()
    assert site.rows("SELECT time = observed, time = received FROM log, quarantine") == [(True, True)]


@pytest.mark.parametrize("hours", [0, 2])
def test_a_crash_between_accept_and_its_note_stores_nothing_twice(
    site: Site, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Pressed again at once, and once the broker has forgotten; with the same text and with another."""
    same, other, queued = site.refuse(BAD, BAD, BAD)

    def dies(*_: Any) -> None:
        raise psycopg.OperationalError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(replay, "mark", dies)
        for number in (same, other, queued):
            with pytest.raises(store.StoreError):
                replay.replay([number], ALL, GOOD.decode())
            if number == other:
                site.work()
    if hours:
        for name in (*site.broker.keys("k:*"), *site.broker.keys("m:*")):
            site.broker.delete(name) if name[2:] not in site.broker.zrange("queued", 0, -1) else None
    states = {entry.id: entry.replay.state for entry in refusals.find(Wanted(), ALL).entries}
    assert set(states.values()) == {"begun"}
    outcomes = [
        mended(site, number, text).outcome
        for number, text in ((same, GOOD.decode()), (other, '{"message": "else"}'), (queued, GOOD.decode()))
    ]
    assert outcomes == ["already"] * 3
    site.work()
    assert site.bench.stored() == Counter(good=3)
    assert {entry.replay.state for entry in refusals.find(Wanted(), ALL).entries} == {"replayed"}


def test_two_who_press_at_once_with_other_texts_store_one_of_them(site: Site) -> None:
    numbers = site.refuse(*[BAD] * 8)
    together = threading.Barrier(2)

    def press(text: str) -> list[replay.Outcome]:
        try:
            outcomes = []
            for number in numbers:
                together.wait(10)
                outcomes.append(mended(site, number, text))
            return outcomes
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        mine, yours = pool.map(press, ['{"message": "mine"}', '{"message": "yours"}'])
    for pair in zip(mine, yours, strict=True):
        assert sorted(outcome.outcome for outcome in pair) == ["already", "replayed"]
    site.work()
    assert sum(site.bench.stored().values()) == len(numbers)


def test_an_attempt_that_the_ledger_has_forgotten_is_not_sent_again(site: Site) -> None:
    (number,) = site.refuse(b'{"message": "x", "time": "now"}')
    site.rows("UPDATE quarantine SET replay_began = now() - interval '35 days' RETURNING 1")
    assert mended(site, number, GOOD.decode()).reason == "forgotten"
    site.work()
    assert not site.bench.stored()


def test_a_broker_that_is_away_leaves_the_entry_for_the_next_time(
    boss: Client, site: Site, settings: Any
) -> None:
    (number,) = site.refuse(BAD)
    stage.of_settings.cache_clear()
    url, settings.BROKER_URL = settings.BROKER_URL, "redis://127.0.0.1:1/0"
    assert post(boss, {"ids": [number], "text": GOOD.decode()}).status_code == 503
    stage.of_settings.cache_clear()
    settings.BROKER_URL = url
    assert mended(site, number, GOOD.decode()).outcome == "replayed"
    site.work()
    assert site.bench.stored() == Counter(good=1)


def test_a_poisoned_batch_is_mended_by_the_checks_and_keeps_its_lines_times(site: Site) -> None:
    poison = offer(*(f"line {number}\0" for number in range(40)), source=site.shop.pk)
    site.bench.accept(poison)
    site.work()
    (number,) = site.ids()
    assert mended(site, number, "x").reason == "whole_batch"
    (outcome,) = replay.replay([number], ALL).entries
    assert outcome.outcome == "replayed"
    site.work()
    assert site.bench.stored() == Counter({f"line {number}\ufffd": 1 for number in range(40)})
    times = site.rows("SELECT (extract(epoch FROM time) * 1000000)::bigint, nanos, severity, host FROM log")
    sent = unpack(poison.payload).records
    assert sorted(times) == sorted((one.time_us, one.nanos, one.severity, one.host) for one in sent)


def test_a_line_that_the_database_refused_is_sent_again_from_its_record(site: Site) -> None:
    site.bench.accept(offer("one", "two\0nul", source=site.shop.pk))
    site.work()
    assert site.bench.stored() == Counter(one=1)
    assert replay.replay(site.ids(), ALL).entries[0].outcome == "replayed"
    site.work()
    assert site.bench.stored() == Counter({"one": 1, "two\ufffdnul": 1})


def test_bytes_that_are_no_batch_are_refused_again(site: Site) -> None:
    site.bench.accept(offer(source=site.shop.pk, payload=b"\x07 nonsense"))
    site.work()
    (outcome,) = replay.replay(site.ids(), ALL).entries
    assert (outcome.outcome, outcome.reason) == ("refused", "unreadable")


def test_the_books_balance_and_tell_replays_apart(site: Site) -> None:
    numbers = site.refuse(BAD, BAD)
    replay.replay(numbers[:1], ALL, f"{GOOD.decode()}\n{GOOD.decode()}\n{{")
    replay.replay(numbers[:1], ALL, GOOD.decode())
    site.work()
    books = {line.dialect: line for line in site.books()}
    assert (books["native"].received, books["native"].accepted) == (2, 0)
    again = books["replay"]
    assert (again.received, again.accepted, again.stored, again.queued) == (3, 2, 2, 0)
    assert again.refused == {"bad_json": 1}
    assert len(site.ids()) == 3, "the line that is still bad rests by itself"


def test_all_of_a_filter_is_sent_in_bounded_steps(
    boss: Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "MOST", 3)
    site.refuse(*[BAD] * 5, b"{}")
    site.rows("UPDATE quarantine SET raw = %s WHERE reason = 'bad_time' RETURNING 1", GOOD)
    first = post(boss, {"reason": ["bad_time"]}).json()
    assert (first["replayed"], bool(first["next"])) == (3, True)
    second = post(boss, {"reason": ["bad_time"], "cursor": first["next"]}).json()
    assert (second["replayed"], second["next"]) == (2, None)
    assert post(boss, {"reason": ["bad_time"]}).json()["entries"] == []
    site.work()
    assert site.bench.stored() == Counter(good=5)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"cursor": "x"},
        {"ids": [0]},
        {"ids": [1], "reason": ["x"]},
        {"text": "x", "start": "0"},
        {"ids": "x"},
    ],
)
def test_an_unclear_order_is_refused(boss: Client, site: Site, body: Any) -> None:
    assert post(boss, body).status_code == 400


# ---- from the admin and the command line ----


def test_the_admin_sends_ticked_entries_and_a_mended_one(boss: Client, site: Site) -> None:
    first, second = site.refuse(HOSTILE, BAD)
    site.rows("UPDATE quarantine SET raw = %s WHERE id = %s RETURNING 1", GOOD, first)
    listed = "/admin/logs/quarantine/"
    ticked = {"action": "send_again", "_selected_action": [first, second]}
    page = boss.post(listed, ticked, follow=True).content.decode()
    assert "Sent again: 1." in page and "Refused again: 1, the first as bad_time" in page
    form = f"{listed}{second}/replay/"
    assert "&quot;never&quot;" in boss.get(form).content.decode()
    assert "Sent again: 0" in boss.post(form, {"text": BAD.decode()}, follow=True).content.decode()
    assert "Sent again: 1." in boss.post(form, {"text": GOOD.decode()}, follow=True).content.decode()
    site.work()
    assert site.bench.stored() == Counter(good=2)


def test_the_admin_tries_what_it_has_not_tried_before_the_rest(
    boss: Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "MOST", 2)
    old, *_ = numbers = site.refuse(*[BAD] * 4)
    site.rows("UPDATE quarantine SET raw = %s WHERE id = %s RETURNING 1", GOOD, old)
    every = {"action": "send_again", "_selected_action": numbers[:1], "select_across": "1"}
    first = boss.post("/admin/logs/quarantine/?reason=bad_time", every, follow=True).content.decode()
    assert "Refused again: 2," in first and "There are more" in first
    assert "Sent again: 1." in boss.post("/admin/logs/quarantine/", every, follow=True).content.decode()


def test_the_admin_lets_nobody_send_without_the_right(client: Client, site: Site) -> None:
    (number,) = site.refuse(HOSTILE)
    ann = User.objects.create_user("ann", is_staff=True)
    ann.user_permissions.add(Permission.objects.get(codename="view_quarantine"))
    Grant.objects.create(user=ann, source=site.shop)
    client.force_login(ann)
    page = client.get(f"/admin/logs/quarantine/{number}/change/").content.decode()
    assert "<script>\ufffd" not in page and "/replay/" not in page
    assert client.get(f"/admin/logs/quarantine/{number}/replay/").status_code == 403
    client.post("/admin/logs/quarantine/", {"action": "send_again", "_selected_action": [number]})
    assert site.rows("SELECT replay_began, replay_reason FROM quarantine") == [(None, None)]


def test_the_command_lists_and_sends(site: Site) -> None:
    number, other = site.refuse(HOSTILE, BAD)
    site.rows("UPDATE quarantine SET raw = %s WHERE id = %s RETURNING 1", GOOD, other)
    out = StringIO()
    call_command("quarantine", "list", "--reason", "bad_json", stdout=out)
    assert out.getvalue().startswith(f"{number} ") and "\x1b" not in out.getvalue()
    call_command("quarantine", "replay", "--reason", "bad_time", stdout=out)
    assert f"{other} replayed " in out.getvalue()
    with pytest.raises(SystemExit):
        call_command("quarantine", "replay", str(number), stdout=out)
    assert f"{number} refused bad_json" in out.getvalue()
    site.work()
    assert site.bench.stored() == Counter(good=1)
