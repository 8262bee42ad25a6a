"""The terminal's reader: pages to the limit, and a tail taken up again behind the last event."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ingest import reading
from ingest.client import Refused, Target, Unreachable
from ingest.reading import Event, Reader, events
from webapp.management.commands.search import explained, rendered

LINE = {
    "time": "2026-11-24T10:00:00.000000001Z",
    "severity": "error",
    "service": "api",
    "host": None,
    "message": "boom \x1b[2J\n  at x",
    "attributes": {"region": "eu", "n": 3, "deep": ["a"]},
}


class Paged(Reader):
    """Answers from a list of pages."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        super().__init__(Target("http://h", "t"))
        self.pages, self.asked = list(pages), []

    def page(self, parameters: Any) -> dict[str, Any]:
        self.asked.append(dict(parameters))
        return self.pages.pop(0)


class Broken(Reader):
    """Each stream gives its events and then breaks, or ends in good order."""

    def __init__(self, *streams: list[Event | Exception]) -> None:
        super().__init__(Target("http://h", "t"))
        self.streams, self.asked = list(streams), []

    def stream(self, parameters: Any) -> Iterator[Event]:
        self.asked.append(parameters["cursor"])
        for event in self.streams.pop(0):
            if isinstance(event, Exception):
                raise event
            yield event


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "pause", lambda attempt, asked, chance: 0.0 if attempt < 5 else 1e9)


def test_pages_follow_until_the_limit() -> None:
    reader = Paged({"logs": [1, 2], "next": "c1"}, {"logs": [], "next": "c2"}, {"logs": [3, 4], "next": "c3"})
    assert list(reader.search({"q": "x", "limit": "2"}, 3, print)) == [1, 2, 3]
    assert [asked.get("cursor") for asked in reader.asked] == [None, "c1", "c2"]
    assert [asked["limit"] for asked in reader.asked] == ["2", "1", "1"]


def test_a_tail_is_taken_up_behind_the_last_event() -> None:
    one, two = Event("line", "a", {}), Event("line", "b", {})
    lost = Refused(410, "expired")
    reader = Broken([one, ConnectionResetError()], [], [two], [Unreachable("restarting")], [lost])
    given, warnings = [], []
    with pytest.raises(Refused):
        for event in reader.tail({}, "start", 300, warnings.append):
            given.append(event)
    assert given == [one, two]
    assert reader.asked == ["start", "a", "a", "b", "b"]
    assert "restarting" in warnings[-1]


def test_a_server_that_stays_away_ends_the_tail() -> None:
    reader = Broken(*([ConnectionRefusedError()] for _ in range(9)))
    with pytest.raises(Unreachable, match="http://h does not answer"):
        list(reader.tail({}, "start", 300, lambda text: None))


def test_events_are_read_as_the_standard_says() -> None:
    text = b'event: line\nid: a\ndata: {"n":1}\n\n: comment\n\nevent: status\ndata: {}\n\ndata: {"cut'
    assert list(events(io.BytesIO(text))) == [Event("line", "a", {"n": 1}), Event("status", "", {})]  # type: ignore[arg-type]


def test_a_line_is_harmless_in_every_form() -> None:
    plain = rendered(LINE, None, False)
    assert plain == "2026-11-24T10:00:00.000000001Z ERROR api - boom \\x1b[2J\n      at x"
    assert rendered(LINE, ["region", "n", "deep", "missing", "message"], False) == (
        'eu\t3\t["a"]\t\tboom \\x1b[2J\\n  at x'
    )
    shown = rendered(LINE, None, True)
    assert json.loads(shown) == LINE and "\x1b" not in shown and "\n" not in shown


def test_a_mistake_is_one_sentence_with_its_place_and_cure() -> None:
    problem = {"errors": [{"message": "Never closed.", "offset": 0, "fix": "(a)"}]}
    assert explained(Refused(400, "bad", problem)) == "Never closed. (at character 1) Try: (a)"
    assert explained(Refused(401, "This token is unknown.")) == "This token is unknown. (401)"
