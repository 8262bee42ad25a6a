"""The plain pages: what they show, to whom, and that nothing in a line becomes part of the page."""

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client

from ingest.record import LogRecord, Reject
from tests.rows import NOW_US, record, unit
from webapp.access.models import Grant, Source
from webapp.logs import snapshot, store
from webapp.ui import views

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
ALL = "/?range=all"


@pytest.fixture(autouse=True)
def no_broker(plain_static: None, settings: Any) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:1/0"


@pytest.fixture
def keep(django_logs_url: str, shop: Source) -> Any:
    def keep(*records: LogRecord, source: int = shop.pk, rejects: tuple[Reject, ...] = ()) -> None:
        with store.connect(django_logs_url) as conn:
            store.store(conn, [unit(*records, source=source, rejects=rejects)])

    return keep


def page_of(browser: Client, address: str, status: int = 200) -> str:
    response = browser.get(address)
    assert response.status_code == status
    return response.content.decode()


def messages(page: str) -> list[str]:
    return [html.unescape(text) for text in re.findall(r'<td class="text">(.*?)</td>', page, re.S)]


def address_of(page: str) -> str:
    """The first line's."""
    [address, *_] = re.findall(r'<td class="time"><a href="(.*?)"', page)
    return html.unescape(address)


def links(page: str) -> dict[str, str]:
    """Text -> address."""
    found = re.findall(r'<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>', page, re.S)
    return {re.sub(r"<[^>]*>", "", text).strip(): html.unescape(address) for address, text in found}


def test_lines_are_listed_newest_first_or_oldest_first(root: Client, keep: Any) -> None:
    keep(record("one", NOW_US), record("two", NOW_US + 1), record("three", NOW_US + 2))
    assert messages(page_of(root, ALL)) == ["three", "two", "one"]
    assert messages(page_of(root, ALL + "&order=asc")) == ["one", "two", "three"]


def test_a_query_narrows_and_the_numbers_agree(root: Client, keep: Any) -> None:
    keep(record("slow", severity=13), record("slow", severity=17), record("fast", severity=9))
    page = page_of(root, ALL + "&q=slow")
    assert "<b>2 lines</b>" in page
    assert re.findall(r'fill-(\w+)" x=', page) == ["error", "warn"]
    assert messages(page) == ["slow", "slow"]


def test_pages_lead_on_and_back_without_gap_or_repeat(root: Client, keep: Any) -> None:
    keep(*(record(f"line {number}", NOW_US + number) for number in range(250)))
    first = page_of(root, ALL)
    second = page_of(root, links(first)["Next →"])
    third = page_of(root, links(second)["Next →"])
    assert messages(first) + messages(second) + messages(third) == [f"line {at}" for at in range(249, -1, -1)]
    assert messages(page_of(root, links(second)["← Previous"])) == messages(first)
    assert all("<b>250 lines</b>" in page for page in (first, second, third))


def test_a_line_has_a_page_of_its_own(root: Client, keep: Any) -> None:
    keep(record("a\nlong\nstory"))
    address = address_of(page_of(root, ALL))
    page = page_of(root, address)
    assert "a\nlong\nstory" in page
    assert "12:00:00.000000007 UTC" in page


def test_each_value_of_a_line_can_be_searched_for_and_left_out(root: Client, keep: Any) -> None:
    attributes = b'{"http.status":500,"odd name":true,"user":"ann \\"x\\" \\\\ *","tags":["a"]}'
    keep(record("this", attributes=attributes), record("other", service="web", host="", severity=None))
    page = page_of(root, address_of(page_of(root, ALL + "&q=this")))
    only = re.findall(r'<a href="([^"]*)">Filter</a>', page)
    for address in only:
        assert "this" in messages(page_of(root, html.unescape(address)))
    assert len(only) == 8
    for address in re.findall(r'<a href="([^"]*)">Exclude</a>', page):
        assert "this" not in messages(page_of(root, html.unescape(address)))


@pytest.mark.parametrize("address", ["/line/nonsense/", "/line/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/"])
def test_a_line_that_is_not_there_is_not_found(root: Client, address: str) -> None:
    page_of(root, address, 404)


def test_nothing_in_a_line_becomes_part_of_the_page(root: Client, keep: Any) -> None:
    attributes = b'{"<b>k</b>":"</td><script>x</script>"}'
    keep(record(HOSTILE, service=HOSTILE, host=HOSTILE, attributes=attributes))
    listed = page_of(root, ALL)
    query = root.get("/", {"q": '"><script>alert(3)</script>'}).content.decode()
    for page in (listed, page_of(root, address_of(listed)), query):
        assert not re.search(r"<script|<img|<b>k", page)
        assert not re.search(r"\sstyle=|<style|\son\w+=\"", page)


def test_a_user_sees_granted_sources_and_how_many_are_hidden(client: Client, keep: Any, shop: Source) -> None:
    bank = Source.objects.create(name="bank")
    keep(record("sold"))
    keep(record("secret"), source=bank.pk)
    user = User.objects.create_user("ann")
    client.force_login(user)
    assert "You may read no source yet" in page_of(client, ALL)
    Grant.objects.create(user=user, source=shop)
    page = page_of(client, ALL)
    assert messages(page) == ["sold"]
    assert "1 source hidden from you" in page


def test_another_ones_line_is_not_found_by_its_address(root: Client, keep: Any) -> None:
    keep(record("secret"))
    address = address_of(page_of(root, ALL))
    stranger = Client()
    stranger.force_login(User.objects.create_user("eve"))
    page_of(stranger, address, 404)


def test_a_wrong_query_is_marked_where_it_is_wrong_and_mended_by_one_click(root: Client, keep: Any) -> None:
    keep(record("a or b"))
    page = page_of(root, ALL + "&q=a+OR", 400)
    assert "<mark>" in page
    fixed = next(address for text, address in links(page).items() if text.startswith("Search"))
    page_of(root, fixed)


@pytest.mark.parametrize("given", ["start=nonsense", "start=now&end=now-1h"])
def test_a_wrong_time_is_said(root: Client, given: str) -> None:
    assert 'role="alert"' in page_of(root, f"/?range=custom&{given}", 400)


def test_a_cursor_of_another_query_offers_a_fresh_search(root: Client, keep: Any) -> None:
    keep(*(record(time_us=NOW_US + number) for number in range(101)))
    following = links(page_of(root, ALL))["Next →"]
    page = page_of(root, following + "&q=other", 400)
    assert links(page)["Search again, from now"] == "?q=other&range=all"


def test_an_expired_page_is_410_with_a_way_on(root: Client, settings: Any, keep: Any) -> None:
    keep(*(record(time_us=NOW_US + number) for number in range(101)))
    following = links(page_of(root, ALL))["Next →"]
    settings.TOKEN_SECONDS = -1
    assert "Search again" in page_of(root, following, 410)


def test_an_empty_page_says_why(root: Client, keep: Any) -> None:
    assert "Waiting for your first line" in page_of(root, "/")
    keep(record("only", NOW_US - 86_400_000_000))
    page = page_of(root, "/?q=only")
    assert "Newest matching line" in page
    assert messages(page_of(root, links(page)["Go there"])) == ["only"]
    assert "Nothing matches" in page_of(root, "/?q=absent")


def test_an_outage_of_the_database_is_503_and_says_that_lines_are_safe(root: Client, settings: Any) -> None:
    gone = "postgresql://nobody@127.0.0.1:1/none"
    settings.DATABASE_READ_URL = settings.DATABASE_URL = gone
    assert "Lines are still received" in page_of(root, ALL, 503)
    snapshot.pool(gone).close()


def test_an_outage_of_djangos_own_tables_is_told_apart_from_a_fault(rf: Any) -> None:
    answers = {}
    for error in (OperationalError("gone"), ValueError("ours")):
        try:
            raise error
        except (OperationalError, ValueError):
            answers[type(error)] = views.failed(rf.get("/")).status_code
    assert answers == {OperationalError: 503, ValueError: 500}


# ---- the log tables in the admin ----


def test_the_admin_shows_batches_segments_and_quarantine_and_changes_nothing(root: Client, keep: Any) -> None:
    raw = b'\x1b[31m<script>\xff\xe2\x80\xae{"time":'
    keep(record("good"), rejects=(Reject(2, "bad_json", "It ends too early.", raw),))
    listed = page_of(root, "/admin/logs/quarantine/")
    assert "bad_json" in listed
    [address] = re.findall(r'href="(/admin/logs/quarantine/\d+/change/)', listed)[:1]
    page = page_of(root, address)
    assert "\\u001b[31m&lt;script&gt;\\xff\\u202e" in page
    for name in ("batch", "segment", "quarantine"):
        assert "1 " in page_of(root, f"/admin/logs/{name}/")
        assert root.get(f"/admin/logs/{name}/add/").status_code == 403
        assert root.post(address.replace("change", "delete")).status_code == 403


def test_the_admin_never_counts_a_large_table(
    root: Client, keep: Any, django_assert_max_num_queries: Any
) -> None:
    keep(record("good"))
    with django_assert_max_num_queries(12) as queries:
        page_of(root, "/admin/logs/batch/")
    counts = [one["sql"] for one in queries.captured_queries if "COUNT(" in one["sql"]]
    assert counts
    assert all("LIMIT 10000" in statement for statement in counts)
