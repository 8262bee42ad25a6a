"""A challenge from its first line to its verdict; `judge` alone is what a journal is checked with afterwards.

Order: ask the server for its time (no line lies in its future) and begin the journal; one line, whose receipt
says which source the token sends to; load and faults; wait until nothing of the source waits any more, and
until what a broken-off sender began can no longer come; then read back and compare. Nothing is judged while
it moves.
"""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ingest.client import Target
from ingest.journal import Journal
from webapp.challenge import checking, lines, verdict
from webapp.challenge.checking import Difference, Quarantine, Recount
from webapp.challenge.faults import Fault, Faults
from webapp.challenge.journal import Account, Book, Entry, Head
from webapp.challenge.posting import Load, Posting
from webapp.challenge.reading import Reader, Stale, Unreadable
from webapp.challenge.verdict import Verdict, percentiles
from webapp.challenge.watching import Watcher
from webapp.logs import times

HELLO_SECONDS = 60.0
PACE_SECONDS = 20.0
LATE_SECONDS = 15.0  # ingest holds a request for 10 s while the broker restarts: it may still accept it
ASK_EVERY = 1.0
FRESH_TRIES = 3  # of a recount whose as_of went by
MOST_RECEIPTS = 500
BOOKS = ("accepted", "stored", "duplicate", "quarantined")
MOST_RAW = 300  # entries of the quarantine whose bytes are compared

Say = Callable[[str], None]


class WrongSource(Exception):
    """Permanent: the token sends somewhere else than the challenge is to."""


class NotAccepted(Exception):
    """The first line was not accepted: there is nothing to challenge."""


@dataclass(frozen=True)
class Plan:
    load: Load
    seconds: float
    every: float = 10.0  # seconds between faults
    drain: float = 300.0  # the longest that is waited for what was accepted to be stored
    settle: float = 200.0  # and for the ledger to settle: two minutes and a bit
    source: str = lines.SOURCE


@dataclass
class Campaign:
    ingest: Target
    reader: Callable[[str], Reader]  # a reader of this run, for one thread
    plan: Plan
    say: Say
    stop: threading.Event = field(default_factory=threading.Event)

    def begin(self, place: tuple[str, str]) -> Head:
        _, now = place
        run = lines.new_run(times.instant(now, 0, times.zone_of("UTC")))
        web = self.reader(run).target.url
        return Head(
            run=run, seed=self.plan.load.seed, ingest_url=self.ingest.url, web_url=web,
            source=self.plan.source, opened=now,
        )  # fmt: skip

    def run(self, journal: Journal, head: Head, faults: Sequence[Fault]) -> Verdict:
        """Raises WrongSource, NotAccepted, Unreadable before anything but a line was sent."""
        book = Book(journal)
        book.begin(head)
        tell = partial(self.tell, book)
        posting = Posting(self.ingest, book, head.run, self.plan.load, tell=tell, stop=self.stop)
        self.hello(posting, head)
        watcher = Watcher(self.reader(head.run).is_there)
        pace = Pace(self.say)

        def accepted(entry: Entry) -> None:
            watcher.offer(entry)
            pace.add(entry.n)

        posting.accepted = accepted
        breaking = Faults(faults, self.plan.every, random.Random(head.seed), tell, self.plan.seconds)
        ended = self.under_load(posting, watcher, breaking)
        found = judge(book.account(), self.reader(head.run), self.plan, self.say, ended)
        found.figures["2xx to found ms"] = percentiles([one * 1000 for one in watcher.found])
        found.figures["faults"] = dict(breaking.counts)
        if watcher.pending:
            found.figures["looked for and not found in time"] = len(watcher.pending)
        if faults and not breaking.counts["done"]:
            found.unproved = found.unproved or "not one fault was done"
        return found

    def tell(self, book: Book, what: str) -> None:
        book.event(what)
        self.say(what)

    def hello(self, posting: Posting, head: Head) -> None:
        batch = lines.make(head.run, 0, 1)
        with contextlib.closing(posting.client(HELLO_SECONDS)) as client:
            posting.one(client, batch, "plain")
        entry = posting.book.account().batches[0]
        if entry.outcome != "accepted":
            raise NotAccepted(f"the first line was not accepted: {entry.odd or entry.why}")
        receipt = self.reader(head.run).receipt(entry.id)
        if receipt is None:
            raise WrongSource(
                "whoever reads may not see what is sent: the token for reading needs the source."
            )
        if receipt["source"] != head.source:
            raise WrongSource(
                f"the token sends to the source {receipt['source']}, not to {head.source}; "
                "one line went there. Take another token, or say --source."
            )

    def under_load(self, posting: Posting, watcher: Watcher, breaking: Faults) -> float:
        """When the last batch had its outcome."""
        beside = [threading.Thread(target=watcher.run), threading.Thread(target=breaking.run)]
        for thread in beside:
            thread.start()
        try:
            posting.post(self.plan.seconds, first=1)
            ended = time.monotonic()
            breaking.stop.set()
            watcher.finish(self.plan.drain)
        finally:
            breaking.stop.set()
            watcher.stop.set()
            for thread in beside:
                thread.join()
        return ended


@dataclass
class Pace:
    """A word now and then, so that a long load does not look like a hang."""

    say: Say
    lines: int = 0
    said: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, lines: int) -> None:
        with self.lock:
            self.lines += lines
            if time.monotonic() - self.said >= PACE_SECONDS:
                self.said = time.monotonic()
                self.say(f"{self.lines:,} lines accepted so far")


# ---- judging ----


def judge(account: Account, reader: Reader, plan: Plan, say: Say, ended: float | None = None) -> Verdict:
    """From a journal and what is there now. Whatever cannot be read makes it unproved, never good."""
    ended = time.monotonic() if ended is None else ended
    found = Verdict(account, verdict.sent_figures(account))
    if not account.of("accepted"):
        found.unproved = "nothing was accepted"
        return found
    try:
        found.figures["drained after seconds"] = drained(account, reader, plan, say, ended)
        compare(account, reader, found, say)
        found.differences += in_ledger(account, reader, plan, found, say)
    except Unreadable as error:
        found.unproved = str(error)
    return found


def drained(account: Account, reader: Reader, plan: Plan, say: Say, ended: float) -> float:
    """Until nothing of the source waits; how long that took since the load ended. Raises Unreadable."""
    say("waiting until everything is stored")
    until_nothing_waits(account, reader, ended + plan.drain)
    took = time.monotonic() - ended
    last = max((entry.at for entry in account.of("unknown", "refused")), default=0.0)
    late = last + LATE_SECONDS - time.time()
    if late > 0:
        time.sleep(min(late, LATE_SECONDS))
        until_nothing_waits(account, reader, time.monotonic() + plan.drain)
    return took


def until_nothing_waits(account: Account, reader: Reader, deadline: float) -> None:
    while True:
        document = reader.ledger(*account.span)
        line = line_of(document, account.head.source)
        waiting = checking.number(line, "queued") + checking.number(line, "spilled")
        if document["broker"] == "ok" and not waiting:
            return
        if time.monotonic() > deadline:
            raise Unreadable(f"{waiting:,} lines still wait to be stored; broker {document['broker']}")
        time.sleep(ASK_EVERY)


def line_of(document: dict[str, Any], source: str) -> dict[str, Any]:
    return next((line for line in document["lines"] if line["key"] == source), {})


def compare(account: Account, reader: Reader, found: Verdict, say: Say) -> None:
    """Lines, quarantine and receipts. Raises Unreadable."""
    say("reading everything back")
    began = time.monotonic()
    recount, poison = recounted(account, reader), quarantine_of(account, reader)
    found.figures |= {
        "lines read back": recount.total,
        "unknown batches that are there": there(account.of("unknown"), recount),
        "in quarantine": poison.total,
        "seconds to read back": time.monotonic() - began,
    }
    found.differences += checking.differences(account, recount, poison)
    found.differences += receipts(account, reader, found)


def there(entries: Sequence[Entry], recount: Recount) -> int:
    return sum(entry.batch in recount.tallies for entry in entries)


def recounted(account: Account, reader: Reader) -> Recount:
    size = max(entry.n for entry in account.batches.values())
    for left in reversed(range(FRESH_TRIES)):
        recount = Recount(account.head.run)
        as_of, _ = reader.place()
        try:
            for line in reader.lines(as_of, account.beyond, size):
                recount.add(line)
            return recount
        except Stale:
            if not left:
                raise
    raise AssertionError("unreachable")


def quarantine_of(account: Account, reader: Reader) -> Quarantine:
    poison, raw = Quarantine(account.head.run), 0
    for number, entry in reader.quarantine(account.head.opened):
        planted = lines.planted_at(entry.beginning)
        if planted and planted[0] == account.head.run and raw < MOST_RAW:
            raw += 1
            entry = entry._replace(raw=reader.raw(number))
        poison.add(entry)
    return poison


def receipts(account: Account, reader: Reader, found: Verdict) -> list[Difference]:
    """Of every accepted batch, or of MOST_RECEIPTS spread evenly over them."""
    accepted = account.of("accepted")
    step = -(-len(accepted) // MOST_RECEIPTS)
    asked = accepted[::step]
    found.figures["receipts compared"] = len(asked)
    return [one for entry in asked for one in checking.receipt_differences(entry, reader.receipt(entry.id))]


def in_ledger(account: Account, reader: Reader, plan: Plan, found: Verdict, say: Say) -> list[Difference]:
    """The books are copied every ten seconds, and a minute settles about two after it ended."""
    say("waiting for the ledger to agree")
    total, deadline = found.figures["lines read back"], time.monotonic() + plan.settle
    said = time.monotonic()
    while True:
        document = reader.ledger(*account.span)
        line = line_of(document, account.head.source)
        differences = checking.ledger_differences(account, total, line)
        if not differences or time.monotonic() > deadline:
            found.figures["ledger"] = {name: checking.number(line, name) for name in BOOKS}
            found.figures["left the source, of all time"] = document["gone"].get(account.head.source, {})
            return differences
        if time.monotonic() - said > PACE_SECONDS:
            said = time.monotonic()
            say(f"the ledger does not agree yet: {differences[0].kind}, {differences[0].detail}")
        time.sleep(ASK_EVERY)
