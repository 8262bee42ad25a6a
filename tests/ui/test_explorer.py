"""Searching in the explorer: what is asked, what is seen, and that every number says the same."""

import csv
import io
import json
import re

import pytest
from playwright.sync_api import Browser, expect

from tests.bench.installation import Installation
from tests.ui.person import Person, number
from tests.ui.story import TRACE_ID, ask, failure, line, send, told, until

pytestmark = pytest.mark.acceptance


def test_the_total_the_bars_the_facets_and_the_export_are_one_number(person: Person) -> None:
    person.opens(q="service:web OR service:payments")
    total = person.counted()
    person.page.get_by_role("button", name="Table").click()
    bars = [number(cell.inner_text()) for cell in person.page.locator(".counts tbody td:nth-child(2)").all()]
    person.presses("Escape")
    with person.page.expect_download() as download:
        person.page.get_by_role("button", name="Export").click()
        person.page.get_by_role("link", name="JSON lines").click()
    exported = [json.loads(one) for one in download.value.path().read_text().splitlines()]
    assert total == sum(bars) == sum(person.facet_counts("severity").values()) == len(exported) - 1
    assert exported[-1]["_end"]["complete"] is True


def test_a_line_stored_later_is_in_none_of_the_numbers(person: Person) -> None:
    person.opens()
    before = person.counted()
    send(person.made, [line(1, "web", "info", "a latecomer")])
    until(lambda: "http.status_code" in json.dumps(ask(person.made, "logs/fields")))
    person.page.get_by_role("button", name="Add a field").click()
    expect(person.page.get_by_role("dialog")).to_be_visible()
    person.page.get_by_role("button", name="http.status_code").click()
    assert sum(person.facet_counts("http.status_code").values()) == before
    person.page.get_by_role("button", name="Run").click()
    person.sees_total(before + 1)


def test_the_order_is_that_of_the_whole_set(person: Person) -> None:
    person.opens(q="orders")
    expect(person.rows.first).to_contain_text("GET /orders/0 ")
    person.page.get_by_title("Newest first").click()
    expect(person.rows.first).to_contain_text("GET /orders/2099 ")


def test_scrolling_reaches_the_last_line(person: Person) -> None:
    person.opens(q="orders")
    person.sees_total(2100)
    for _ in range(6):  # each end is where the next page begins
        person.presses("End")
        person.page.wait_for_timeout(200)
    expect(person.page.locator(".loglist")).to_contain_text("GET /orders/2099 ")
    assert person.rows.count() < 200, "rows out of sight are not in the document"


def test_dragging_over_the_bars_zooms_and_backspace_comes_back(person: Person) -> None:
    person.opens()
    total = person.counted()
    box = person.page.locator(".bars").bounding_box()
    assert box
    person.page.mouse.move(box["x"] + 400, box["y"] + 20)
    person.page.mouse.down()
    person.page.mouse.move(box["x"] + 700, box["y"] + 30, steps=5)
    person.page.mouse.up()
    expect(person.total).not_to_have_text(f"{total:,} lines")
    assert 0 < person.counted() < total
    assert person.address["start"] != "now-25h"
    person.presses("Backspace")
    person.page.wait_for_url(re.compile("start=now-25h"))


def test_brackets_shift_half_a_window(person: Person) -> None:
    person.opens(start="2026-11-24T10:00:00Z", end="2026-11-24T12:00:00Z")
    expect(person.page.locator(".bars svg")).to_be_visible()
    person.presses("[")
    assert person.address["start"].startswith("2026-11-24T09:00:00")
    assert person.address["end"].startswith("2026-11-24T11:00:00")


def test_ticking_values_includes_and_alt_click_excludes(person: Person) -> None:
    person.opens(q="orders")
    counts = person.facet_counts("service")
    person.facet("service").get_by_label("web", exact=True).click()
    person.sees_total(counts["web"])
    person.facet("service").get_by_label("payments", exact=True).click()
    person.sees_total(counts["web"] + counts["payments"])
    assert person.address["q"] == "orders service:(web OR payments)"
    person.opens(q="orders")
    person.facet("service").get_by_label("web", exact=True).click(modifiers=["Alt"])
    person.sees_total(2100 - counts["web"])
    assert person.address["q"] == "orders -service:web"


def test_the_menu_of_a_value_filters_makes_columns_and_groups(person: Person) -> None:
    person.opens(q="orders")
    cell = person.rows.first.get_by_role("button", name="web")

    def chosen(entry: str) -> None:
        cell.click()
        person.page.get_by_role("menuitem", name=entry).click()

    chosen("Group by")
    expect(person.page.locator(".legend")).to_contain_text("payments")
    chosen("Remove column")
    expect(person.page.locator(".row-head")).not_to_contain_text("service")
    person.rows.first.click()
    person.page.locator(".fields").get_by_role("button", name="500", exact=True).click()
    person.page.get_by_role("menuitem", name="Only").click()
    assert person.address["q"] == "orders http.status_code:500"
    person.sees_total(42)


def test_a_mistake_is_named_and_mended_and_the_last_lines_stay(person: Person) -> None:
    person.opens(q="orders")
    person.sees_total(2100)
    query = person.page.get_by_role("combobox", name="Query")
    query.fill("service:(web payments)")
    person.page.keyboard.press("Escape")
    expect(person.page.locator(".query-wrong")).to_be_visible()
    expect(person.rows.first).to_contain_text("GET /orders/")
    person.page.get_by_role("button", name="service:(web OR payments)").click()
    person.page.wait_for_url(re.compile("web\\+OR\\+payments"))
    expect(person.page.locator(".query-wrong")).to_have_count(0)


def test_names_and_values_are_offered_with_their_counts(person: Person) -> None:
    person.opens(q="orders")
    counts = person.facet_counts("service")
    query = person.page.get_by_role("combobox", name="Query")
    query.fill("")
    query.press_sequentially("serv")
    person.page.get_by_role("option", name="service").click()
    query.press_sequentially("pay")
    offer = person.page.get_by_role("option", name="payments")
    assert number(offer.inner_text()) >= counts["payments"], (
        "offers count the range, whatever is searched in it"
    )
    query.press("Tab")
    expect(query).to_have_value("service:payments ")
    assert person.address["q"] == "orders", "offers never run anything"


@pytest.mark.parametrize(
    ("typed", "start"),
    [("3d", "now-3d"), ("today", "now/d"), ("2026-11-20", "2026-11-20T00:00:00Z")]
    + [("2026-11-20 10:42:07,123 ERROR it broke", "2026-11-20T10:39:37.123Z")],
)
def test_the_range_takes_what_people_have(person: Person, typed: str, start: str) -> None:
    person.opens()
    person.presses("d")
    person.page.get_by_label("Range", exact=True).fill(typed)
    person.page.keyboard.press("Enter")
    expect(person.page.locator(".time-panel")).to_have_count(0)
    assert person.address["start"] == start


def test_the_surroundings_of_a_line_open_in_place_and_escape_returns(person: Person) -> None:
    person.opens(q="severity:fatal")
    expect(person.rows.first).to_be_visible()
    person.presses("j")
    person.presses("c")
    band = person.page.get_by_role("region", name="Around one line")
    expect(band).to_contain_text("out of memory")
    person.page.get_by_role("button", name="service web").click()
    expect(band).to_contain_text("upstream web timed out")
    expect(band).not_to_contain_text("upstream payments timed out")
    person.presses("Escape")
    expect(band).to_have_count(0)
    person.sees_total(1)


def test_the_tail_joins_the_search_and_pauses(person: Person) -> None:
    person.opens(q="seen live", start="now-15m")
    send(person.made, [line(5, "web", "info", "seen live before")])
    person.page.get_by_role("button", name="Run").click()
    person.sees_total(1)
    person.presses("l")
    live = person.page.get_by_role("region", name="Live")
    expect(live).to_contain_text("seen live before")
    send(person.made, [line(1, "web", "info", f"seen live {n}") for n in range(3)])
    expect(live.get_by_text("seen live 2")).to_have_count(1)
    live.get_by_role("button", name="Pause").click()
    send(person.made, [line(0, "web", "info", f"seen live later {n}") for n in range(4)])
    expect(live.get_by_role("button", name="4 new")).to_be_visible()
    expect(live.get_by_text("later")).to_have_count(0)
    live.get_by_role("button", name="4 new").click()
    expect(live.get_by_text("later")).to_have_count(4)
    expect(live.get_by_text("seen live")).to_have_count(8)


def test_a_line_opens_with_its_fields_and_where_it_came_from(person: Person) -> None:
    person.opens(q=f"trace_id:{TRACE_ID}")
    person.sees_total(len(failure()))
    person.rows.first.click()
    detail = person.page.get_by_role("region", name="The line")
    expect(detail).to_contain_text(TRACE_ID)
    expect(detail).to_contain_text("received")
    expect(detail).to_contain_text("stored +")
    detail.get_by_role("tab", name="JSON").click()
    expect(detail).to_contain_text('"severity_number": 17')


def test_the_frames_of_a_stack_trace_are_folded(person: Person) -> None:
    person.opens(q='"no such order"')
    person.rows.first.click()
    detail = person.page.get_by_role("region", name="The line")
    expect(detail).not_to_contain_text("step11.py")
    detail.get_by_role("button", name=re.compile("frames")).click()
    expect(detail).to_contain_text("step11.py")


def test_a_clock_that_is_wrong_is_seen(person: Person) -> None:
    person.opens(q='"from a clock"')
    person.sees_total(2)
    person.rows.nth(0).click()
    expect(person.page.get_by_role("region", name="The line")).to_contain_text("a clock 2 hours ahead")
    person.rows.nth(0).click()
    person.rows.nth(1).click()
    expect(person.page.get_by_role("region", name="The line")).to_contain_text(
        "2 hours late, or with a clock behind"
    )


def test_a_link_gives_somebody_else_the_same_screen(person: Person, browser: Browser) -> None:
    person.opens(q="orders service:web", order="asc", columns="http.status_code,duration_ms", by="region")
    total = person.counted()
    first = person.rows.first.inner_text()
    legend = person.page.locator(".legend").inner_text()
    with Person.of(browser, person.made) as other:
        other.page.goto(person.page.url)
        other.sees_total(total)
        expect(other.rows.first).to_be_visible()
        assert other.rows.first.inner_text() == first
        expect(other.page.locator(".legend")).to_have_text(re.compile("eu-0"))
        assert other.page.locator(".legend").inner_text() == legend


def test_a_link_to_a_line_opens_it_whatever_was_searched(person: Person) -> None:
    person.opens(q="severity:fatal")
    person.rows.first.click()
    expect(person.page.get_by_role("region", name="The line")).to_be_visible()
    person.opens(q="absent", line=person.address["line"])
    expect(person.page.get_by_role("region", name="The line")).to_contain_text("out of memory")


def test_errors_are_walked_by_key(person: Person) -> None:
    person.opens(q="orders", order="desc")
    person.sees_total(2100)
    person.presses("e")
    expect(person.page.locator(".row-current")).to_contain_text("GET /orders/0 500")
    person.presses("e")
    expect(person.page.locator(".row-current")).to_contain_text("GET /orders/50 500")
    person.presses("E")
    expect(person.page.locator(".row-current")).to_contain_text("GET /orders/0 500")


def test_keys_are_listed_and_can_be_switched_off(person: Person) -> None:
    person.opens()
    person.sees_total(person.counted())
    person.presses("?")
    help_ = person.page.get_by_role("dialog", name="Keys")
    expect(help_).to_contain_text("Next error")
    help_.get_by_role("checkbox").uncheck()
    person.presses("Escape")
    person.presses("l")
    assert "live" not in person.address
    person.page.get_by_role("button", name="Keys").click()
    help_.get_by_role("checkbox").check()
    person.presses("Escape")
    person.presses("l")
    assert person.address["live"] == "1"


def test_escape_stops_what_is_being_searched(person: Person) -> None:
    person.opens()
    person.counted()
    held: list[object] = []
    person.page.route(re.compile("/logs/search"), lambda route: held.append(route))
    with person.page.expect_event("requestfailed", predicate=lambda request: "/logs/search" in request.url):
        person.page.get_by_role("button", name="Run").click()
        person.page.wait_for_function("document.querySelector('.loglist.stale')")
        person.presses("Escape")
    expect(person.rows.first).to_be_visible()
    person.page.unroute_all(behavior="ignoreErrors")


def test_a_chart_that_fails_leaves_the_lines(person: Person) -> None:
    person.page.route(re.compile("/logs/histogram"), lambda route: route.fulfill(status=503, body="no"))
    person.opens(q="orders")
    expect(person.page.locator(".histogram .problem-note")).to_be_visible()
    expect(person.rows.first).to_contain_text("GET /orders/")
    assert person.facet_counts("service")["web"] > 0
    person.page.unroute_all(behavior="ignoreErrors")
    person.complaints.clear()  # the browser tells of the 503 that was wanted


def test_colours_and_columns_are_remembered(person: Person, browser: Browser) -> None:
    person.opens(q="orders")
    person.page.get_by_role("button", name=re.compile("Colours")).click()
    expect(person.page.locator("html")).to_have_attribute("data-theme", "light")
    person.page.get_by_role("button", name=re.compile("Colours")).click()
    with person.page.expect_response(lambda answer: answer.url.endswith("/api/v1/me")) as kept:
        person.page.get_by_role("button", name=re.compile("Colours")).click()
    assert kept.value.ok
    person.page.get_by_role("button", name=re.compile("Colours")).click()
    with Person.of(browser, person.made) as again:
        expect(again.page.locator("html")).to_have_attribute("data-theme", re.compile("light|dark"))


def test_a_formula_in_a_csv_is_text(person: Person) -> None:
    person.opens(q="HYPERLINK")
    person.sees_total(1)
    with person.page.expect_download() as download:
        person.page.get_by_role("button", name="Export").click()
        person.page.get_by_role("link", name="CSV").click()
    rows = list(csv.reader(io.StringIO(download.value.path().read_text())))
    assert rows[1][rows[0].index("message")].startswith("'=")


def test_everything_that_was_sent_is_found(person: Person, storied: Installation) -> None:
    person.opens(q="NOT latecomer NOT live -service:crowd")
    person.sees_total(len(told()))
