"""A followed file, however it is written and rotated: every line once, in its order, none held back."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ingest.client import Answer, Unreachable
from ingest.following import QUIET_SECONDS, Follower
from ingest.outgoing import Label
from ingest.shipment import Shipment

LABEL = Label("app", "box", "UTC")


class Ledger:
    """Stands for the server's promise, and keeps what was stored in its order."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.messages: list[str] = []
        self.away = False
        self.deaf = False  # stores, but its answers are lost

    def post(self, body: bytes, key: str, content_type: str = "") -> Answer:
        if self.away:
            raise Unreachable("gone")
        known = key in self.keys
        self.keys.add(key)
        if not known:
            self.messages += [msgspec.json.decode(line)["message"] for line in body.splitlines()]
        if self.deaf:
            raise Unreachable("gone")
        return Answer("b", 1, [], known)


class Followed:
    """The follower under test, and a clock that goes on with each poll."""

    def __init__(self, directory: Path) -> None:
        self.path, self.journals = directory / "logs" / "app.log", directory / "state"
        self.path.parent.mkdir()
        self.ledger, self.now = Ledger(), 0.0
        self.begin()

    def begin(self) -> None:
        self.follower = Follower(
            self.path, lambda file: Shipment(file, self.ledger, self.journals, LABEL), self.journals
        )

    def write(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    def polls(self, times: int = 2, seconds: float = 0.5) -> list[str]:
        for _ in range(times):
            self.now += seconds
            self.follower.poll(self.now, lambda chunk, answer: None)
        return self.ledger.messages

    def rotate(self) -> Path:
        return self.path.rename(self.path.with_name("app.log.1"))


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    one = Followed(tmp_path)
    yield one
    one.follower.close()


def test_what_is_written_later_is_sent(followed: Followed) -> None:
    followed.write("one\n")
    assert followed.polls() == ["one"]
    followed.write("two\n")
    assert followed.polls() == ["one", "two"]


def test_a_file_that_is_not_there_yet_is_waited_for(followed: Followed) -> None:
    assert followed.polls() == []
    followed.write("")
    assert followed.polls() == []
    followed.write("one\n")
    assert followed.polls() == ["one"]


def test_half_a_line_waits_for_its_end(followed: Followed) -> None:
    followed.write("one\nhal")
    assert followed.polls(4) == ["one"]
    followed.write("f\n")
    assert followed.polls() == ["one", "half"]


def test_a_trace_that_is_being_written_is_sent_whole(followed: Followed) -> None:
    followed.write("2026-11-24 12:00:00 ERROR x\n")
    followed.polls(1)
    followed.write("\tat a.B.c(D.java:1)\n")
    assert followed.polls(3) == ["x\n\tat a.B.c(D.java:1)"]


def test_after_a_rotation_the_old_file_is_read_on_and_the_new_one_begun(followed: Followed) -> None:
    followed.write("one\n")
    followed.polls()
    followed.write("two\n")
    rotated = followed.rotate()
    followed.polls(1)  # nobody has made the new one yet
    followed.write("four\n")
    with rotated.open("a") as late:  # its writer has not noticed
        late.write("three\n")
    followed.polls()
    with rotated.open("a") as late:
        late.write("last, without its end")
    assert sorted(followed.polls(3, QUIET_SECONDS)) == [
        "four",
        "last, without its end",
        "one",
        "three",
        "two",
    ]


def test_a_rotation_between_two_runs_loses_nothing(followed: Followed) -> None:
    followed.write("one\n")
    followed.polls()
    followed.follower.close()
    followed.write("two\n")
    followed.rotate()
    followed.write("three\n")
    followed.begin()
    assert followed.polls(3) == ["one", "two", "three"]


def test_a_file_cut_short_in_place_is_finished_from_its_copy_and_begun_anew(followed: Followed) -> None:
    followed.write("one\n")
    followed.polls()
    followed.write("two\n")
    shutil.copyfile(followed.path, followed.path.with_name("app.log.1"))
    os.truncate(followed.path, 0)
    assert followed.polls() == ["one", "two"]
    followed.write("three\n")
    assert followed.polls() == ["one", "two", "three"]


def test_cut_short_and_written_on_at_once_it_is_another_file(followed: Followed) -> None:
    followed.write("one\ntwo\nthree\n")
    followed.polls()
    os.truncate(followed.path, 0)
    followed.write("four\nfive\nsix\nseven\n")
    assert followed.polls(3)[3:] == ["four", "five", "six", "seven"]


def test_a_server_that_is_away_gets_everything_once_it_is_back(followed: Followed) -> None:
    followed.write("one\n")
    followed.polls()
    followed.ledger.away = True
    followed.write("two\n")
    with pytest.raises(Unreachable):
        followed.polls()
    followed.rotate()
    followed.write("three\n")
    with pytest.raises(Unreachable):
        followed.polls()
    followed.ledger.away = False
    assert followed.polls(3) == ["one", "two", "three"]


def test_a_lost_answer_is_no_second_copy_though_the_file_grew_meanwhile(followed: Followed) -> None:
    followed.write("one\n")
    followed.ledger.deaf = True
    with pytest.raises(Unreachable):
        followed.polls()
    followed.follower.close()
    followed.write("two\n")
    followed.begin()
    followed.ledger.deaf = False
    assert followed.polls(3) == ["one", "two"]


def test_a_run_goes_on_where_the_last_one_stopped(followed: Followed) -> None:
    followed.write("one\n" * 3)
    followed.polls()
    followed.follower.close()
    followed.write("two\n")
    followed.begin()
    assert followed.polls() == ["one"] * 3 + ["two"]
    assert followed.follower.tally.skipped == 3


def test_from_the_start_everything_is_known(followed: Followed) -> None:
    followed.write("one\n" * 3)
    followed.polls()
    followed.follower.close()
    followed.begin()
    followed.follower.from_start = True
    assert followed.polls() == ["one"] * 3
    assert followed.follower.tally.known == 3
