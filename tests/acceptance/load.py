"""The acceptance load, run by hand: `python -m tests.acceptance.load faults|agree|tail`.

faults  Lines are posted while workers, broker and ingest are killed and the database goes away twice. A
        journal says, fsynced, what was sent and what was answered; then the database is asked for every
        batch: each line once, at its place, unchanged. `--lines 5000000 --rate 20000 --outage 30` is the
        load of the acceptance.
agree   Under load, list, total and histogram under one as_of describe the same lines.
tail    Under load, tails that are broken off again and again miss nothing and repeat nothing.

Exit code 0: nothing lost, nothing twice, nothing different. Everything runs in an installation of its own.
"""

import argparse
import contextlib
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from ingest.client import Answer, Sender, Target
from ingest.journal import Journal
from tests.acceptance import loadlines, reading
from tests.acceptance.chaos import Chaos, Database
from tests.bench.installation import Installation, installation

THREADS = 4
PATIENCE = 600.0  # a sender outlives every outage here
DRAIN_SECONDS = 300.0


@dataclass
class Posting:
    """Posts numbered batches at a rate; the journal is written before and after each."""

    target: Target
    journal: Journal
    lines: int  # of a batch
    first_ns: int
    rate: float  # lines a second
    lock: threading.Lock = field(default_factory=threading.Lock)
    expected: dict[uuid.UUID, loadlines.Batch] = field(default_factory=dict)
    accepted_at: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    failure: BaseException | None = None

    def post_all(self, batches: int) -> None:
        """On return every batch was answered, or `failure` says what a sender could not bear."""
        numbers, begun = iter(range(batches)), time.monotonic()
        threads = [threading.Thread(target=self.guarded, args=(numbers, begun)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def guarded(self, numbers: Iterator[int], begun: float) -> None:
        sender = Sender(self.target, patience=PATIENCE, on_wait=self.waited)
        try:
            while (number := self.next_of(numbers)) is not None and self.failure is None:
                batch = loadlines.make(number, self.lines, self.first_ns)
                time.sleep(max(0.0, begun + number * self.lines / self.rate - time.monotonic()))
                self.post(sender, batch)
        except BaseException as error:  # of a thread: `finish` raises it again
            self.failure = error
        finally:
            sender.close()

    def next_of(self, numbers: Iterator[int]) -> int | None:
        with self.lock:
            return next(numbers, None)

    def post(self, sender: Sender, batch: loadlines.Batch) -> None:
        entry = {"batch": batch.number, "n": batch.lines, "sha256": batch.sha256}
        self.note({**entry, "outcome": "sending"})
        answer = sender.post(batch.body, f"load-{batch.number}")
        self.note({**entry, "outcome": "accepted", "id": answer.batch})
        with self.lock:
            self.take(batch, answer)

    def take(self, batch: loadlines.Batch, answer: Answer) -> None:
        self.expected[uuid.UUID(answer.batch)] = batch
        self.accepted_at.append(time.time())
        self.counts["duplicates answered"] += answer.duplicate
        self.counts["lines rejected"] += len(answer.rejected)

    def note(self, entry: dict[str, Any]) -> None:
        with self.lock:
            self.journal.append(entry)

    def waited(self, seconds: float, why: str) -> None:
        with self.lock:
            self.counts["tries again"] += 1


def finish(posting: Posting, url: str, batches: int) -> float:
    """Until every batch is in the ledger; how long that took. Raises what a sender could not bear."""
    if posting.failure:
        raise posting.failure
    begun = time.monotonic()
    with psycopg.connect(url, autocommit=True) as conn:
        while time.monotonic() - begun < DRAIN_SECONDS:
            row = conn.execute("SELECT count(*) FROM log_batch").fetchone()
            if row and row[0] >= batches:
                break
            time.sleep(0.5)
    return time.monotonic() - begun


def differences(url: str, expected: dict[uuid.UUID, loadlines.Batch]) -> Counter[str]:
    """What is not as it was sent, by kind; empty when all is."""
    found: Counter[str] = Counter()
    missing = dict(expected)
    with psycopg.connect(url, autocommit=True) as conn:
        for batch, stored in loadlines.stored(conn):
            sent = missing.pop(batch, None)
            if sent is None:
                found["batches that nobody was told of"] += 1
                found["lines twice"] += stored.rows
                continue
            found["lines lost"] += max(0, sent.lines - stored.places)
            found["lines twice"] += stored.rows - stored.places
            found["batches of other content"] += stored.sum != sent.sum or stored.first != 0
        row = conn.execute("SELECT count(*) FROM log").fetchone()
        total = row[0] if row else 0
        row = conn.execute("SELECT count(*) FROM quarantine").fetchone()
        found["rows in quarantine"] = row[0] if row else 0
    found["batches lost"] = len(missing)
    found["lines lost"] += sum(batch.lines for batch in missing.values())
    found["lines outside every batch"] = total - sum(batch.lines for batch in expected.values())
    return Counter({kind: number for kind, number in found.items() if number})


def report(title: str, figures: dict[str, Any]) -> None:
    print(f"\n{title}")
    for name, value in figures.items():
        print(f"  {name:<46} {value:,.1f}" if isinstance(value, float) else f"  {name:<46} {value}")


def verdict(found: Counter[str]) -> int:
    report("Differences" if found else "No difference: each line once, unchanged.", dict(found))
    return 1 if found else 0


@contextlib.contextmanager
def scene(options: argparse.Namespace) -> Iterator[tuple[Installation, Database, Posting]]:
    with tempfile.TemporaryDirectory(prefix="logboom-load-") as scratch:
        database = Database(Path(scratch) / "postgres")
        try:
            with (
                installation(DATABASE_URL=database.url) as made,
                Journal(Path(scratch) / "journal.ndjson") as journal,
            ):
                target = Target(made.facts["ingest_url"], made.facts["ingest_token"])
                first = time.time_ns() - 3600 * 10**9
                yield made, database, Posting(target, journal, options.batch, first, options.rate)
        finally:
            database.stop()


def faults(options: argparse.Namespace) -> int:
    batches, seconds = options.lines // options.batch, options.lines / options.rate
    with scene(options) as (made, database, posting):
        chaos = Chaos(made, database)
        load = threading.Thread(target=posting.post_all, args=(batches,))
        killer = threading.Thread(target=chaos.kill_workers)
        begun = time.monotonic()
        load.start()
        killer.start()
        try:
            chaos.run(seconds, options.outage)  # in this thread: the database ends with whoever started it
            load.join()
        finally:
            chaos.done.set()
            killer.join()
        took = time.monotonic() - begun
        drained = finish(posting, database.url, batches)
        for when, what in chaos.log:
            print(f"  {when:7.1f} s  {what}")
        accepted = posting.accepted_at
        away = sum(down <= at <= up for at in accepted for down, up in chaos.outages)
        again = sum(
            bool(chaos.restarted_at) and chaos.restarted_at <= at <= chaos.outages[-1][1] for at in accepted
        )
        report(
            "Load",
            {
                "lines accepted": len(posting.expected) * options.batch,
                "batches": len(posting.expected),
                "seconds of load": took,
                "seconds until all was stored": drained,
                **{f"kills of {role}": count for role, count in chaos.killed.items()},
                **dict(posting.counts),
                "batches accepted with the database away": away,
                "of these after ingest was restarted": again,
            },
        )
        found = differences(database.url, posting.expected)
        if not again:
            found["restarted ingest accepted nothing without a database"] = 1
        return verdict(found)


def under_load(
    options: argparse.Namespace, check: Callable[[Installation, str, argparse.Namespace], Counter[str]]
) -> int:
    """The check runs while lines are posted, from a place before the first; these are checked too."""
    with scene(options) as (made, database, posting):
        batches, place = options.lines // options.batch, reading.place(made)
        load = threading.Thread(target=posting.post_all, args=(batches,))
        load.start()
        found = check(made, place, options)
        load.join()
        finish(posting, database.url, batches)
        return verdict(found + differences(database.url, posting.expected))


def agree(made: Installation, place: str, options: argparse.Namespace) -> Counter[str]:
    rounds, found = reading.agreement(made, options.lines / options.rate)
    report("Reads under one as_of", {"rounds": rounds})
    return found


def tail(made: Installation, place: str, options: argparse.Namespace) -> Counter[str]:
    batches, seconds = options.lines // options.batch, options.lines / options.rate
    figures, found = reading.tails(made, place, batches, options.batch, seconds)
    report("Tails", figures)
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.acceptance.load", description=__doc__.split("\n")[0]
    )
    parser.add_argument("mode", choices=("faults", "agree", "tail"))
    parser.add_argument("--lines", type=int, default=240_000)
    parser.add_argument("--rate", type=float, default=5000.0, help="lines per second offered")
    parser.add_argument("--batch", type=int, default=1000, help="lines of one POST")
    parser.add_argument("--outage", type=float, default=8.0, help="seconds without the database, twice")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.mode == "faults":
        return faults(options)
    return under_load(options, {"agree": agree, "tail": tail}[options.mode])


if __name__ == "__main__":
    sys.exit(main())
