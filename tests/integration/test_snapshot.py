"""A token names an exact set of committed segments, whatever commits meanwhile and in whatever order."""

import random
import threading
import uuid
from collections import Counter
from typing import Any

import psycopg
import pytest
from django.conf import LazySettings

from tests.rows import record, unit
from webapp.logs import snapshot, store
from webapp.logs.errors import BadToken, CursorExpired
from webapp.logs.snapshot import Token, between, reading, visible
from webapp.logs.token import decode


def seen(reader: snapshot.Reader) -> list[str]:
    clause, params = visible(reader.token)
    query = snapshot.sql.SQL("SELECT message FROM log WHERE {} ORDER BY message").format(clause)
    return [message for (message,) in reader.conn.execute(query, params)]


def stepped(reader: snapshot.Reader, old: Token, new: Token) -> list[Any]:
    clause, params = between(old, new)
    query = snapshot.sql.SQL("SELECT seg, pos FROM log WHERE {}").format(clause)
    return reader.conn.execute(query, params).fetchall()


def test_a_token_keeps_its_set_while_more_is_stored(any_database_url: str) -> None:
    with store.connect(any_database_url) as conn:
        store.store(conn, [unit(record("one"))])
        with reading(any_database_url) as reader:
            as_of = reader.token.encode()
        store.store(conn, [unit(record("two"))])
    with reading(any_database_url, as_of=as_of) as reader:
        assert seen(reader) == ["one"]
    with reading(any_database_url) as reader:
        assert seen(reader) == ["one", "two"]


def test_a_transaction_in_progress_below_the_horizon_is_not_in_the_set(database_url: str) -> None:
    with store.connect(database_url) as early, store.connect(database_url) as late:
        store.store(early, [unit(record("before"))])
        early.execute("BEGIN")
        ledger = store.enter_ledger(early, [unit(record("slow"))])
        store.store(late, [unit(record("fast"))])
        with reading(database_url) as reader:
            first = reader.token
            assert first.in_progress == (ledger.seg,)
        store.copy_units(early, ledger)
        store.close_segment(early, ledger)
        with reading(database_url, as_of=first.encode()) as reader:
            assert seen(reader) == ["before", "fast"]
            assert stepped(reader, first, reader.now) == [(ledger.seg, 0)]


def test_a_tail_under_writers_that_commit_out_of_order_misses_and_repeats_nothing(
    any_database_url: str,
) -> None:
    writers, rounds, stored = 6, 25, Counter[tuple[int, int]]()
    got: Counter[tuple[int, int]] = Counter()
    finished = threading.Event()

    def write(seed: int) -> None:
        dice = random.Random(seed)
        with store.connect(any_database_url) as conn:
            for _ in range(rounds):
                conn.execute("BEGIN")
                ledger = store.enter_ledger(conn, [unit(*(record() for _ in range(dice.randint(1, 9))))])
                finished.wait(dice.random() / 50)
                store.copy_units(conn, ledger)
                store.close_segment(conn, ledger)

    with store.connect(any_database_url) as conn:
        store.store(conn, [unit(record())])
    with reading(any_database_url) as reader:
        last = reader.token
        already = stepped(reader, Token(0, (), last.system, last.timeline, last.base, 0, 0), last)
    got.update(already)
    threads = [threading.Thread(target=write, args=[seed]) for seed in range(writers)]
    for thread in threads:
        thread.start()
    running = True
    while running:
        running = any(thread.is_alive() for thread in threads)  # one more step after the last has ended
        with reading(any_database_url) as reader:
            got.update(stepped(reader, last, reader.token))
            last = reader.token
    with store.connect(any_database_url) as conn:
        stored.update(conn.execute("SELECT seg, pos FROM log").fetchall())
    assert stored.total() > writers * rounds
    assert got == stored


def test_a_token_that_was_tampered_with_is_refused(database_url: str) -> None:
    with reading(database_url) as reader:
        as_of = reader.token.encode()
    changed = as_of[:4] + ("A" if as_of[4] != "A" else "B") + as_of[5:]
    for text in (changed, as_of[:-1], "", "x", "ü", as_of + "AAAA"):
        with pytest.raises(BadToken):
            decode(text)
    assert decode(as_of).encode() == as_of


def test_a_token_lives_as_long_as_the_settings_say(database_url: str, settings: LazySettings) -> None:
    with reading(database_url) as reader:
        old = reader.token
    settings.TOKEN_SECONDS = 60
    aged = Token(old.horizon, (), old.system, old.timeline, old.base, old.time_us - 61_000_000, 0)
    with pytest.raises(CursorExpired), reading(database_url, as_of=aged.encode()):
        pass


@pytest.mark.parametrize("change", ["system", "timeline", "base"])
def test_a_token_of_another_history_has_expired(database_url: str, change: str) -> None:
    with reading(database_url) as reader:
        fields = {name: getattr(reader.token, name) for name in Token.__struct_fields__}
    fields[change] = "7" if change == "system" else fields[change] + 1
    other = Token(**fields)
    with pytest.raises(CursorExpired), reading(database_url, as_of=other.encode()):
        pass
    with pytest.raises(CursorExpired):
        between(other, reader.now)


def test_reading_cannot_write_and_ends_in_time(database_url: str) -> None:
    with reading(database_url) as reader, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        reader.conn.execute("DELETE FROM log")
    with reading(database_url, timeout_ms=50) as reader, pytest.raises(psycopg.errors.QueryCanceled):
        reader.conn.execute("SELECT pg_sleep(10)")


def test_an_ordinary_role_can_read_and_write(database_url: str) -> None:
    role = f"app_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {role} LOGIN")
        conn.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        conn.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
        conn.execute(f"GRANT ALL ON SCHEMA public TO {role}")
        conn.execute(f"ALTER TABLE log OWNER TO {role}")
    theirs = database_url.replace("logboom@", f"{role}@")
    with store.connect(theirs) as conn:
        store.check_origin(conn)
        store.store(conn, [unit(record("mine"))])
    with reading(theirs) as reader:
        assert seen(reader) == ["mine"]
