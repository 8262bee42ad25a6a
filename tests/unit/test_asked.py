"""The search page's address."""

import pytest

from webapp.ui.asked import Asked


@pytest.mark.parametrize(
    ("given", "bounds"),
    [
        ({}, ("now-15m", "")),
        ({"range": "7d"}, ("now-7d", "")),
        ({"range": "all"}, ("", "")),
        ({"range": "custom", "start": "now-2h", "end": "now-1h"}, ("now-2h", "now-1h")),
        ({"start": "2026-11-24"}, ("2026-11-24", "")),
        ({"range": "1h", "start": "2026-11-24"}, ("now-1h", "")),
        ({"range": "a thousand years"}, ("now-15m", "")),
    ],
)
def test_a_range_is_what_the_search_understands(given: dict[str, str], bounds: tuple[str, str]) -> None:
    assert Asked.of(given).bounds == bounds


def test_a_link_says_only_what_is_not_understood_anyway() -> None:
    assert Asked.of({"q": "a b", "order": "desc"}).address() == "?q=a+b"
    assert Asked.of({"order": "asc"}).address() == "?order=asc"


def test_a_link_leads_back_to_what_was_asked() -> None:
    asked = Asked.of({"q": "x=1&y", "start": "now-2h", "order": "asc", "cursor": "c", "as_of": "t"})
    words = dict(word.split("=") for word in asked.address()[1:].split("&"))
    assert words["range"] == "custom"
    assert words["cursor"] == "c"


def test_another_search_begins_at_its_first_page() -> None:
    assert Asked(q="x", cursor="c", as_of="t").anew(order="asc") == "?q=x&order=asc"


def test_a_clause_narrows_the_whole_query() -> None:
    assert Asked(q="a OR b").narrowed("service:api") == "?q=%28a+OR+b%29+service%3Aapi"
