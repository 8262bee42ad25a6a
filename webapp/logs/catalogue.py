"""The field catalogue: which fields lines have, by ten minutes and source, filled a step at a time by beat.

A step takes the segments that a fresh token has and the catalogue has not, and moves the catalogue's edge in
the transaction that counts them: each segment once, whatever is killed and however many run (of two, one is
told `Busy`). Lines are counted exactly. What fields they have is seen in a sample, 1,000 to 2,000 lines of a
step and all of a smaller one: so their counts are estimates, and a rare field may be missed; `exact=1` of
`fields` looks at every line. Bounded: a step's rows and segments, the fields of a source in ten minutes; what
is left off is counted.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from webapp.logs.binding import both
from webapp.logs.errors import classify
from webapp.logs.handful import handful
from webapp.logs.sketch import SKETCH
from webapp.logs.snapshot import arrived, kept, moment, take_token
from webapp.logs.token import Token

SLOT_WIDTH = timedelta(minutes=10)
STEP_ROWS = 50_000
STEP_SEGMENTS = 500
STEP_MS = 6_000
RUN_SECONDS = 4.0  # then the next beat goes on
SAMPLE_LINES = 2048  # of a step: all of a smaller one
MOST_FIELDS = 300  # of a source in ten minutes
EXAMPLE_CHARACTERS = 200
LEFT_OFF = "left off"


class Segment(NamedTuple):
    seg: int
    rows: int
    first: datetime
    last: datetime


class Step(NamedTuple):
    segments: int
    rows: int
    more: bool


def run(conn: psycopg.Connection[Any], seconds: float = RUN_SECONDS) -> Step:
    """Steps until all is counted or the time is over. Wants autocommit. Raises StoreError."""
    ends = time.monotonic() + seconds
    summarise(conn)
    done = Step(0, 0, more=True)
    while done.more and time.monotonic() < ends:
        made = step(conn)
        done = Step(done.segments + made.segments, done.rows + made.rows, made.more)
    return done


def summarise(conn: psycopg.Connection[Any]) -> None:
    """Makes the coarse index on `seg` know the pages that were filled since. Raises StoreError.

    Until then it takes each of them for one that may hold any segment: a step, or a tail, would read all that
    came since the last vacuum, which may be a fifth of a day.
    """
    try:
        conn.execute(SUMMARISE)
    except psycopg.Error as error:
        raise classify(error) from error


def step(conn: psycopg.Connection[Any]) -> Step:
    """One transaction. Raises StoreError; Busy where another step was quicker."""
    try:
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            now = take_token(conn, STEP_MS)
            seen = edge(conn, now, lock=True)
            segments = waiting(conn, seen, now)
            taken = handful(segments, STEP_SEGMENTS, STEP_ROWS)
            if taken:
                enter(conn, taken, now)
            keep(conn, moved(seen, now, taken, all_taken=len(taken) == len(segments)))
            return Step(len(taken), sum(one.rows for one in taken), len(taken) < len(segments))
    except psycopg.Error as error:
        raise classify(error) from error


# ---- the edge ----


def edge(conn: psycopg.Connection[Any], now: Token, *, lock: bool = False) -> Token:
    """The segments that are counted, as a token of the present history: `rebase` keeps what is stored below
    what is to come, so the set means the same."""
    statement = "SELECT horizon, in_progress FROM log_catalogue"
    row = conn.execute(f"{statement} FOR UPDATE NOWAIT" if lock else statement).fetchone()
    assert row is not None, "log_catalogue is empty: migrate first"
    return Token(row[0], tuple(row[1]), now.system, now.timeline, now.base, 0, 0)


def waiting(conn: psycopg.Connection[Any], seen: Token, now: Token) -> list[Segment]:
    clause, params = arrived(seen, now)
    statement = sql.SQL(
        "SELECT seg, rows, time_min, time_max FROM log_segment WHERE {} AND rows > 0 ORDER BY seg LIMIT {}"
    ).format(clause, sql.Literal(STEP_SEGMENTS + 1))
    return [Segment(*row) for row in conn.execute(statement, params, prepare=False).fetchall()]


def moved(seen: Token, now: Token, taken: Sequence[Segment], *, all_taken: bool) -> Token:
    """What is counted after this step: all of `now`, or of its new segments those up to the last taken.

    What was open below that one and is not any more either committed, and was taken, or never will. What is
    above it may have committed since, so it stays open for the next step to look at.
    """
    if all_taken:
        return now
    last = taken[-1].seg
    horizon = max(last, seen.horizon)
    still = [seg for seg in now.in_progress if seg <= horizon]
    later = [seg for seg in seen.in_progress if seg > last]
    return Token(horizon, tuple(sorted({*still, *later})), now.system, now.timeline, now.base, 0, 0)


def keep(conn: psycopg.Connection[Any], seen: Token) -> None:
    conn.execute(
        "UPDATE log_catalogue SET horizon = %s, in_progress = %s", [seen.horizon, list(seen.in_progress)]
    )


# ---- counting ----

# Partitions and chunks alike are children of the table.
SUMMARISE = """
SELECT brin_summarize_new_values(held.indexrelid) FROM pg_inherits AS child
JOIN pg_index AS held ON held.indrelid = child.inhrelid JOIN pg_class AS index ON index.oid = held.indexrelid
JOIN pg_am AS way ON way.oid = index.relam
WHERE child.inhparent = 'log'::regclass AND way.amname = 'brin'
"""

# Each line's fields: what is built in and there, and every attribute that is not null.
EACH = sql.SQL("""
CROSS JOIN LATERAL (
    SELECT true AS builtin, name, 'string' AS type, text FROM (VALUES
        ('severity', (ARRAY['trace', 'debug', 'info', 'warn', 'error', 'fatal'])[(severity - 1) / 4 + 1]),
        ('service', nullif(service, '')), ('host', nullif(host, '')), ('message', nullif(message, '')),
        ('trace_id', replace(trace_id::text, '-', '')), ('span_id', encode(span_id, 'hex'))
    ) AS given (name, text) WHERE text IS NOT NULL
    UNION ALL
    SELECT false, key, jsonb_typeof(value), value #>> '{{}}' FROM jsonb_each(attributes)
    WHERE jsonb_typeof(value) <> 'null'
) AS each
""").format()

# Looked for only where the segments have lines: they have no index but a coarse one.
LINES = """
unnest(%(lows)s::timestamptz[], %(highs)s::timestamptz[]) AS part (low, high)
CROSS JOIN LATERAL (
    SELECT date_bin('10 min', time, 'epoch'::timestamptz) AS slot, * FROM log
    WHERE time >= part.low AND time < part.high AND time >= %(floor)s AND seg = ANY(%(segs)s)
    AND {kept}
) AS line
"""

COUNT = """
INSERT INTO log_field AS kept (slot, source, builtin, name, type, lines, looked, sketch)
SELECT slot, source, true, 'time', 'string', count(*), count(*), 0::bit(2048)
FROM {lines} GROUP BY slot, source
ON CONFLICT (slot, source, builtin, name, type) DO UPDATE SET
    lines = kept.lines + excluded.lines, looked = kept.looked + excluded.looked
"""
COLLECT = """
WITH given AS (
    SELECT slot, source, builtin, name, type, left(text, {characters}) AS text,
           hashtextextended(text, 0) AS hash
    FROM {lines} {each} WHERE (hashint8((seg << 20) + pos) & (%(stride)s - 1)) = 0
), grouped AS MATERIALIZED (
    SELECT slot, source, builtin, name, type, count(*) * %(stride)s::bigint AS lines, count(*) AS looked,
           bit_or({sketch}) AS sketch, min(text COLLATE "C") AS example
    FROM given GROUP BY slot, source, builtin, name, type
), fresh AS (
    SELECT slot, source, name, row_number() OVER (
        PARTITION BY slot, source ORDER BY sum(lines) DESC, name COLLATE "C") AS place
    FROM grouped WHERE NOT builtin AND NOT EXISTS (
        SELECT FROM log_field AS kept WHERE kept.slot = grouped.slot AND kept.source = grouped.source
        AND NOT kept.builtin AND kept.name = grouped.name)
    GROUP BY slot, source, name
), room AS (
    SELECT slot, source, {most} - count(DISTINCT name) FILTER (WHERE NOT builtin) AS places
    FROM log_field WHERE (slot, source) IN (SELECT slot, source FROM fresh) GROUP BY slot, source
), beyond AS (
    SELECT slot, source, name FROM fresh LEFT JOIN room USING (slot, source)
    WHERE place > coalesce(places, {most})
)
INSERT INTO log_field AS kept (slot, source, builtin, name, type, lines, looked, sketch, example)
SELECT grouped.* FROM grouped LEFT JOIN beyond ON NOT builtin AND (grouped.slot, grouped.source, grouped.name)
    = (beyond.slot, beyond.source, beyond.name)
WHERE beyond.name IS NULL
UNION ALL
SELECT slot, source, true, '', {left_off}, sum(lines), sum(looked), 0::bit(2048), NULL
FROM grouped JOIN beyond USING (slot, source, name) WHERE NOT builtin GROUP BY slot, source
ON CONFLICT (slot, source, builtin, name, type) DO UPDATE SET
    lines = kept.lines + excluded.lines, looked = kept.looked + excluded.looked,
    sketch = kept.sketch | excluded.sketch, example = coalesce(kept.example, excluded.example)
"""

SLOTS = """
SELECT DISTINCT 'epoch'::timestamptz + slot * interval '10 min' FROM log_segment_slot
WHERE slot BETWEEN floor(extract(epoch FROM %(first)s::timestamptz) / 600)
           AND floor(extract(epoch FROM %(last)s::timestamptz) / 600) AND seg = ANY(%(segs)s) ORDER BY 1
"""


def enter(conn: psycopg.Connection[Any], taken: Sequence[Segment], now: Token) -> None:
    lows, highs = places(conn, taken)
    params = {
        "lows": lows,
        "highs": highs,
        "floor": moment(now.floor_us),
        "segs": [one.seg for one in taken],
        "stride": stride(sum(one.rows for one in taken)),
    }
    lines = sql.SQL(LINES).format(kept=both(list(kept(now, ""))))
    count = sql.SQL(COUNT).format(lines=lines)
    collect = sql.SQL(COLLECT).format(
        characters=sql.Literal(EXAMPLE_CHARACTERS),
        lines=lines,
        each=EACH,
        sketch=SKETCH,
        most=sql.Literal(MOST_FIELDS),
        left_off=sql.Literal(LEFT_OFF),
    )
    # Never prepared: a generic plan would know no instant, and so prune no partition.
    conn.execute(count, params, prepare=False)
    conn.execute(collect, params, prepare=False)


def stride(rows: int) -> int:
    """One line of so many is looked at; a power of two."""
    return 1 << ((rows - 1) // SAMPLE_LINES).bit_length()


def places(conn: psycopg.Connection[Any], taken: Sequence[Segment]) -> tuple[list[datetime], list[datetime]]:
    """Where the segments have lines: ten minutes at a time, neighbours joined."""
    bounds = {"first": min(one.first for one in taken), "last": max(one.last for one in taken)}
    lows: list[datetime] = []
    highs: list[datetime] = []
    for (low,) in conn.execute(SLOTS, {**bounds, "segs": [one.seg for one in taken]}, prepare=False):
        if not highs or highs[-1] != low:
            lows.append(low)
            highs.append(low)
        highs[-1] = low + SLOT_WIDTH
    return lows, highs


def forget(conn: psycopg.Connection[Any], source: int) -> None:
    """A source was erased: nothing of its lines stays, not even an example.

    The edge is written though it stays: a step whose snapshot is older cannot count them in any more.
    """
    with conn.transaction():
        conn.execute("UPDATE log_catalogue SET horizon = horizon")
        conn.execute("DELETE FROM log_field WHERE source = %s", [source])
