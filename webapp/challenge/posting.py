"""Sends numbered batches at a rate, each in a way drawn from the seed; the journal says what became of it.

    Posting(target, book, run, load).post(seconds)     until then every batch has its outcome in the journal
    Posting(...).post(seconds, first=n)                the same with batch numbers from n on

The ways: most batches are sent until they are answered, as a good agent does. Some are sent once and given up
(`once`, without a key), some by a client that hangs up before the answer (`hangup`): these outcomes are truly
unknown. Some are sent twice at the same time and once more (`twice`), some break off in the middle of their
body (`withheld`) and some of these are then sent whole (`torn`), some hold planted poison (`poisoned`) or
nothing else (`garbage`).

A 4xx is a refusal for good: nothing of the batch may be there. A 5xx, or no answer, is an unknown outcome:
the broker may have kept a batch whose acceptance it could not tell ingest.
"""

import contextlib
import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ingest.client import (
    BROKEN,
    TIMEOUT_SECONDS,
    Answer,
    Connection,
    Refused,
    Response,
    Sender,
    Target,
    Unreachable,
    refusal,
)
from webapp.challenge import lines
from webapp.challenge.journal import Book, Entry
from webapp.challenge.lines import Batch

PATH = "/api/v1/logs"
NDJSON = {"Content-Type": "application/x-ndjson"}
SHARES: Mapping[str, float] = {
    "once": 0.04, "hangup": 0.03, "twice": 0.05, "withheld": 0.02, "torn": 0.02, "poisoned": 0.06,
    "garbage": 0.01,
}  # fmt: skip
PLAIN = "plain"
MOST_POISON = 3
TELL_SECONDS = 1.0
UNCERTAIN = frozenset({408, 425})


@dataclass(frozen=True)
class Load:
    seed: int
    rate: float = 500.0  # lines a second
    lines: int = 100  # of a batch
    threads: int = 4
    patience: float = 120.0  # seconds a good agent goes on trying
    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))

    def way(self, number: int) -> str:
        drawn = random.Random(f"{self.seed}:{number}").random()
        for way, share in self.shares.items():
            drawn -= share
            if drawn < 0:
                return way
        return PLAIN

    def make(self, run: str, number: int) -> tuple[Batch, str]:
        way = self.way(number)
        poison = 1 + random.Random(f"{self.seed}:{number}:poison").randrange(MOST_POISON)
        good = 0 if way == "garbage" else self.lines
        return lines.make(run, number, good, poison if way in ("poisoned", "garbage") else 0), way


@dataclass
class Outcome:
    """Filled in while a batch is sent; what the journal will say of it."""

    outcome: str = "unknown"
    id: str = ""
    why: str = ""
    odd: str = ""
    ms: float = 0.0
    again: int = 0
    duplicates: int = 0


Watch = Callable[[Entry], None]


@dataclass
class Answers:
    """When answers failed to come and when they came again, for the timeline: of all senders together.

    What passes within TELL_SECONDS is not told: it would hide what does not.
    """

    tell: Callable[[str], None]
    lock: threading.Lock = field(default_factory=threading.Lock)
    since: float | None = None  # when the first of the tries failed that nothing was accepted after
    failed: int = 0
    told: bool = False

    def bad(self, why: str) -> None:
        now = time.monotonic()
        with self.lock:
            self.failed += 1
            self.since = now if self.since is None else self.since
            lasts = now - self.since
            tell = not self.told and lasts >= TELL_SECONDS
            self.told = self.told or tell
        if tell:
            self.tell(f"nothing was accepted for {lasts:.1f} s: {why}")

    def good(self) -> None:
        now = time.monotonic()
        with self.lock:
            since, failed, told = self.since, self.failed, self.told
            self.since, self.failed, self.told = None, 0, False
        if since is not None and told:
            self.tell(f"accepted again, after {now - since:.1f} s and {failed:,} tries")


@dataclass
class Posting:
    target: Target
    book: Book
    run: str
    load: Load
    accepted: Watch = lambda entry: None  # told of each batch at once, by the thread that sent it
    tell: Callable[[str], None] = lambda what: None  # of the timeline
    stop: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None

    def __post_init__(self) -> None:
        self.answers = Answers(lambda what: self.tell(what))

    def post(self, seconds: float, first: int = 0) -> None:
        """Raises what a sender could not bear: an error of ours, never an answer."""
        began, numbers, lock = time.monotonic(), count(first), threading.Lock()
        ends = began + seconds

        def due() -> Iterator[int]:
            while True:
                with lock:
                    number = next(numbers)
                at = began + (number - first) * self.load.lines / self.load.rate
                if at >= ends or self.stop.wait(max(0.0, at - time.monotonic())):
                    return
                yield number

        threads = [threading.Thread(target=self.guarded, args=(due(),)) for _ in range(self.load.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failure:
            raise self.failure

    def guarded(self, numbers: Iterator[int]) -> None:
        client = self.client(self.load.patience)
        try:
            for number in numbers:
                self.one(client, *self.load.make(self.run, number))
        except BaseException as error:  # of a thread: `post` raises it again
            self.failure = error
            self.stop.set()
        finally:
            client.close()

    def client(self, patience: float) -> "Client":
        return Client(self.target, patience, self.stop, self.answers.bad)

    def one(self, client: "Client", batch: Batch, way: str) -> None:
        entry = Entry(
            run=batch.run, batch=batch.number, n=batch.lines, sha256=batch.sha256, outcome="sending",
            poison=len(batch.planted), way=way, at=time.time(),
        )  # fmt: skip
        self.book.note(entry)
        came = client.send(batch, way)
        done = msgspec.structs.replace(entry, **vars(came), at=time.time())
        self.book.note(done)
        if done.outcome == "accepted":
            self.answers.good()
            self.accepted(done)


@dataclass
class Client:
    """One thread's: a connection that is kept, and fresh ones for what a good agent would not do."""

    target: Target
    patience: float
    stop: threading.Event
    failed: Callable[[str], None] = lambda why: None  # told of each try that is made again

    def __post_init__(self) -> None:
        self.tried = 0.0
        self.tries = 0
        self.sender = Sender(self.target, self.patience, sleep=self.sleep, on_wait=self.waited)

    def sleep(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Unreachable("the challenge was ended while it was tried")
        self.tried = time.perf_counter()

    def waited(self, seconds: float, why: str) -> None:
        self.tries += 1
        self.failed(why)

    def close(self) -> None:
        self.sender.close()

    def send(self, batch: Batch, way: str) -> Outcome:
        ways: dict[str, Callable[[Batch], Outcome]] = {
            "once": self.once, "hangup": self.hang_up, "twice": self.twice, "withheld": self.withhold,
            "torn": self.tear,
        }  # fmt: skip
        return ways.get(way, self.patiently)(batch)

    def patiently(self, batch: Batch) -> Outcome:
        self.tries, self.tried = 0, time.perf_counter()
        try:
            answer = self.sender.post(batch.body, batch.key)
        except Refused as error:
            return refused(batch, error, self.tries)
        except Unreachable as error:
            return Outcome("unknown", why=str(error), again=self.tries)
        except msgspec.MsgspecError as error:
            return Outcome("unknown", odd=f"a 2xx that cannot be read: {error}", again=self.tries)
        took = (time.perf_counter() - self.tried) * 1000
        return accepted(batch, answer, took, self.tries)

    def once(self, batch: Batch) -> Outcome:
        """No key and no second try."""
        connection, began = Connection(self.target), time.perf_counter()
        try:
            response = connection.request("POST", PATH, batch.body, NDJSON)
            return answered(batch, response, (time.perf_counter() - began) * 1000)
        except BROKEN as error:
            return Outcome("unknown", why=f"no answer: {error or type(error).__name__}")
        finally:
            connection.close()

    def hang_up(self, batch: Batch) -> Outcome:
        """The body leaves as a whole, and nobody waits for the answer."""
        with contextlib.suppress(*BROKEN):
            self.begin(batch, batch.body).close()
        return Outcome("unknown", why="the client hung up")

    def withhold(self, batch: Batch) -> Outcome:
        """Half of what was announced, and then nothing: no part of it may be taken."""
        with contextlib.suppress(*BROKEN):
            self.begin(batch, batch.body[: len(batch.body) // 2]).close()
        return Outcome("refused", why="the body broke off")

    def tear(self, batch: Batch) -> Outcome:
        self.withhold(batch)
        return self.patiently(batch)

    def twice(self, batch: Batch) -> Outcome:
        """At the same time by two connections, and once more; all answers have to name one batch."""
        pair = list(self.both(batch))
        outcome = self.patiently(batch)
        answers = [answer for response in pair if response and (answer := good_answer(response))]
        if answers and outcome.outcome == "accepted" and not outcome.duplicates:
            outcome.odd = outcome.odd or "a repeat under the same key was taken for new"
        outcome.duplicates += sum(answer.duplicate for answer in answers)
        if outcome.outcome != "accepted" and answers:  # the first answer is what a sender relies upon
            outcome = accepted(batch, answers[0], 0.0, outcome.again)
        if others := {answer.batch for answer in answers} - {outcome.id}:
            outcome.odd = outcome.odd or f"one body under one key, answered as {outcome.id} and {others}"
        return outcome

    def both(self, batch: Batch) -> Iterator[Response | None]:
        opened = []
        for _ in range(2):
            with contextlib.suppress(*BROKEN):
                opened.append(self.begin(batch, batch.body))
        for connection in opened:
            try:
                answer = connection.getresponse()
                yield Response(answer.status, {}, answer.read())
            except BROKEN:
                yield None
            finally:
                connection.close()

    def begin(self, batch: Batch, content: bytes) -> http.client.HTTPConnection:
        """A request with all of the head and this much of the body. Raises OSError and HTTPException."""
        parts = urlsplit(self.target.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
        head = {
            **NDJSON, "Authorization": f"Bearer {self.target.token}", "Idempotency-Key": batch.key,
            "Content-Length": str(len(batch.body)),
        }  # fmt: skip
        try:
            connection.putrequest("POST", parts.path + PATH)
            for name, value in head.items():
                connection.putheader(name, value)
            connection.endheaders()
            connection.send(content)
        except BROKEN:
            connection.close()
            raise
        return connection


# ---- what an answer means ----


def good_answer(response: Response) -> Answer | None:
    """None for anything but a 2xx; one that cannot be read is no answer either."""
    if response.status < 300:
        with contextlib.suppress(msgspec.MsgspecError):
            return msgspec.json.decode(response.body, type=Answer)
    return None


def answered(batch: Batch, response: Response, ms: float) -> Outcome:
    """Of a batch that was sent this one time."""
    if response.status >= 300:
        return refused(batch, refusal(response), 0)
    try:
        return accepted(batch, msgspec.json.decode(response.body, type=Answer), ms, 0)
    except msgspec.MsgspecError as error:
        return Outcome("unknown", odd=f"a 2xx that cannot be read: {error}")


def accepted(batch: Batch, answer: Answer, ms: float, again: int) -> Outcome:
    found = Outcome("accepted", answer.batch, ms=ms, again=again, duplicates=int(answer.duplicate))
    if answer.accepted != batch.lines:
        found.odd = f"accepted {answer.accepted} of {batch.lines} lines"
    rejected = [(one.line, one.reason) for one in answer.rejected]
    if rejected != planted(batch):
        found.odd = found.odd or f"refused {rejected}, planted were {planted(batch)}"
    return found


def refused(batch: Batch, error: Refused, again: int) -> Outcome:
    problem = error.problem
    code = str(problem.get("code") or error.status)
    if error.status >= 500 or error.status in UNCERTAIN or error.status < 400:
        return Outcome("unknown", why=f"{error.status} {code}", again=again)
    if code == "nothing_good":
        rejected = problem.get("rejected") or []
        told = [(one.get("line"), one.get("reason")) for one in rejected]
        odd = "" if told == planted(batch) else f"refused {told}, planted were {planted(batch)}"
        return Outcome("refused", str(problem.get("batch", "")), why=code, odd=odd, again=again)
    if again:  # one of the tries before it may have been taken
        return Outcome("unknown", why=f"{error.status} {code}", odd=unexpected(error), again=again)
    return Outcome("refused", why=f"{error.status} {code}", odd=unexpected(error))


def unexpected(error: Refused) -> str:
    """429 is part of the promise; nothing else that is permanent should meet a body of ours."""
    return "" if error.status == 429 else str(error)


def planted(batch: Batch) -> list[tuple[Any, Any]]:
    return [(one.line, one.reason) for one in batch.planted]
