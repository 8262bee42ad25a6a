"""Somebody at the explorer: where they look and what they press, in the words of the page."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.bench.installation import Installation

# Headless and closed in: none of them asks the world for anything.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP logs.lan 127.0.0.1",
]
LAN = "logs.lan"  # the installation by a name that a browser does not trust as it trusts localhost
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PATIENCE_MS = 15_000
DAY = {"start": "now-25h", "end": "now+3h", "tz": "UTC"}
expect.set_options(timeout=PATIENCE_MS)


class Person:
    def __init__(self, page: Page, made: Installation, host: str) -> None:
        self.page, self.made = page, made
        self.home = made.facts["web_url"].replace("127.0.0.1", host)
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self.heard)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    @classmethod
    @contextlib.contextmanager
    def of(
        cls,
        browser: Browser,
        made: Installation,
        user: str = "",
        password: str = "",
        viewport: Any = WIDE,
        host: str = "127.0.0.1",
        **options: Any,
    ) -> Iterator["Person"]:
        context = browser.new_context(viewport=viewport, timezone_id="UTC", accept_downloads=True, **options)
        try:
            person = cls(context.new_page(), made, host)
            person.log_in(user or made.facts["admin_user"], password or made.facts["admin_password"])
            yield person
        finally:
            context.close()

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    def log_in(self, user: str, password: str) -> None:
        self.page.goto(f"{self.home}/login/")
        self.page.fill("input[name=username]", user)
        self.page.fill("input[name=password]", password)
        self.page.press("input[name=password]", "Enter")
        self.page.wait_for_url(f"{self.home}/")

    def opens(self, **address: str) -> None:
        """The explorer at this address; the whole day where no range is given."""
        self.page.goto(f"{self.home}/?{urlencode({**DAY, **address})}")
        expect(self.page.locator(".explorer")).to_be_visible()

    @property
    def address(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.page.url).query).items()}

    # ---- what there is to see ----

    @property
    def rows(self) -> Locator:
        return self.page.locator(".loglist .row[aria-rowindex]:not(.row-head)")

    @property
    def total(self) -> Locator:
        return self.page.locator(".strip b")

    def sees_total(self, count: int) -> None:
        expect(self.total).to_have_text(f"{count:,} {'line' if count == 1 else 'lines'}")

    def counted(self) -> int:
        expect(self.total).to_have_text(re.compile(r"^[\d,]+ lines?$"))
        return number(self.total.inner_text())

    def facet(self, field: str) -> Locator:
        return self.page.get_by_role("region", name=field, exact=True)

    def facet_counts(self, field: str) -> dict[str, int]:
        facet = self.facet(field)
        expect(facet.locator(".facet-row").first).to_be_visible()
        return {
            row.locator(".facet-name").inner_text().strip(): number(row.locator(".facet-count").inner_text())
            for row in facet.locator(".facet-row").all()
        }

    # ---- what there is to do ----

    def asks(self, query: str) -> None:
        self.page.get_by_role("combobox", name="Query").fill(query)
        self.page.keyboard.press("Escape")
        self.page.get_by_role("button", name="Run").click()

    def presses(self, key: str) -> None:
        self.page.keyboard.press(key)

    def reads_clipboard(self) -> str:
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        return str(self.page.evaluate("navigator.clipboard.readText()"))


def number(text: str) -> int:
    return int(re.sub(r"\D", "", text))
