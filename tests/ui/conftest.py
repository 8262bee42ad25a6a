"""A real browser before a real installation. Package-wide: Playwright keeps a loop running while it is open,
and no other test shall find itself inside one.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.bench.installation import Installation, installation
from tests.ui.person import ARGUMENTS, Person
from tests.ui.story import crowd, send, told
from webapp.local import bundle


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "The explorer is tested in a browser: apt-get install chromium, or set CHROMIUM to one."
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="package")
def built() -> None:
    bundle.build()


@pytest.fixture(scope="package")
def storied(built: None) -> Iterator[Installation]:
    """An installation that holds the lines of tests/ui/story.py; among CROWD others, where that is set."""
    with installation() as made:
        crowd(made, int(os.environ.get("CROWD", "0")))
        send(made, told())
        yield made


@pytest.fixture(scope="package")
def bare(built: None) -> Iterator[Installation]:
    """One that never was sent a line. Tests of it stand in the order in which they fill it."""
    with installation() as made:
        yield made


@pytest.fixture
def person(browser: Browser, storied: Installation) -> Iterator[Person]:
    """Somebody who has logged in; what their browser complains about fails the test."""
    with Person.of(browser, storied) as somebody:
        yield somebody
        assert somebody.complaints == []


@pytest.fixture(scope="package")
def axe() -> str:
    source = (Path(bundle.SOURCES) / "node_modules" / "axe-core" / "axe.min.js").read_text()
    return f"{source}; null"
