"""That everybody can use it: by keys, with a screen reader, on a phone, in the dark, before hostile lines."""

import gzip
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.bench.installation import Installation
from tests.ui.person import LAN, NARROW, WIDE, Person
from tests.ui.story import line, send
from webapp.local import bundle

pytestmark = pytest.mark.acceptance
SERIOUS = ("serious", "critical")


def open_line(person: Person) -> None:
    person.opens(q="severity:>=error")
    person.rows.first.click()
    expect(person.page.get_by_role("region", name="The line")).to_contain_text("stored +")


def open_context(person: Person) -> None:
    person.opens(q="severity:fatal")
    expect(person.rows.first).to_be_visible()
    person.presses("j")
    person.presses("c")
    expect(person.page.get_by_role("region", name="Around one line")).to_contain_text("out of memory")


def open_live(person: Person) -> None:
    person.opens(q="orders", live="1")
    expect(person.page.get_by_role("region", name="Live")).to_contain_text("lines/s")


def open_range(person: Person) -> None:
    person.opens()
    person.presses("d")
    expect(person.page.locator(".time-panel")).to_be_visible()


def open_keys(person: Person) -> None:
    person.opens()
    person.page.get_by_role("button", name="Keys").click()
    expect(person.page.get_by_role("dialog", name="Keys")).to_be_visible()


def open_nothing(person: Person) -> None:
    person.opens(q="service:pyments")
    expect(person.page.get_by_role("heading", name="Nothing matches.")).to_be_visible()


SCREENS = [open_line, open_context, open_live, open_range, open_keys, open_nothing]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_no_screen_has_a_serious_fault_of_access_or_scrolls_sideways(
    browser: Browser, storied: Installation, axe: str, scheme: str, viewport: dict[str, int]
) -> None:
    with Person.of(browser, storied, viewport=viewport, color_scheme=scheme) as person:
        for screen in SCREENS:
            screen(person)
            assert serious(person.page, axe) == [], screen.__name__
            sideways = person.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert sideways <= 0, f"{screen.__name__} scrolls {sideways} px sideways"
        assert person.complaints == []


def serious(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)  # evaluate is the tester's own hand: the page's policy does not bind it
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {json.dumps([node['html'][:160] for node in one['nodes'][:3]])}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
    ]


def test_hostile_lines_are_only_text(person: Person) -> None:
    person.opens(q="owned OR HYPERLINK")
    expect(person.rows.first).to_be_visible()
    text = person.page.locator(".grid-lines").inner_text()
    assert "<script>document.title='owned'</script>" in text
    assert "‹ESC›[2J" in text
    assert "‹U+202E›" in text
    assert person.page.title() != "owned"
    for row in range(person.rows.count()):
        person.rows.nth(row).click()
        expect(person.page.get_by_role("region", name="The line")).to_be_visible()
    assert person.page.locator(".grid-lines script, .grid-lines img").count() == 0


def test_a_very_long_line_is_cut_and_says_by_how_much(person: Person) -> None:
    person.opens(q="xxxxxxxxxxxxxxxxxxxxxxxx")
    expect(person.rows.first).to_contain_text("+39,000 characters")
    person.rows.first.click()
    person.page.get_by_role("button", name="show all 40,000 characters").click()
    expect(person.page.locator(".long pre")).to_have_text("x" * 40_000)


def test_fields_are_a_sheet_on_a_small_screen(browser: Browser, storied: Installation) -> None:
    with Person.of(browser, storied, viewport=NARROW) as person:
        person.opens(q="orders")
        person.page.get_by_role("button", name="Fields").click()
        person.facet("service").get_by_label("web", exact=True).click()
        person.page.get_by_role("button", name="Close", exact=True).click()
        assert person.address["q"] == "orders service:web"


def test_it_works_over_plain_http_on_a_network(browser: Browser, storied: Installation) -> None:
    """Anything but localhost is no secure context: no clipboard, no crypto.randomUUID."""
    with Person.of(browser, storied, host=LAN) as person:
        person.opens(q="orders")
        person.sees_total(2100)
        assert person.page.evaluate("window.isSecureContext") is False
        person.presses("y")
        person.page.get_by_role("button", name="Copy link, keep relative").click()
        expect(person.page.get_by_text("Link copied")).to_be_visible()
        query = person.page.get_by_role("combobox", name="Query")
        query.fill("")
        query.press("Control+V")
        assert "q=orders" in query.input_value()
        assert person.complaints == []


def test_the_bundle_keeps_its_budget() -> None:
    bundle.build()
    size = sum(
        len(gzip.compress(path.read_bytes()))
        for path in Path(bundle.STAMP.parent).iterdir()
        if path.suffix in (".js", ".css")
    )
    assert size < 150_000, f"{size:,} bytes"


def test_the_page_allows_no_script_but_its_own(person: Person) -> None:
    answer = person.page.goto(person.made.facts["web_url"])
    assert answer
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert re.search(r"default-src 'self'", policy)
    send(person.made, [line(2, "web", "info", "policy")])
