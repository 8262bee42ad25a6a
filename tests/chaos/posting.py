"""The clients of a chaos run, a process of their own: `python -m tests.chaos.posting PLAN.json`.

Numbered batches are posted at a rate, by several threads, in ways that the seed chooses: plainly, with the
connection broken in mid-body, with the answer thrown away, held up half-way, sent twice. A batch is sent
under one key until it is answered; a few are sent once and never asked about: their outcome stays unknown.
The journal is fsynced before a body leaves and after its answer, and is all that the checker believes.
"""

import contextlib
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from ingest.client import BROKEN, Answer, Refused, Sender, Target, Unreachable
from ingest.journal import Journal
from tests.bench.load import prepared
from tests.chaos import lines
from tests.chaos.lines import Batch
from webapp.challenge import journal

PATIENCE = 600.0  # a sender outlives every outage here
LONGEST_PAUSE = 2.0  # whatever Retry-After says: a run is short, and clients are not all polite
HELD_SECONDS = 2.0
CONNECT_SECONDS = 5.0
TAIL_BYTES = 20_000

# Share of the batches that take each way; the rest goes plainly.
WAYS = {"broken": 0.05, "unheard": 0.05, "held": 0.02, "twice": 0.05, "forgotten": 0.02}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    token: str
    journal: str
    seed: int
    batches: int
    lines: int  # of a batch
    rate: float  # lines a second
    first_ns: int
    poison: float  # share of the batches
    odd_ways: bool = True
    threads: int = 6


class Entry(journal.Entry, frozen=True, kw_only=True, omit_defaults=True):
    kind: str = "good"
    sum: int = 0


def entry_of(batch: Batch, way: str) -> Entry:
    return Entry(
        run="chaos", batch=batch.number, n=batch.lines, sha256=batch.sha256, outcome="sending",
        poison=len(batch.poison), way=way, kind=batch.kind, sum=batch.sum,
    )  # fmt: skip


def read(path: Path) -> dict[int, Entry]:
    """The last word on every batch, and of one that is still being sent nobody knows the outcome."""
    with Journal(path) as book:
        found = {entry.batch: entry for entry in msgspec.convert(book.entries, list[Entry])}
    return {
        number: msgspec.structs.replace(entry, outcome="unknown") if entry.outcome == "sending" else entry
        for number, entry in found.items()
    }


def accepted_since(path: Path, since: float) -> bool:
    """Looks at the end of a journal that is being written."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
        whole = [line for line in file.read().split(b"\n")[1:-1] if b'"accepted"' in line]
    return any(msgspec.json.decode(line)["at"] > since for line in whole)


@dataclass
class Posting:
    plan: Plan
    book: journal.Book
    stopped: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    failure: BaseException | None = None

    def post_all(self) -> None:
        numbers, begun = iter(range(self.plan.batches)), time.monotonic()
        threads = [
            threading.Thread(target=self.guarded, args=(numbers, begun), daemon=True)
            for _ in range(self.plan.threads)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def guarded(self, numbers: Iterator[int], begun: float) -> None:
        sender = sender_of(self.plan)
        try:
            while (number := self.next_of(numbers)) is not None:
                batch = make(self.plan, number)
                self.stopped.wait(max(0.0, self.due(begun, number) - time.monotonic()))
                if self.stopped.is_set() or self.failure:
                    return
                self.post(sender, batch)
        except BaseException as error:  # of a thread: `main` raises it again
            self.failure = error
        finally:
            sender.close()

    def next_of(self, numbers: Iterator[int]) -> int | None:
        with self.lock:
            return next(numbers, None)

    def due(self, begun: float, number: int) -> float:
        return begun + number * self.plan.lines / self.plan.rate

    def post(self, sender: Sender, batch: Batch) -> None:
        way = way_of(self.plan, batch)
        entry = entry_of(batch, way)
        self.book.note(entry)
        self.book.note(settled(entry, batch, lambda: self.sent(sender, batch, way)))

    def sent(self, sender: Sender, batch: Batch, way: str) -> tuple[Answer | None, int]:
        """The answer, None where nobody heard it; and how many answers there were that said `duplicate`."""
        target = sender.target
        if way in ("broken", "unheard", "held", "forgotten"):
            with contextlib.suppress(*BROKEN):
                wire = prepared(target.url, target.token, "chaos", [(batch.body, 0)])[0].wire
                mishandled(target.url, wire.replace(b"chaos-0\r\n", key(batch) + b"\r\n", 1), way)
        if way == "forgotten":
            return None, 0
        answer = sender.post(batch.body, lines.key_of(batch.number))
        if way != "twice":
            return answer, int(answer.duplicate)
        again = sender.post(batch.body, lines.key_of(batch.number))
        if again.batch != answer.batch:
            raise Contradiction(f"batch {batch.number} was {answer.batch}, then {again.batch}")
        return answer, int(answer.duplicate) + int(again.duplicate)


class Contradiction(AssertionError):
    """Two answers to one request that cannot both be true."""


def sender_of(plan: Plan) -> Sender:
    target = Target(plan.url, plan.token)
    return Sender(target, patience=PATIENCE, sleep=lambda seconds: time.sleep(min(seconds, LONGEST_PAUSE)))


def make(plan: Plan, number: int) -> Batch:
    kind = lines.kind_of(plan.seed, number, plan.poison)
    return lines.make(number, plan.lines, plan.first_ns, kind)


def key(batch: Batch) -> bytes:
    return lines.key_of(batch.number).encode()


def way_of(plan: Plan, batch: Batch) -> str:
    """A refused body has no duplicates: its way is the plain one."""
    if not plan.odd_ways or batch.kind in ("garbage", "empty"):
        return "plain"
    dice = random.Random(f"{plan.seed}/way/{batch.number}").random()
    for way, share in WAYS.items():
        if dice < share:
            return way
        dice -= share
    return "plain"


def settled(entry: Entry, batch: Batch, send: Callable[[], tuple[Answer | None, int]]) -> Entry:
    """The journal's last word on it."""
    replace, now = msgspec.structs.replace, time.time
    try:
        answer, duplicates = send()
    except Refused as refused:
        batch_id = str(refused.problem.get("batch", ""))
        why = f"{refused.status} {refused.problem.get('code', '')}".strip()
        listed = [one["line"] for one in refused.problem.get("rejected", [])]
        odd = "" if batch.kind in ("garbage", "empty") and listed == batch.rejected else f"refused: {refused}"
        return replace(entry, outcome="refused", id=batch_id, why=why, odd=odd, at=now())
    except Unreachable as gone:
        return replace(entry, outcome="unknown", why=str(gone), at=now())
    if answer is None:
        return replace(entry, outcome="unknown", why="nobody waited for the answer", at=now())
    listed = [one.line for one in answer.rejected]
    # The answer to a repeat lists what it found anew, which is the same.
    odd = "" if (answer.accepted, listed) == (batch.taken, batch.rejected) else f"answered {answer}"[:300]
    return replace(entry, outcome="accepted", id=answer.batch, odd=odd, duplicates=duplicates, at=now())


def mishandled(url: str, wire: bytes, way: str) -> None:
    """One try that ends without an answer being read."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 80), CONNECT_SECONDS) as connection:
        connection.sendall(wire[: len(wire) // 2])
        if way == "broken":
            return
        if way == "held":
            time.sleep(HELD_SECONDS)
        connection.sendall(wire[len(wire) // 2 :])
        if way == "unheard":  # thrown away once it is there: by then the batch is in the broker
            connection.recv(1)


def one(plan: Plan, number: int) -> Entry:
    """A last plain batch, into the same journal; the sender of the others has ended."""
    batch = lines.make(number, plan.lines, plan.first_ns)
    with Journal(Path(plan.journal)) as opened:
        posting = Posting(msgspec.structs.replace(plan, odd_ways=False), journal.Book(opened))
        with contextlib.closing(sender_of(plan)) as sender:
            posting.post(sender, batch)
    return read(Path(plan.journal))[number]


def main() -> int:
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    with Journal(Path(plan.journal)) as opened:
        posting = Posting(plan, journal.Book(opened))
        signal.signal(signal.SIGTERM, lambda *_: posting.stopped.set())
        posting.post_all()
    if posting.failure:
        raise posting.failure
    return 0


if __name__ == "__main__":
    sys.exit(main())
