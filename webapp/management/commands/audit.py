"""`manage.py audit`: recount everything from the tables and the broker, print the books, say what differs.

Exit code 0: everything is accounted for; 1: something is not; 2: it could not be recounted. It reads every
line there is, and looks again for as long as minutes move, --wait at most. Each difference is named with its
source and its minute: that of acceptance where what was accepted is not accounted for, that of the commit
where what was stored is not to be found.
"""

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ingest.buffer import Buffer, connect
from ingest.errors import IngestError
from webapp.access.models import Source
from webapp.logs import balance, ledger, presence, store
from webapp.logs.accounts import MINUTE_NS, named
from webapp.logs.asking import instant
from webapp.logs.errors import ReadError, StoreError
from webapp.logs.ledger import Ledger, Line
from webapp.logs.presence import Kept, Short
from webapp.logs.times import zone_of
from webapp.pipeline.saying import counted

PAUSE_SECONDS = 2.0
MOST_NAMED = 1_000  # places of each book
NO_END = 10**6  # seconds: an audit reads all that waits
HEADS = (
    "received",
    "refused",
    "accepted",
    "stored",
    "duplicate",
    "quarantined",
    "queued",
    "spilled",
    "moving",
    "not known",
)


@dataclass(frozen=True, slots=True)
class Recount:
    read: Ledger
    kept: dict[int, Kept]
    short: list[Short]  # where it is, of sources whose lines are not as many as they should be


class Command(BaseCommand):
    help = "Recount every line. Exit code 0: the books balance, 1: they do not, 2: they could not be read."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--from", dest="start", default="now-24h", help="first minute of acceptance (now-24h)"
        )
        parser.add_argument("--to", dest="end", default="now", help="first minute after the range (now)")
        parser.add_argument(
            "--wait", type=float, default=0.0, help="seconds to wait for minutes to settle (0)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            start, end = minutes(options["start"], options["end"])
            with store.connect(settings.DATABASE_URL) as conn:
                found = recounted(conn, Buffer(connect(settings.BROKER_URL)), start, end, options["wait"])
        except (StoreError, ReadError, IngestError, psycopg.Error) as error:
            raise CommandError(f"The books could not be read: {error}", returncode=2) from error
        names = dict(Source.objects.values_list("id", "name"))
        self.show(found.read, found.kept, names)
        wrong = [*shortened(wrong_of(found.read, names)), *shortened(wrong_kept(found, names))]
        for sentence in wrong:
            self.stdout.write(self.style.ERROR(sentence))
        if wrong:
            raise SystemExit(1)
        if unjudged := not_judged(found.read):
            self.stdout.write(unjudged)
            return
        self.stdout.write(self.style.SUCCESS("Everything is accounted for."))

    def show(self, read: Ledger, kept: dict[int, Kept], names: dict[int, str]) -> None:
        places = [(named(p.source, names), p.dialect or "-", line) for p, line in by_pair(read)]
        rows = [[source, dialect, *cells(line)] for source, dialect, line in places]
        total = ["all", "", *cells(ledger.total(read.lines))]
        self.table(["source", "dialect", *HEADS, "difference"], [*rows, total])
        self.stdout.write("")
        held = [
            [named(source, names), *map(number, (k.stored, k.present, k.expired, k.erased, k.difference))]
            for source, k in kept.items()
        ]
        self.table(["source, of all time", "stored", "to be found", "expired", "erased", "difference"], held)

    def table(self, heads: list[str], rows: list[list[str]]) -> None:
        widths = [max(len(row[at]) for row in [heads, *rows]) for at in range(len(heads))]
        for row in [heads, *rows]:
            rest = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            self.stdout.write("  ".join([row[0].ljust(widths[0]), *rest]))


def minutes(start: str, end: str) -> tuple[int, int]:
    now, zone = time.time_ns(), zone_of("UTC")
    first, last = instant("from", start, now, zone) or 0, instant("to", end, now, zone) or now
    earliest = now // MINUTE_NS - ledger.MOST_DAYS * 1440
    return max(first // MINUTE_NS, earliest), -(-last // MINUTE_NS)


def recounted(conn: psycopg.Connection[Any], buffer: Buffer, start: int, end: int, wait: float) -> Recount:
    deadline = time.monotonic() + wait
    while True:
        balance.copy_minutes(buffer, conn)
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            read = ledger.read(conn, buffer, start, end, NO_END)
            waits = any(line.moving for line in read.lines.values()) and time.monotonic() < deadline
            if not waits:
                kept = presence.totals(conn)
                return Recount(read, kept, short_of(conn, kept))
        time.sleep(PAUSE_SECONDS)


def by_pair(read: Ledger) -> Iterable[tuple[ledger.Place, Line]]:
    """One line for each source and dialect."""
    pairs: ledger.Lines = {}
    for place, line in sorted(read.lines.items()):
        pair = place._replace(minute=0)
        pairs[pair] = pairs.get(pair, Line()) + line
    return pairs.items()


def cells(line: Line) -> list[str]:
    refused = sum(line.refused.values())
    rest = (
        line.accepted,
        line.stored,
        line.duplicate,
        line.quarantined,
        line.queued,
        line.spilled,
        line.moving,
        line.unknown,
    )
    return [number(count) for count in (line.received, refused, *rest, line.difference)]


def number(count: int) -> str:
    return f"{count:,}"


def short_of(conn: psycopg.Connection[Any], kept: dict[int, Kept]) -> list[Short]:
    sources = [source for source, one in kept.items() if one.difference]
    if not sources:
        return []
    return presence.short_of(conn, 0, presence.newest(conn), sources, MOST_NAMED)


def not_judged(read: Ledger) -> str:
    moving = sum(abs(line.moving) for line in read.lines.values())
    unknown = sum(abs(line.unknown) for line in read.lines.values())
    parts = [
        f"{counted(moving, 'line')} in minutes that are not settled" if moving else "",
        f"{counted(unknown, 'line')} in minutes from before there was a ledger" if unknown else "",
    ]
    said = " and ".join(part for part in parts if part)
    return f"Not judged: {said}. All else is accounted for." if said else ""


def wrong_of(read: Ledger, names: dict[int, str]) -> list[str]:
    return [
        f"{named(place.source, names)}, {place.dialect or 'no dialect'}, accepted in the minute of "
        f"{ledger.start_of(place.minute):%Y-%m-%d %H:%M} UTC: {lacking(line.difference)}{unheld(line)}."
        for place, line in ledger.differences(read.lines).items()
    ]


def unheld(line: Line) -> str:
    if not line.unheld:
        return ""
    what = counted(line.unheld, "batch")
    return f"; the broker says that {what} of it are spilled, and no worker's volume holds them"


def wrong_kept(found: Recount, names: dict[int, str]) -> list[str]:
    """What no segment shows lies where retention or an erasure was: there lines may be gone rightly."""
    sums = [
        f"{named(source, names)}: of what was stored, {lacking(one.difference)}."
        for source, one in found.kept.items()
        if one.difference
    ]
    places = [
        f"{named(one.source, names)}, stored in the minute of {one.time:%Y-%m-%d %H:%M} UTC "
        f"(segment {one.seg}): {lacking(one.lines)}."
        for one in found.short
    ]
    return sums + places


def shortened(sentences: list[str]) -> list[str]:
    more = len(sentences) - MOST_NAMED
    return [*sentences[:MOST_NAMED], f"... and {number(more)} more."] if more > 0 else sentences


def lacking(lines: int) -> str:
    return f"{number(lines)} missing" if lines > 0 else f"{number(-lines)} too many"
