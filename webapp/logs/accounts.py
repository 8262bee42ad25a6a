"""The ledger as a reader asks for it: a range, lines summed one way, what his scope lets him see.

Read from the copied books (ten seconds behind the broker) and recounted at once from tables and broker.
"""

import time
from dataclasses import dataclass
from datetime import datetime

import psycopg
from django.conf import settings
from psycopg import sql

from ingest.errors import Transient
from webapp.access.models import Source
from webapp.access.scope import Scope
from webapp.logs import imbalance, ledger, presence, standing, times
from webapp.logs.asking import bad_value, instant
from webapp.logs.errors import classify
from webapp.logs.imbalance import Difference
from webapp.logs.ledger import Ledger, Line, Lines
from webapp.logs.snapshot import Reader, reading

MOST_MINUTES = 7 * 1440  # of one answer
DEFAULT_MINUTES = 60
MOST_DIFFERENCES = 200
MINUTE_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Gone:
    """Of all time, by source: these lines left after they were stored."""

    expired: int
    erased: int


@dataclass(frozen=True, slots=True)
class Account:
    start: datetime
    end: datetime
    broker: bool
    lines: list[tuple[str, Line]]
    total: Line
    gone: dict[str, Gone]
    differences: list[tuple[str, Difference]]  # the source's name, and what stands


def account(start: str, end: str, by: str, scope: Scope) -> Account:
    """Raises Refused, StoreError."""
    first, beyond = span(start, end)
    try:
        with reading(timeout_ms=int(settings.QUERY_SECONDS * 1000)) as reader:
            return made(reader, first, beyond, by, scope)
    except psycopg.Error as error:
        raise classify(error) from error


def span(start: str, end: str) -> tuple[int, int]:
    """Whole minutes: that of `start` is in it, and that of an `end` within a minute."""
    now = time.time_ns()
    zone = times.zone_of("UTC")
    last, first = instant("end", end, now, zone), instant("start", start, now, zone)
    beyond = -(-(now if last is None else last) // MINUTE_NS)
    begin = beyond - DEFAULT_MINUTES if first is None else first // MINUTE_NS
    if begin > beyond:
        raise bad_value("start", "The range ends before it starts.")
    if beyond - begin > MOST_MINUTES:
        raise bad_value("start", f"One answer covers {MOST_MINUTES // 1440} days at most.")
    if begin < now // MINUTE_NS - ledger.MOST_DAYS * 1440:
        raise bad_value("start", f"The ledger can be recounted for {ledger.MOST_DAYS} days.")
    return begin, beyond


def made(reader: Reader, first: int, beyond: int, by: str, scope: Scope) -> Account:
    read = recounted(reader, first, beyond)
    names = names_of(reader)
    lines = {place: line for place, line in read.lines.items() if scope.allows(place.source)}
    expired, erased = presence.gone(reader.conn)
    sources = sorted(s for s in expired.keys() | erased.keys() if scope.allows(s))
    return Account(
        ledger.start_of(first),
        ledger.start_of(beyond),
        read.broker,
        summed(lines, by, names),
        ledger.total(lines),
        {named(s, names): Gone(expired.get(s, 0), erased.get(s, 0)) for s in sources},
        [
            (named(one.source, names), one)
            for one in imbalance.listed(reader.conn, scope.sources, MOST_DIFFERENCES)
        ],
    )


def recounted(reader: Reader, first: int, beyond: int) -> Ledger:
    try:
        return ledger.read(reader.conn, standing.buffer(settings.BROKER_URL), first, beyond)
    except Transient:
        return ledger.read(reader.conn, None, first, beyond)


def names_of(reader: Reader) -> dict[int, str]:
    table = sql.Identifier(Source._meta.db_table)
    return dict(reader.conn.execute(sql.SQL("SELECT id, name FROM {}").format(table)).fetchall())


def named(source: int, names: dict[int, str]) -> str:
    return names.get(source, f"source {source}, deleted")


def summed(lines: Lines, by: str, names: dict[int, str]) -> list[tuple[str, Line]]:
    if by == "source":
        sums = [(named(source, names), line) for source, line in ledger.by_source(lines).items()]
        return sorted(sums, key=lambda pair: pair[0])
    if by == "dialect":
        return sorted(ledger.by_dialect(lines).items(), key=lambda pair: pair[0])
    minutes = ledger.by_minute(lines).items()
    return [(f"{ledger.start_of(minute):%Y-%m-%dT%H:%M:%SZ}", line) for minute, line in minutes]
