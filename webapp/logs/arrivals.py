"""What has arrived since a set of lines was named: the tail, in the order of commit, without gap or repeat.

A step takes the segments that a newer token has and the older one has not, and gives their lines by (segment,
position). A `Cursor` says how far that has come: all of `seen`, and of what `upto` has beyond it the lines up
to (seg, pos). Nothing is remembered between two steps but the cursor, so a broken stream goes on anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from psycopg import sql

from webapp.access.scope import Scope
from webapp.logs import lines, times
from webapp.logs.asking import Answering, Ask, Prepared, answering, bad_value
from webapp.logs.errors import OutOfTime
from webapp.logs.handful import handful
from webapp.logs.lines import Line
from webapp.logs.snapshot import arrived, moment
from webapp.logs.token import Token, decode

PAGE_LINES = 1000
SLICE_ROWS = 20_000  # of the segments looked through in one step, whatever matches: keeps a step short
SLICE_SEGMENTS = 500
SLOT_SECONDS = 600
LAST_POS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Cursor:
    seen: Token
    upto: Token | None = None  # None: all of `seen`, and nothing else yet
    seg: int = 0
    pos: int = LAST_POS

    def encode(self) -> str:
        if self.upto is None:
            return self.seen.encode()
        return f"{self.seen.encode()}.{self.upto.encode()}.{self.seg}.{self.pos}"


def parse(text: str) -> Cursor:
    """An `as_of`, or what `Cursor.encode` made. Raises Refused, BadToken or CursorExpired."""
    seen, *rest = text.split(".")
    if not rest:
        return Cursor(decode(seen))
    if len(rest) != 3 or not (rest[1].isdecimal() and rest[2].isdecimal()):
        raise bad_value("cursor", "This is no cursor of a tail, or it was not copied whole.")
    return Cursor(decode(seen), decode(rest[0]), int(rest[1][:19]), min(int(rest[2][:19]), LAST_POS))


class Segment(NamedTuple):
    seg: int
    rows: int
    first: datetime
    last: datetime
    committed: datetime


@dataclass(frozen=True, slots=True)
class Step:
    lines: list[Line]
    cursors: list[str]  # the place behind each line
    cursor: Cursor  # where the next step begins
    more: bool  # there may be more already: do not wait
    behind: timedelta  # how long the oldest line not yet given has been there


@dataclass(frozen=True, slots=True)
class Gap:
    lines: int | None  # None: too many to count in time
    since: datetime
    until: datetime
    cursor: Cursor


def now(ask: Ask, scope: Scope, ready: Prepared) -> Cursor:
    """From here on."""
    with answering(ask, scope, ready) as answer:
        return Cursor(answer.reader.token)


def step(ask: Ask, scope: Scope, ready: Prepared, cursor: Cursor) -> Step:
    """`ask` has no range and no as_of of its own. Raises ReadError or StoreError."""
    with answering(replace(ask, as_of=cursor.upto.encode() if cursor.upto else ""), scope, ready) as answer:
        upto = answer.reader.token
        segments = waiting(answer, cursor, upto, SLICE_SEGMENTS + 1)
        taken = handful(segments, SLICE_SEGMENTS, SLICE_ROWS)
        rows = lines_of(answer, cursor, taken)
        after = behind(cursor, upto, rows, taken, all_taken=len(taken) == len(segments))
        prefix = f"{cursor.seen.encode()}.{upto.encode()}" if rows else ""
        return Step(
            lines=lines.to_lines(answer.reader.conn, rows, answer.sources),
            cursors=[f"{prefix}.{row[2]}.{row[3]}" for row in rows],
            cursor=after,
            # The end of a set that took several steps is not the end: newer ones arrived meanwhile.
            more=after.upto is not None or cursor.upto is not None,
            behind=age(answer, [one for one in segments if after.upto and one.seg >= after.seg]),
        )


def leap(ask: Ask, scope: Scope, ready: Prepared, cursor: Cursor) -> Gap:
    """Give up what waits, and say how much it was."""
    with answering(ask, scope, ready) as answer:
        upto = answer.reader.token
        # What was begun, up to its end, and what came after that: two steps, since a segment of the second
        # may have a lower number than one of the first.
        legs = [(cursor, cursor.upto or upto), (Cursor(cursor.upto or upto), upto)]
        segments = [(leg, waiting(answer, leg, end, None)) for leg, end in legs]
        counts = [count(answer, leg, waited) for leg, waited in segments]
        first = [one.committed for _, waited in segments for one in waited]
        until = moment(upto.time_us)
        known = [count for count in counts if count is not None]
        lines = sum(known) if len(known) == len(counts) else None
        return Gap(lines, min(first, default=until), until, Cursor(upto))


def age(answer: Answering, left: Sequence[Segment]) -> timedelta:
    now = moment(answer.reader.now.time_us)
    return max(timedelta(), now - min((segment.committed for segment in left), default=now))


def waiting(answer: Answering, cursor: Cursor, upto: Token, most: int | None) -> list[Segment]:
    """Segments not given yet, or not wholly, by number."""
    new = arrived(cursor.seen, upto)
    statement = sql.SQL(
        "SELECT seg, rows, time_min, time_max, committed FROM log_segment"
        " WHERE {} AND seg >= %(from_seg)s AND rows > 0 ORDER BY seg LIMIT %(most)s"
    ).format(new.sql)
    from_seg = cursor.seg + (cursor.pos == LAST_POS)
    params = {**new.params, "from_seg": from_seg, "most": most}
    return [Segment(*row) for row in in_time(answer.rows(statement, params))]


# Looked for only where the segments have lines, since there is no index by segment.
FOUND = """
FROM unnest(%(lows)s::timestamptz[], %(highs)s::timestamptz[]) AS part (low, high)
CROSS JOIN LATERAL (SELECT {} FROM log WHERE time >= part.low AND time < part.high AND seg = ANY(%(segs)s)
                    AND (seg, pos) > (%(from_seg)s, %(from_pos)s) AND {}) AS found
"""


def lines_of(answer: Answering, cursor: Cursor, taken: Sequence[Segment]) -> list[Any]:
    if not taken:
        return []
    found = sql.SQL(FOUND).format(lines.COLUMNS, answer.plan.where(answer.plan.span))
    statement = sql.SQL("SELECT found.* {} ORDER BY seg, pos LIMIT %(most)s").format(found)
    return in_time(answer.rows(statement, {**place(answer, cursor, taken), "most": PAGE_LINES}))


def count(answer: Answering, cursor: Cursor, waited: Sequence[Segment]) -> int | None:
    if not waited:
        return 0
    found = sql.SQL(FOUND).format(sql.SQL("1"), answer.plan.where(answer.plan.span))
    rows = answer.rows(sql.SQL("SELECT count(*) {}").format(found), place(answer, cursor, waited))
    return int(rows[0][0]) if rows else None


def place(answer: Answering, cursor: Cursor, taken: Sequence[Segment]) -> dict[str, Any]:
    ranges = touched(answer, taken)
    return {
        "lows": [low for low, _ in ranges],
        "highs": [high for _, high in ranges],
        "segs": [segment.seg for segment in taken],
        "from_seg": cursor.seg,
        "from_pos": cursor.pos,
    }


SLOTS = sql.SQL("""
SELECT DISTINCT slot FROM log_segment_slot
WHERE slot BETWEEN %(first)s AND %(last)s AND seg = ANY(%(segs)s) ORDER BY slot
""").format()


def touched(answer: Answering, taken: Sequence[Segment]) -> list[tuple[datetime, datetime]]:
    """The ten-minute slots in which the segments have lines, neighbours joined: one late line must not make
    the scan run over all the days between."""
    params = {
        "first": slot_of(min(segment.first for segment in taken)),
        "last": slot_of(max(segment.last for segment in taken)),
        "segs": [segment.seg for segment in taken],
    }
    runs: list[list[int]] = []
    for (slot,) in in_time(answer.rows(SLOTS, params)):
        if runs and runs[-1][1] == slot:
            runs[-1][1] = slot + 1
        else:
            runs.append([slot, slot + 1])
    return [(start_of(first), start_of(end)) for first, end in runs]


def slot_of(at: datetime) -> int:
    return times.nanoseconds(at) // (SLOT_SECONDS * times.SECOND)


def start_of(slot: int) -> datetime:
    return times.to_datetime(slot * SLOT_SECONDS * times.SECOND)


def in_time(rows: list[Any] | None) -> list[Any]:
    """Not a partial answer: a step without all its lines would lose the others for good."""
    if rows is None:
        raise OutOfTime("the lines that arrived could not be looked through in time")
    return rows


def behind(
    cursor: Cursor, upto: Token, rows: Sequence[Any], taken: Sequence[Segment], *, all_taken: bool
) -> Cursor:
    """The place behind what a step gave."""
    if len(rows) == PAGE_LINES:
        return Cursor(cursor.seen, upto, rows[-1][2], rows[-1][3])
    if all_taken:
        return Cursor(upto)
    return Cursor(cursor.seen, upto, taken[-1].seg, LAST_POS)
