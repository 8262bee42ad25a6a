"""Why there is nothing to see: five answers, each with one thing to do about it."""

import os
import re
import signal

import pytest
from playwright.sync_api import Browser, expect

from tests.bench.installation import Installation
from tests.ui.person import Person
from tests.ui.story import line, send

pytestmark = pytest.mark.acceptance
MAKE_READER = """
from django.contrib.auth.models import User
User.objects.create_user("reader", password="nothing-to-read")
"""


def test_before_the_first_line_it_is_told_how_to_send_one_and_seen_to_arrive(
    browser: Browser, bare: Installation
) -> None:
    with Person.of(browser, bare) as person:
        page = person.page
        expect(page.get_by_role("heading", name="Waiting for your first line")).to_be_visible()
        page.get_by_role("tab", name="agent").click()
        page.get_by_role("tab", name="curl").click()
        page.get_by_role("button", name="Fill in a token").click()
        expect(page.locator(".empty-example")).to_contain_text(re.compile(r"lb_ingest_[a-z0-9]{20}"))
        send(bare, [line(1, "hello", "info", "my first line")])
        expect(
            page.get_by_role("heading", name=re.compile(r"First line stored \d+\.\d s after"))
        ).to_be_visible()
        page.get_by_role("button", name="Show it").click()
        expect(person.rows).to_have_count(1)
        assert person.complaints == []


def test_a_range_without_lines_offers_the_newest_one(person: Person) -> None:
    person.opens(q="out of memory", start="2026-01-01T00:00:00Z", end="2026-01-02T00:00:00Z")
    expect(person.page.get_by_role("heading", name="Nothing in this range.")).to_be_visible()
    person.page.get_by_role("button", name="Go there").click()
    expect(person.rows.first).to_contain_text("out of memory")


def test_a_misspelt_value_is_answered_with_the_near_one(person: Person) -> None:
    person.opens(q="service:pyments")
    expect(person.page.get_by_role("heading", name="Nothing matches.")).to_be_visible()
    person.page.get_by_role("button", name="Search service:payments").click()
    expect(person.rows.first).to_be_visible()
    assert person.address["q"] == "service:payments"


def test_who_may_read_nothing_is_told_that_sources_are_hidden(
    browser: Browser, storied: Installation
) -> None:
    storied.manage("shell", "-c", MAKE_READER)
    with Person.of(browser, storied, "reader", "nothing-to-read") as reader:
        expect(reader.page.get_by_role("heading", name=re.compile("hidden from you"))).to_be_visible()
        assert reader.complaints == []


def test_lines_that_wait_for_the_database_are_counted(browser: Browser, storied: Installation) -> None:
    worker = storied.facts["pids"]["worker"][0]
    os.kill(worker, signal.SIGSTOP)
    try:
        send(storied, [line(1, "web", "info", f"not stored yet {n}") for n in range(7)], wait=False)
        with Person.of(browser, storied) as person:
            person.opens(q='"not stored yet"')
            expect(person.page.get_by_role("heading", name="7 lines wait for the database.")).to_be_visible()
            os.kill(worker, signal.SIGCONT)
            expect(person.page.locator(".strip")).to_contain_text("0 queued")
            person.page.get_by_role("button", name="Run").click()
            person.sees_total(7)
            assert person.complaints == []
    finally:
        os.kill(worker, signal.SIGCONT)
