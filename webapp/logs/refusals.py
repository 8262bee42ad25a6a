"""What lies in quarantine, for readers: newest first, within a scope, by what, when and its bytes.

Only the time is indexed, so entries are looked through by it, a bounded number a statement, until the page is
full or the time is up. A page that is not full for that is marked partial; its cursor goes on where it stood.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
import psycopg

from webapp.access.scope import Scope
from webapp.logs import times
from webapp.logs.asking import Clock, bad_value, instant, sources, zone_of
from webapp.logs.bytes import readable
from webapp.logs.errors import OutOfTime, classify
from webapp.logs.snapshot import Reader, reading

MAX_LIMIT = 1_000
LOOKED = 2_000  # entries a statement: 64 KiB each at most where bytes are compared
BEGINNING = 120  # bytes of it in a list

Replayed = Literal["any", "yes", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Texts as the caller wrote them; empty: no bound. Several values: any of them."""

    sources: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    start: str = ""  # when it came into quarantine
    end: str = ""
    tz: str = "UTC"
    contains: str = ""
    replayed: Replayed = "any"


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of sending it again."""

    state: Literal["none", "begun", "refused", "replayed"]
    at: str | None
    batch: str | None
    reason: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    id: int
    created: str
    received: str
    source: str
    dialect: str
    reason: str
    detail: str
    batch: str | None
    line: int | None  # null: the whole batch, as it lay in the broker
    size: int  # bytes kept
    dropped: int  # bytes of the line beyond these
    beginning: str
    replay: Replay


@dataclass(frozen=True, slots=True)
class Found:
    entries: list[Entry]
    next: str | None
    partial: bool


COLUMNS = """
id, created, received, source, dialect, reason, detail, batch, line, length(raw) AS size, dropped,
substr(raw, 1, 120) AS beginning, replay_began, replayed, replay_batch, replay_reason, replay_detail
"""
PAGE = f"""
WITH looked AS (
    SELECT * FROM quarantine
    WHERE created >= %(start)s AND created < %(end)s AND (created, id) < (%(at)s, %(at_id)s)
    ORDER BY created DESC, id DESC LIMIT %(looked)s
), last AS (SELECT created AS last_at, id AS last_id, (SELECT count(*) FROM looked) AS looked
            FROM looked ORDER BY created, id LIMIT 1
), found AS (
    SELECT {COLUMNS} FROM looked
    WHERE (%(scope)s::int4[] IS NULL OR source = ANY(%(scope)s))
      AND (%(sources)s::int4[] IS NULL OR source = ANY(%(sources)s))
      AND (%(reasons)s::text[] IS NULL OR reason = ANY(%(reasons)s))
      AND (%(replayed)s::bool IS NULL OR (replayed IS NOT NULL) = %(replayed)s)
      AND (%(contains)s::bytea IS NULL OR position(%(contains)s IN raw) > 0)
    ORDER BY created DESC, id DESC LIMIT %(limit)s
)
SELECT last_at, last_id, looked, found.* FROM last LEFT JOIN found ON true
ORDER BY created DESC, id DESC
"""
ONE = f"""
SELECT {COLUMNS}, raw FROM quarantine
WHERE id = %(id)s AND (%(scope)s::int4[] IS NULL OR source = ANY(%(scope)s))
"""
Place = tuple[datetime, int]


def find(wanted: Wanted, scope: Scope, *, limit: int = 100, cursor: str = "", timeout_ms: int = 0) -> Found:
    """Raises ReadError (the caller's mistake) or StoreError."""
    if not 1 <= limit <= MAX_LIMIT:
        raise bad_value("limit", f"A page has 1 to {MAX_LIMIT:,} entries.")
    at = decode(cursor, digest(wanted)) if cursor else None
    clock = Clock(timeout_ms)
    try:
        with reading() as reader:
            names = sources(reader.conn)
            values = parameters(wanted, scope, names, reader.token.time_us * 1000)
            rows, place, partial = walk(reader, clock, values, at, limit)
    except psycopg.Error as error:
        raise classify(error) from error
    known = {number: name for name, number in names.items()}
    entries = [entry(row, known) for row in rows]
    return Found(entries, encode(place, digest(wanted)) if place else None, partial)


def one(number: int, scope: Scope) -> tuple[Entry, bytes] | None:
    try:
        with reading() as reader:
            names = {id: name for name, id in sources(reader.conn).items()}
            row = reader.conn.execute(ONE, {"id": number, "scope": within(scope)}).fetchone()
    except psycopg.Error as error:
        raise classify(error) from error
    return (entry(row[:-1], names), bytes(row[-1])) if row else None


def parameters(wanted: Wanted, scope: Scope, names: dict[str, int], now_ns: int) -> dict[str, Any]:
    zone = zone_of(wanted.tz)
    start = instant("start", wanted.start, now_ns, zone)
    end = instant("end", wanted.end, now_ns, zone)
    asked = [names[name] for name in wanted.sources if name in names]  # an unknown one has no entries
    return {
        "start": times.to_datetime(start or 0),
        "end": times.to_datetime(times.LATEST if end is None else end),
        "scope": within(scope),
        "sources": asked if wanted.sources else None,
        "reasons": list(map(clean, wanted.reasons)) or None,
        "replayed": None if wanted.replayed == "any" else wanted.replayed == "yes",
        "contains": wanted.contains.encode("utf-8", "surrogatepass") or None,
    }


def clean(text: str) -> str:
    """No reason holds a NUL or half a pair, and no parameter may."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def within(scope: Scope) -> list[int] | None:
    return None if scope.sources is None else sorted(scope.sources)


def walk(
    reader: Reader, clock: Clock, values: dict[str, Any], at: Place | None, limit: int
) -> tuple[list[Any], Place | None, bool]:
    """The rows, where to go on if there may be more, and whether the time was up."""
    rows: list[Any] = []
    place = at or (times.to_datetime(times.LATEST), 2**63 - 1)
    moved = False
    while True:
        looked = look(
            reader, clock, {**values, "at": place[0], "at_id": place[1], "limit": limit - len(rows)}
        )
        if looked is None:
            if not moved:
                raise OutOfTime("Not one entry could be looked at within the time.")
            return rows, place, True
        if not looked:
            return rows, None, False
        last_at, last_id, count = looked[0][:3]
        moved = True
        rows += [row[3:] for row in looked if row[3] is not None]
        if len(rows) >= limit:
            return rows, (rows[-1][1], rows[-1][0]), False
        if count < LOOKED:
            return rows, None, False
        place = (last_at, last_id)


def look(reader: Reader, clock: Clock, values: dict[str, Any]) -> list[Any] | None:
    """None when the time is up."""
    left = clock.left_ms()
    if left <= 0:
        return None
    conn = reader.conn
    conn.execute("SELECT set_config('statement_timeout', %s, true)", [str(left)])
    conn.execute("SAVEPOINT looking")
    try:
        return conn.execute(PAGE, {**values, "looked": LOOKED}).fetchall()
    except psycopg.errors.QueryCanceled:
        conn.execute("ROLLBACK TO SAVEPOINT looking")
        return None


def entry(row: Any, names: dict[int, str]) -> Entry:
    number, created, received, source, dialect, reason, detail, batch, line, size, dropped, start, *rest = row
    return Entry(
        id=number,
        created=stamp(created),
        received=stamp(received),
        source=names.get(source, f"#{source}"),
        dialect=dialect,
        reason=reason,
        detail=detail,
        batch=batch and str(batch),
        line=line,
        size=size,
        dropped=dropped,
        beginning=readable(bytes(start)),
        replay=replay(*rest),
    )


def replay(
    began: datetime | None, replayed: datetime | None, batch: Any, reason: str | None, detail: str | None
) -> Replay:
    state: Literal["none", "begun", "refused", "replayed"] = (
        "replayed" if replayed else "begun" if began else "refused" if reason else "none"
    )
    at = replayed or began
    return Replay(state, stamp(at) if at else None, str(batch) if batch else None, reason, detail)


def stamp(at: datetime) -> str:
    return times.rfc3339(times.nanoseconds(at))


# ---- cursors: opaque, and no capability, for scope and filter are applied anew on every page ----


def digest(wanted: Wanted) -> bytes:
    return msgspec.msgpack.encode(wanted)


def encode(place: Place, asked: bytes) -> str:
    plain = msgspec.msgpack.encode((times.nanoseconds(place[0]) // 1000, place[1], short(asked)))
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


def short(asked: bytes) -> int:
    return binascii.crc32(asked)


_decoder = msgspec.msgpack.Decoder(tuple[int, int, int])


def decode(text: str, asked: bytes) -> Place:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        at_us, number, question = _decoder.decode(raw)
        place = times.to_datetime(at_us * 1000), number
    except (binascii.Error, ValueError, OverflowError, msgspec.DecodeError) as error:
        raise bad_value("cursor", "This is no cursor of ours, or it was not copied whole.") from error
    if question != short(asked):
        raise bad_value("cursor", "This cursor is of another question: send its parameters again.")
    return place
