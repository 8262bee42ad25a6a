"""The directory through a real broker: published, read, kept while the broker is away."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from ingest.broker import connect
from ingest.directory import (
    CHECK_SECONDS,
    STRANGE_SECONDS,
    Directory,
    DirectoryReader,
    SourceEntry,
    TokenEntry,
    publish,
)
from ingest.errors import NoDirectory
from webapp.local import servers


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now

    def turn(self) -> None:
        self.now += CHECK_SECONDS


def directory(name: str) -> Directory:
    return Directory(
        version=0,
        tokens={"ab12": TokenEntry(source=3, scope="ingest", name=name)},
        sources={3: SourceEntry("web", weight=2, retention_days=7, identical_is_retry=True)},
    )


def name_in(reader: DirectoryReader) -> str:
    return reader.get().tokens["ab12"].name


def test_a_published_directory_is_read_whole(any_broker: redis.Redis) -> None:
    version = publish(any_broker, directory("agent"))
    read = DirectoryReader(any_broker).get()
    assert read == Directory(version, directory("agent").tokens, directory("agent").sources)


def test_without_a_directory_there_is_no_answer_but_a_later_one(any_broker: redis.Redis) -> None:
    clock = Clock()
    reader = DirectoryReader(any_broker, clock=clock)
    with pytest.raises(NoDirectory) as refusal:
        reader.get()
    assert refusal.value.status == 503
    publish(any_broker, directory("agent"))
    clock.turn()
    assert name_in(reader) == "agent"


def test_a_new_version_is_seen_within_a_second_and_not_asked_for_more_often(any_broker: redis.Redis) -> None:
    clock = Clock()
    reader = DirectoryReader(any_broker, clock=clock)
    publish(any_broker, directory("old"))
    assert name_in(reader) == "old"
    publish(any_broker, directory("new"))
    assert name_in(reader) == "old"
    clock.turn()
    assert name_in(reader) == "new"


def test_a_broker_that_came_back_empty_is_noticed_when_it_is_published_again(any_broker: redis.Redis) -> None:
    clock = Clock()
    reader = DirectoryReader(any_broker, clock=clock)
    publish(any_broker, directory("old"))
    assert name_in(reader) == "old"
    any_broker.flushall()
    clock.turn()
    assert name_in(reader) == "old"
    publish(any_broker, directory("new"))
    clock.turn()
    assert name_in(reader) == "new"


def test_a_directory_that_knows_nobody_we_knew_is_believed_only_when_it_stays(
    any_broker: redis.Redis,
) -> None:
    clock = Clock()
    reader = DirectoryReader(any_broker, clock=clock)
    publish(any_broker, directory("ours"))
    assert name_in(reader) == "ours"
    publish(any_broker, Directory(0, {"cd34": TokenEntry(1, "ingest", "theirs")}, {1: SourceEntry("theirs")}))
    for _ in range(int(STRANGE_SECONDS)):
        clock.turn()
        assert name_in(reader) == "ours"
    clock.turn()
    assert [entry.name for entry in reader.get().tokens.values()] == ["theirs"]


def test_a_token_that_is_gone_from_among_others_is_gone_at_once(any_broker: redis.Redis) -> None:
    clock = Clock()
    reader = DirectoryReader(any_broker, clock=clock)
    both = directory("stays")
    both.tokens["ef56"] = TokenEntry(3, "ingest", "goes")
    publish(any_broker, both)
    assert len(reader.get().tokens) == 2
    publish(any_broker, directory("stays"))
    clock.turn()
    assert list(reader.get().tokens) == ["ab12"]


def test_every_publication_has_a_higher_version(any_broker: redis.Redis) -> None:
    versions = [publish(any_broker, directory("agent")) for _ in range(20)]
    assert versions == sorted(set(versions))


def test_the_last_directory_stands_while_the_broker_is_away(any_broker: redis.Redis) -> None:
    clock = Clock()
    reader = DirectoryReader(any_broker, clock=clock)
    publish(any_broker, directory("agent"))
    reader.get()
    reader._client = connect(f"redis://127.0.0.1:{servers.free_port()}/0")
    clock.turn()
    assert name_in(reader) == "agent"


def test_a_broker_that_was_never_there_is_no_directory() -> None:
    with pytest.raises(NoDirectory):
        DirectoryReader(connect(f"redis://127.0.0.1:{servers.free_port()}/0")).get()


def test_while_one_thread_asks_a_broker_that_hangs_the_others_do_not_wait_in_line() -> None:
    """Each would ask in its turn, a timeout after the other, and none were left to answer a probe."""
    asking, answer = threading.Event(), threading.Event()

    class Hanging:
        asked = 0

        def get(self, name: str) -> bytes | None:
            self.asked += 1
            asking.set()
            assert answer.wait(30)
            return None

    broker, clock = Hanging(), Clock()
    reader = DirectoryReader(broker, clock=clock)  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(reader.get)
        assert asking.wait(10)
        clock.turn()
        for _ in range(8):
            with pytest.raises(NoDirectory):
                reader.get()
        answer.set()
        with pytest.raises(NoDirectory):
            patient.result(10)
    with pytest.raises(NoDirectory):
        reader.get()
    assert broker.asked == 1, "what took long to fail is not asked again at once"
