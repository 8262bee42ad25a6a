"""One source floods, through the real port and a real broker: what becomes of the others."""

import gzip
import itertools
import os
from collections import Counter
from collections.abc import Iterator

import pytest
import redis

from ingest.buffer import Buffer, Claimed, Held, State
from ingest.directory import Directory, SourceEntry, TokenEntry, digest, make_token, publish
from tests.brokers import ids, moves, offer
from tests.ports import Port, serving
from tests.senders import LINE, Answer
from webapp.local import servers

NOISY, QUIET, HEAVY = 1, 2, 3
TOKENS = {source: make_token("ingest") for source in (NOISY, QUIET, HEAVY)}
SOURCES = {NOISY: SourceEntry("noisy"), QUIET: SourceEntry("quiet"), HEAVY: SourceEntry("heavy", weight=3)}
DIRECTORY = Directory(
    0, {digest(token): TokenEntry(source, "ingest", "") for source, token in TOKENS.items()}, SOURCES
)
ALONE = Directory(0, DIRECTORY.tokens, {NOISY: SOURCES[NOISY]})
MEMORY = 24 * 1024**2


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Port, redis.Redis]]:
    directory = tmp_path_factory.mktemp("fairness")
    launched = servers.valkey(directory / "broker", servers.free_port(), broker=True, maxmemory=str(MEMORY))
    with servers.running(launched) as server, serving(server.url, directory / "log") as port:
        client = redis.Redis.from_url(server.url)
        yield port, client
        client.close()


@pytest.fixture
def port(served: tuple[Port, redis.Redis]) -> Port:
    """With a broker in which nothing waits."""
    port, client = served
    client.flushall()
    publish(client, DIRECTORY)
    for token in TOKENS.values():
        port.until_accepted(LINE, token)  # what the last test left is forgotten
    client.flushall()
    publish(client, DIRECTORY)
    return port


@pytest.fixture
def waits(served: tuple[Port, redis.Redis]) -> Buffer:
    return Buffer(served[1])


def noise() -> bytes:
    """A line of 200,000 bytes that nothing makes smaller than a half."""
    return b'{"message": "' + os.urandom(100_000).hex().encode() + b'"}\n'


def flood(port: Port, source: int) -> Answer:
    """The first refusal."""
    for _ in range(1000):
        answer = port.post(noise(), TOKENS[source])
        if answer.status != 202:
            return answer
    raise AssertionError("a thousand times 200,000 bytes were let into a broker of 24 MiB")


def crowd(buffer: Buffer, share: float) -> None:
    while buffer.depth().memory_share < share:
        buffer.accept(offer(source=QUIET, payload=os.urandom(100_000)))


def store(buffer: Buffer, batches: list[Claimed]) -> None:
    buffer.finish(moves(batches, State.STORED))


# ---- room in the broker ----


def test_a_source_that_fills_the_broker_is_refused_and_the_others_are_not(port: Port, waits: Buffer) -> None:
    refused = flood(port, NOISY)
    assert (refused.status, refused.json["code"]) == (429, "over_share")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert port.refused("over_share") >= 1
    quiet = [port.post(noise(), TOKENS[QUIET]).status for _ in range(10)]
    assert quiet == [202] * 10
    assert port.post(LINE, TOKENS[NOISY]).status == 429
    assert 0.5 <= waits.depth().memory_share < 0.75


def test_what_is_refused_is_neither_kept_nor_inflated(port: Port, waits: Buffer) -> None:
    assert flood(port, NOISY).status == 429
    crowd(waits, 0.6)
    before = port.figures("logboom_ingest_wire_bytes_total", "logboom_ingest_inflated_bytes_total")
    held = port.memory_mib()
    bodies = [gzip.compress(bytes(64 * 1024**2)), os.urandom(16 * 1024**2)]
    for body in bodies:
        assert port.post(body, TOKENS[NOISY], Content_Encoding="gzip").status == 429
    assert port.figures("logboom_ingest_wire_bytes_total", "logboom_ingest_inflated_bytes_total") == before
    assert port.memory_mib() - held < 8


def test_the_room_that_is_left_ends_for_everybody_at_the_bound(port: Port, waits: Buffer) -> None:
    assert flood(port, NOISY).status == 429
    crowd(waits, 0.75)
    answer = port.until_refused(LINE, TOKENS[HEAVY], "overloaded")
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "10", "nothing drains"


def test_when_its_lines_have_drained_a_source_is_let_in_again(port: Port, waits: Buffer) -> None:
    assert flood(port, NOISY).status == 429
    while batches := waits.claim("w").batches:
        store(waits, batches)
    port.until_accepted(LINE, TOKENS[NOISY])


def test_a_source_that_has_the_broker_to_itself_may_fill_it(
    port: Port, served: tuple[Port, redis.Redis], waits: Buffer
) -> None:
    publish(served[1], ALONE)
    port.until_refused(LINE, TOKENS[QUIET], "forbidden")
    assert flood(port, NOISY).json["code"] == "overloaded"
    assert waits.depth().memory_share >= 0.75


def test_in_a_crowded_broker_the_keys_of_a_fast_sender_are_soon_forgotten(
    port: Port, served: tuple[Port, redis.Redis], waits: Buffer
) -> None:
    """The ledger knows them for weeks; the broker would be filled by them, and nobody's queue be to blame."""
    client = served[1]
    assert port.post(LINE, TOKENS[QUIET], Idempotency_Key="early").status == 202
    (early,) = client.keys("k:*")
    assert flood(port, NOISY).status == 429
    crowd(waits, 0.6)
    port.until_refused(LINE, TOKENS[NOISY], "over_share")
    assert port.post(LINE, TOKENS[HEAVY], Idempotency_Key="late").status == 202
    (late,) = set(client.keys("k:*")) - {early}
    assert 200_000 < client.pttl(late) <= 300_000
    assert client.pttl(early) > 3_000_000


# ---- a turn with the workers ----


def test_behind_forty_thousand_rows_a_quiet_source_is_served_in_the_next_group(
    port: Port, waits: Buffer
) -> None:
    for _ in range(40):
        assert port.post(LINE * 1000, TOKENS[NOISY]).status == 202
    store(waits, waits.claim("w").batches)
    quiet = port.post(LINE, TOKENS[QUIET]).json["batch"]
    assert waits.depth().queued_rows > 20_000
    assert quiet in map(str, ids(waits.claim("w")))


@pytest.mark.usefixtures("port")
def test_in_the_long_run_each_source_gets_what_its_weight_says(waits: Buffer) -> None:
    """Lines keep coming in while they are served, in batches of all sizes."""
    sizes = itertools.cycle((1, 700, 3000, 50, 400))
    rows: Counter[int] = Counter()
    for _ in range(60):
        for source in (NOISY, HEAVY):
            while waits.depth().by_source.get(source, Held()).queued_rows < 12_000:
                waits.accept(offer(source=source, rows=next(sizes)))
        batches = waits.claim("w").batches
        for batch in batches:
            rows[batch.source] += batch.rows
        store(waits, batches)
    assert rows[NOISY] > 50_000
    assert abs(rows[HEAVY] - 3 * rows[NOISY]) <= 10_000, "a group, of more than 200,000 rows"
