"""A tail on real tables: what arrives is given once, in order of commit, from wherever it was left off."""

import random
import threading
import uuid
from collections import Counter

import psycopg
import pytest
from django.conf import LazySettings

from ingest.record import LogRecord
from tests.reading import DAY
from tests.rows import NOW_US, record, unit
from webapp.access.scope import ALL, NOTHING, Scope
from webapp.logs import arrivals, store
from webapp.logs.arrivals import Cursor, Step
from webapp.logs.asking import Ask, Refused, prepared
from webapp.logs.errors import BadToken, CursorExpired
from webapp.logs.search import search


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "PAGE_LINES", 7)
    monkeypatch.setattr(arrivals, "SLICE_ROWS", 20)


def put(conn: psycopg.Connection, *records: LogRecord, source: int = 3) -> uuid.UUID:
    batch = unit(*records, source=source)
    store.store(conn, [batch])
    return batch.batch


def step(cursor: Cursor, q: str = "", scope: Scope = ALL) -> Step:
    ask = Ask(q=q)
    return arrivals.step(ask, scope, prepared(ask), cursor)


def here(q: str = "") -> Cursor:
    ask = Ask(q=q)
    return arrivals.now(ask, ALL, prepared(ask))


def all_from(cursor: Cursor, q: str = "", scope: Scope = ALL) -> tuple[list[str], Cursor]:
    messages: list[str] = []
    while True:
        taken = step(cursor, q, scope)
        messages += [line.message for line in taken.lines]
        cursor = taken.cursor
        if not taken.more:
            return messages, cursor


def test_only_what_arrived_is_given_in_order_of_commit_not_of_time(url: str) -> None:
    with store.connect(url) as conn:
        put(conn, record("before"))
        cursor = here()
        put(conn, record("first", NOW_US + 5), record("second", NOW_US))
        put(conn, record("third, and late", NOW_US - 20 * DAY))
        messages, cursor = all_from(cursor)
        assert messages == ["first", "second", "third, and late"]
        assert all_from(cursor)[0] == []


def test_an_as_of_of_a_search_is_where_a_tail_may_begin(plain_url: str) -> None:
    with store.connect(plain_url) as conn:
        put(conn, record("before"))
        page = search(Ask(), ALL)
        put(conn, record("after"))
    assert all_from(arrivals.parse(page.as_of))[0] == ["after"]


def test_a_transaction_that_was_open_then_is_given_when_it_commits(plain_url: str) -> None:
    with store.connect(plain_url) as slow, store.connect(plain_url) as quick:
        slow.execute("BEGIN")
        slow.execute("SELECT pg_current_xact_id()")  # its number is lower than that of the one that follows
        put(quick, record("quick"))
        cursor = here()
        ledger = store.enter_ledger(slow, [unit(record("slow"))])
        store.copy_units(slow, ledger)
        store.close_segment(slow, ledger)
    assert all_from(cursor)[0] == ["slow"]


@pytest.mark.usefixtures("small_pages")
def test_any_line_is_a_place_to_go_on_from(plain_url: str) -> None:
    cursor = here()
    with store.connect(plain_url) as conn:
        for group in range(6):
            put(conn, *(record(f"{group}-{at}") for at in range(9)))
    whole, _ = all_from(cursor)
    assert len(whole) == 54
    given, places = [], []
    at = cursor
    while True:
        taken = step(at)
        given += [line.message for line in taken.lines]
        places += taken.cursors
        at = taken.cursor
        if not taken.more:
            break
    assert given == whole
    for index, place in enumerate(places):
        assert all_from(arrivals.parse(place))[0] == whole[index + 1 :]


@pytest.mark.usefixtures("small_pages")
def test_what_does_not_match_moves_the_tail_on(plain_url: str) -> None:
    cursor = here()
    with store.connect(plain_url) as conn:
        for group in range(6):
            put(conn, *(record(f"{group} {'odd' if at % 2 else 'even'}") for at in range(14)))
        put(conn, record("rare"))
    assert all_from(cursor, "rare")[0] == ["rare"]
    assert len(all_from(cursor, "odd")[0]) == 42


def test_the_scope_is_applied_to_every_step(plain_url: str) -> None:
    cursor = here()
    with store.connect(plain_url) as conn:
        put(conn, record("mine"), source=3)
        put(conn, record("theirs"), source=4)
    assert all_from(cursor, scope=Scope(frozenset({3})))[0] == ["mine"]
    assert all_from(cursor, scope=NOTHING)[0] == []


@pytest.mark.usefixtures("small_pages")
def test_writers_that_commit_out_of_order_are_followed_without_gap_or_repeat(url: str) -> None:
    cursor, done = here(), threading.Event()
    seen: Counter[str] = Counter()

    def write(writer: int) -> None:
        r = random.Random(writer)
        with store.connect(url) as conn:
            for group in range(12):
                put(conn, *(record(f"{writer}-{group}-{at}") for at in range(r.randrange(1, 12))))

    def follow() -> None:
        at = cursor
        while True:
            last = done.is_set()
            taken = step(at)
            seen.update(line.message for line in taken.lines)
            at = taken.cursor
            if last and not taken.more:
                return

    follower = threading.Thread(target=follow)
    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in (follower, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    follower.join()
    with psycopg.connect(url) as conn:
        stored = {message for (message,) in conn.execute("SELECT message FROM log")}
    assert seen == Counter(stored)


@pytest.mark.usefixtures("small_pages")
def test_a_leap_says_how_many_matching_lines_it_left_out(plain_url: str) -> None:
    ask = Ask(q="odd")
    cursor = here()
    with store.connect(plain_url) as conn:
        put(conn, *(record(f"{at} {'odd' if at % 2 else 'even'}") for at in range(40)))
        begun = step(cursor, "odd").cursor
        put(conn, *(record(f"{at} odd") for at in range(3)))
        given = len(step(cursor, "odd").lines)
        gap = arrivals.leap(ask, ALL, prepared(ask), begun)
        assert gap.lines == 20 + 3 - given
        put(conn, record("odd after the gap"))
    assert gap.since <= gap.until
    assert all_from(gap.cursor, "odd")[0] == ["odd after the gap"]


@pytest.mark.parametrize("text", ["x.y", "nonsense", "a.b.c.d"])
def test_a_cursor_that_is_none_is_refused(plain_url: str, text: str) -> None:
    with pytest.raises((Refused, BadToken)):
        arrivals.parse(text)


def test_an_old_cursor_has_expired(plain_url: str, settings: LazySettings) -> None:
    cursor = here().encode()
    settings.TOKEN_SECONDS = -1
    with pytest.raises(CursorExpired):
        arrivals.parse(cursor)
