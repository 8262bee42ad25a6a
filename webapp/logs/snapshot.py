"""Reads at a snapshot: one REPEATABLE READ transaction, a token for what it sees, and predicates for tokens.

Whatever is read under one token (list, total, histogram, export) describes the same lines (I7). A fresh
token costs one statement. `visible` selects a token's set; `between` what a newer token has and an older one
has not, which is a tail without gap or repeat: in order of commit, not of time.

On a standby a snapshot does not know what is in progress. There the token comes from the primary, and the
standby serves it once it has replayed what the primary had written after the token; else the primary does.
"""

import atexit
import contextlib
import functools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import psycopg
from django.conf import settings
from psycopg import IsolationLevel, sql
from psycopg_pool import ConnectionPool, PoolTimeout

from webapp.logs import gone
from webapp.logs.errors import CursorExpired, Outage, classify
from webapp.logs.token import Token, decode

POOL_SIZE = 16
POOL_WAIT_SECONDS = 3.0
REPLAY_WAIT_SECONDS = 0.2  # how long a standby may be behind before the primary answers instead
SESSION = {
    "client_connection_check_interval": "1s",  # a reader that is gone stops costing anything
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
}

# One statement, so one snapshot: the edge of the set, what is open below it, whose ids these are, the floor,
# what was erased and what is being erased.
# A standby refuses it: it has no current WAL file.
TOKEN = """
SELECT coalesce((SELECT max(seg) FROM log_segment), 0),
       ARRAY(SELECT base + id::text::bigint FROM pg_snapshot_xip(pg_current_snapshot()) AS id),
       control.system_identifier::text,
       ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int,
       base,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
       (SELECT (extract(epoch FROM floor) * 1000000)::bigint FROM log_class WHERE name = 'default'),
       (SELECT coalesce(max(id), 0) FROM log_erased),
       ARRAY(SELECT ARRAY[source, upto] FROM log_erased WHERE finished IS NULL ORDER BY id),
       set_config('statement_timeout', %s, true)
FROM log_origin, pg_control_system() AS control
"""
ON_STANDBY = "SELECT coalesce(max(id), 0), set_config('statement_timeout', %s, true) FROM log_erased"


class Predicate(NamedTuple):
    """SQL with named parameters; the names are its own, so that several can stand in one statement."""

    sql: sql.Composed
    params: dict[str, Any]


class Reader(NamedTuple):
    conn: psycopg.Connection[Any]
    token: Token  # what this read answers for: the one asked for, or a fresh one
    now: Token  # what the transaction sees

    def require(self, start_us: int | None) -> None:
        """Raises CursorExpired when lines of the range, from `start_us` on, expired since the token."""
        newer = self.now.floor_us
        if self.token.floor_us < newer and (start_us is None or start_us < newer):
            raise CursorExpired("lines of this range have expired since as_of was given out")


# ---- predicates ----


def visible(token: Token, alias: str = "") -> Predicate:
    """The lines of a token's set."""
    clauses = [
        below(token, alias, "as_of"),
        sql.SQL("{} >= %(as_of_floor)s").format(column("time", alias)),
        *kept(token, alias),
    ]
    return Predicate(
        sql.SQL(" AND ").join(clauses), {**edges(token, "as_of"), "as_of_floor": moment(token.floor_us)}
    )


def arrived(old: Token, new: Token, alias: str = "") -> Predicate:
    """The segments of `new` that `old` has not: for `log_segment` as for `log`."""
    if not old.same_history(new):
        raise CursorExpired("the cursor is of another timeline of the database")
    seg = column("seg", alias)
    later = sql.SQL("({} > %(old_horizon)s OR {} = ANY(%(old_open)s))").format(seg, seg)
    clause = sql.SQL(" AND ").join([below(new, alias, "new"), later])
    return Predicate(clause, {**edges(new, "new"), **edges(old, "old")})


def between(old: Token, new: Token, alias: str = "") -> Predicate:
    """The lines that arrived after `old` and not after `new`, each in exactly one such step."""
    clause, params = arrived(old, new, alias)
    floor = sql.SQL("{} >= %(new_floor)s").format(column("time", alias))
    clauses = [clause, floor, *kept(new, alias)]
    return Predicate(sql.SQL(" AND ").join(clauses), {**params, "new_floor": moment(new.floor_us)})


def kept(token: Token, alias: str) -> list[sql.Composed]:
    """What is being erased is in no set any more, whether it is still there or not."""
    hidden = sql.SQL("NOT ({} = {} AND {} <= {})")
    return [
        hidden.format(column("source", alias), sql.Literal(source), column("seg", alias), sql.Literal(upto))
        for source, upto in token.hidden
    ]


def below(token: Token, alias: str, name: str) -> sql.Composed:
    seg = column("seg", alias)
    edge = sql.SQL("{} <= {}").format(seg, sql.Placeholder(f"{name}_horizon"))
    if not token.in_progress:
        return edge
    return sql.SQL("{} AND {} <> ALL({})").format(edge, seg, sql.Placeholder(f"{name}_open"))


def edges(token: Token, name: str) -> dict[str, Any]:
    return {f"{name}_horizon": token.horizon, f"{name}_open": list(token.in_progress)}


def column(name: str, alias: str) -> sql.Identifier:
    return sql.Identifier(alias, name) if alias else sql.Identifier(name)


def moment(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


# ---- transactions ----


@contextlib.contextmanager
def reading(url: str = "", timeout_ms: int = 0, as_of: str | None = None) -> Iterator[Reader]:
    """One read-only transaction. Raises BadToken, CursorExpired, Outage, Gone before the body."""
    asked = decode(as_of) if as_of else None
    with contextlib.ExitStack() as stack:
        try:
            conn, now = begin(stack, url or settings.DATABASE_READ_URL, timeout_ms)
        except PoolTimeout as error:
            raise Outage(f"no connection to read from within {POOL_WAIT_SECONDS:g} s") from error
        except psycopg.Error as error:
            raise classify(error) from error
        if asked and not asked.same_history(now):
            raise CursorExpired("as_of is of another timeline of the database")
        if asked and asked.erasures < now.erasures:
            raise CursorExpired("lines were removed since as_of was given out")
        stack.enter_context(gone.reading(conn))
        yield Reader(conn, asked or now, now)


def begin(stack: contextlib.ExitStack, url: str, timeout_ms: int) -> tuple[psycopg.Connection[Any], Token]:
    conn = stack.enter_context(pool(url).connection())
    if url == settings.DATABASE_URL or not is_standby(conn):
        return conn, take_token(conn, timeout_ms)
    token, written = on_primary(timeout_ms)
    if replayed(conn, written):
        row = conn.execute(ON_STANDBY, [milliseconds(timeout_ms)]).fetchone()  # begins the transaction
        if row and row[0] == token.erasures:
            return conn, token
        conn.rollback()  # an erasure began after the token: this snapshot may see a part of it
    conn = stack.enter_context(pool(settings.DATABASE_URL).connection())
    return conn, take_token(conn, timeout_ms)


def take_token(conn: psycopg.Connection[Any], timeout_ms: int = 0) -> Token:
    """The first statement of the transaction, so the token is of its snapshot."""
    row = conn.execute(TOKEN, [milliseconds(timeout_ms)]).fetchone()
    if row is None:
        raise Outage("log_origin is empty: run `manage.py migrate`")
    horizon, in_progress, *rest, _ = row
    token = Token(horizon, tuple(seg for seg in in_progress if seg < horizon), *rest)
    return msgspec.structs.replace(token, hidden=tuple((source, upto) for source, upto in token.hidden))


def milliseconds(timeout_ms: int) -> str:
    return str(timeout_ms or int(settings.QUERY_SECONDS * 1000))


def is_standby(conn: psycopg.Connection[Any]) -> bool:
    row = conn.execute("SELECT pg_is_in_recovery()").fetchone()
    conn.rollback()  # the token's statement must be the first of its transaction
    return bool(row and row[0])


def on_primary(timeout_ms: int) -> tuple[Token, str]:
    """A token, and how far the primary had written afterwards."""
    with pool(settings.DATABASE_URL).connection() as primary:
        token = take_token(primary, timeout_ms)
        row = primary.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    assert row is not None
    return token, row[0]


def replayed(conn: psycopg.Connection[Any], written: str) -> bool:
    deadline = time.monotonic() + REPLAY_WAIT_SECONDS
    while True:
        row = conn.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [written]).fetchone()
        conn.rollback()
        if row and row[0]:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)


@functools.cache
def pool(url: str) -> ConnectionPool[psycopg.Connection[Any]]:
    made = ConnectionPool(
        url,
        min_size=0,
        max_size=POOL_SIZE,
        timeout=POOL_WAIT_SECONDS,
        max_idle=60,
        configure=read_only,
        check=ConnectionPool.check_connection,
        open=True,
        kwargs={
            "application_name": "logboom reader",
            "connect_timeout": 3,
            "keepalives_idle": 5,
            "options": " ".join(f"-c {name}={value}" for name, value in SESSION.items()),
        },
    )
    atexit.register(made.close)
    return made


def read_only(conn: psycopg.Connection[Any]) -> None:
    conn.isolation_level = IsolationLevel.REPEATABLE_READ
    conn.read_only = True
