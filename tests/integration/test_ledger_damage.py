"""The ledger's negative controls: what is done behind its back is found and named until it is mended."""

import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from prometheus_client import REGISTRY

from tests.batches import offer
from tests.books import audit, look, recount, run, spill, stored
from tests.workbench import OWNER, Bench
from webapp.logs import imbalance, presence
from workers.draining import drain
from workers.spool import Spool

Deed = Callable[[Bench], None]
MINUTE = r"in the minute of \d{4}-\d\d-\d\d \d\d:\d\d UTC"


def sql(*statements: str) -> Deed:
    def done(site: Bench) -> None:
        for statement in statements:
            assert run(site, statement) != 0, statement

    return done


def counter(rows: int) -> Deed:
    def done(site: Bench) -> None:
        (name,) = site.buffer.client.scan_iter(match="c:*")
        site.buffer.client.hincrby(name, "1|native|accepted", rows)

    return done


def uncount(site: Bench) -> None:
    counter(-4)(site)
    run(site, "UPDATE log_minute SET accepted = accepted - 4 WHERE source = 1")


def hide_file(site: Bench) -> None:
    (path,) = site.spool.waiting()
    path.rename(path.parent.parent / "hidden")
    recount(site)


def bring_file_back(site: Bench) -> None:
    (site.spool.directory.parent / "hidden").rename(site.spool.directory / "00000000000000000001.spill")
    recount(site)


def flip_bits(site: Bench) -> None:
    (path,) = site.spool.waiting()
    path.write_bytes(bytes(byte ^ 255 if at == 60 else byte for at, byte in enumerate(path.read_bytes())))
    recount(site)


DAMAGE: dict[str, tuple[Deed, Deed, int, str]] = {
    "a line deleted": (
        sql(
            "CREATE TABLE put_by AS SELECT * FROM log WHERE message = 'a'",
            "DELETE FROM log WHERE message = 'a'",
        ),
        sql("INSERT INTO log SELECT * FROM put_by"),
        1,
        rf"^shop, stored {MINUTE} \(segment \d+\): 1 missing\.$",
    ),
    "a line doubled": (
        sql("INSERT INTO log SELECT * FROM log WHERE message = 'a'"),
        sql("DELETE FROM log WHERE ctid = (SELECT max(ctid) FROM log WHERE message = 'a')"),
        1,
        rf"^shop, stored {MINUTE} \(segment \d+\): 1 too many\.$",
    ),
    "a batch's entry deleted": (
        sql(
            "CREATE TABLE put_by AS SELECT * FROM log_batch WHERE rows = 2",
            "DELETE FROM log_batch WHERE rows = 2",
        ),
        sql("INSERT INTO log_batch SELECT * FROM put_by"),
        4,  # two are accounted for nowhere, and two lie there that no batch brought
        rf"^shop, native, accepted {MINUTE}: 2 missing\.$",
    ),
    "a counter of the broker raised": (
        counter(4),
        uncount,
        4,
        rf"^shop, native, accepted {MINUTE}: 4 missing\.$",
    ),
    "a spill file deleted": (
        hide_file,
        bring_file_back,
        5,
        rf"^shop, native, accepted {MINUTE}: 5 missing; the broker says that 2 batches of it are spilled,",
    ),
}


def some_of_each(site: Bench) -> None:
    stored(site, offer("a", "b"), offer("c"))
    spill(site, offer("d", "e", "f"), offer("g", "h"))


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found_named_and_measured_and_goes_when_it_is_mended(
    booked: Bench, at_once: None, kind: str
) -> None:
    damage, mend, lines, named = DAMAGE[kind]
    some_of_each(booked)
    assert (audit()[0], look(booked).lines) == (0, 0)
    try:
        damage(booked)
        code, printed = audit()
        assert code == 1
        assert re.search(named, printed, re.M), printed
        assert look(booked).lines == lines
        assert REGISTRY.get_sample_value("logboom_ledger_imbalance") == lines
        mend(booked)
    finally:
        run(booked, "DROP TABLE IF EXISTS put_by")
    assert look(booked).lines == 0
    assert REGISTRY.get_sample_value("logboom_ledger_imbalance") == 0
    assert audit()[0] == 0


def test_a_line_deleted_is_found_within_the_round(
    booked: Bench, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for message in "abcd":
        stored(booked, offer(message))
    run(booked, "DELETE FROM log WHERE message = 'd'")
    monkeypatch.setattr(imbalance.presence, "round_on", lambda conn, go=presence.round_on: go(conn, 1))
    assert [look(booked).lines for _ in range(5)] == [0, 0, 0, 1, 1], (
        "and it stands until its turn comes again"
    )


# ---- what is spilled: the broker's word and the files ----


def unheld(site: Bench) -> int:
    return look(site).unheld


def said(client: Client, path: str) -> str:
    page = re.sub(r"<[^>]*>", " ", client.get(path).content.decode())
    return html.unescape(re.sub(r"\s+", " ", page))


def test_a_damaged_spill_file_holds_what_can_be_read_of_it(booked: Bench, at_once: None) -> None:
    some_of_each(booked)
    flip_bits(booked)
    found = look(booked)
    assert (found.lines, found.unheld) in {(3, 1), (2, 1)}, "one of its two batches"


def test_an_orphaned_volume_is_its_workers_last_word(booked: Bench, at_once: None) -> None:
    """Nobody changes it while its worker is away, but who drains it, and says so."""
    some_of_each(booked)
    booked.spool.close()
    assert unheld(booked) == 0
    directory = booked.spool.directory.rename(booked.spool.directory.with_name(OWNER))
    assert drain(directory, booked.buffer, booked.database).outcome == "drained"
    assert booked.buffer.client.hlen(f"volume:{OWNER}") == 0
    assert (audit()[0], unheld(booked)) == (0, 0)


def test_a_volume_that_was_swapped_for_an_empty_one_is_said_in_words(
    booked: Bench, at_once: None, client: Client, tmp_path: Path
) -> None:
    some_of_each(booked)
    booked.spool.close()
    booked.spool = Spool(tmp_path / "fresh", most_bytes=2**30)
    recount(booked)
    assert unheld(booked) == 2
    client.force_login(User.objects.create_superuser("root"))
    assert "2 batches of it are spilled, and no worker's volume holds them" in said(client, "/admin/ledger/")
    assert "The broker says that 2 batches are spilled, and no worker's volume" in said(client, "/admin/")
    told = client.get("/api/v1/status").json()
    assert (told["imbalance"], told["unheld"]) == (5, 2)
    assert client.get("/api/v1/ledger").json()["differences"][0]["unheld"] == 2


def test_a_broker_that_forgot_the_volume_is_told_again(booked: Bench, at_once: None) -> None:
    some_of_each(booked)
    booked.buffer.client.delete("volumes", f"volume:{OWNER}")
    assert unheld(booked) == 2
    recount(booked)
    assert unheld(booked) == 0
