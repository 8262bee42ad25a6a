"""The story is told once, whenever the teller is killed and whatever became of the answers."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import story, story_telling
from ingest.client import Answer, Refused, Sender, Target
from ingest.journal import Journal, JournalBusy


class Killed(BaseException):
    """As a kill: nothing after it happens."""


class Server(Sender):
    """What an ingest keeps: bodies by key, each once. It can be killed with the sender, or refuse."""

    def __init__(self) -> None:
        super().__init__(Target("http://nowhere", "token"))
        self.kept: dict[str, bytes] = {}
        self.left = -1  # posts until the kill
        self.off = False

    def post(self, body: bytes, key: str, content_type: str = "application/x-ndjson") -> Answer:
        if self.off:
            raise Refused(403, "switched off")
        duplicate = key in self.kept
        assert self.kept.setdefault(key, body) == body, "one key, one content"
        self.left -= 1
        if self.left == 0:
            raise Killed
        return Answer(accepted=body.count(b"\n"), duplicate=duplicate)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A story of three bodies, each naming the instant it is told at."""
    monkeypatch.setattr(story, "bodies", lambda told_ns: [b"%d %d\n" % (n, told_ns) for n in range(3)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return story_telling.journal_path(tmp_path, 1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    ticks = itertools.count(1000)
    monkeypatch.setattr(story_telling.time, "time_ns", lambda: next(ticks))
    return ticks


def tell(server: Server, path: Path, telling: int = 1) -> tuple[bool, int]:
    bodies: list[bytes] = []
    return story_telling.tell(server, path, telling, lambda body, answer: bodies.append(body)), len(bodies)


def test_it_is_told_once(path: Path) -> None:
    server = Server()
    assert tell(server, path) == (True, 3)
    assert tell(server, path) == (False, 0)
    assert len(server.kept) == 4, "the marker, and the story"


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_a_kill_at_any_post_doubles_nothing(path: Path, clock: object, after: int) -> None:
    server = Server()
    server.left = after
    with pytest.raises(Killed):
        tell(server, path)
    server.left = -1
    assert tell(server, path)[0]
    assert len(server.kept) == 4
    assert len({body.split()[1] for key, body in server.kept.items() if key.count(":") == 3}) == 1


def test_without_its_journal_the_marker_says_that_it_was_told(path: Path) -> None:
    server = Server()
    tell(server, path)
    path.unlink()
    assert tell(server, path) == (False, 0)
    assert len(server.kept) == 4


def test_a_sender_that_is_switched_off_gives_the_story_up(path: Path) -> None:
    server = Server()
    server.left = 3
    with pytest.raises(Killed):
        tell(server, path)
    server.off = True
    with pytest.raises(Refused):
        tell(server, path)
    server.off = False
    assert tell(server, path) == (False, 0), "what was cleared is not completed afterwards"


def test_the_next_telling_is_another(path: Path, tmp_path: Path) -> None:
    server = Server()
    tell(server, path)
    assert tell(server, story_telling.journal_path(tmp_path, 2), 2) == (True, 3)
    assert len(server.kept) == 8


def test_two_do_not_tell_it_at_once(path: Path) -> None:
    with Journal(path), pytest.raises(JournalBusy):
        tell(Server(), path)


def test_a_journal_that_the_ledger_does_not_bear_out_is_forgotten(path: Path) -> None:
    tell(Server(), path)
    story_telling.forget(path)
    assert tell(Server(), path) == (True, 3)
