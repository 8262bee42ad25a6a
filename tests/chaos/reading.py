"""Readers beside a load: do their answers agree, and does a tail that keeps breaking off still see it all."""

import random
import threading
import time
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import msgspec

from ingest.client import BROKEN, Connection, Refused, Target, Unreachable
from ingest.reading import Reader
from tests.bench.installation import Installation

TAILS = 3
PAGE = 10_000
SETTLE_SECONDS = 60.0
QUERIES = ("", "severity:>=warn", "connection", "service:gateway", "-region:us-east-1")


def target_of(made: Installation) -> Target:
    return Target(made.facts["web_url"], made.facts["read_token"])


# ---- one as_of, several answers ----


def agreement(made: Installation, seconds: float) -> tuple[int, Counter[str]]:
    """Rounds of search, histogram and the whole list, all under the as_of of the first; what differed."""
    connection, reader = Connection(target_of(made)), Reader(target_of(made))
    found: Counter[str] = Counter()
    rounds, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        query = QUERIES[rounds % len(QUERIES)]
        total, listed, distinct, bars, again = one_round(connection, reader, query)
        found["totals unlike their list"] += total != listed
        found["lines listed twice"] += listed - distinct
        found["histograms unlike their list"] += bars != listed
        found["totals that changed under their as_of"] += total != again
        rounds += 1
    found["no round at all"] += not rounds
    return rounds, Counter({kind: number for kind, number in found.items() if number})


def one_round(connection: Connection, reader: Reader, query: str) -> tuple[int, int, int, int, int]:
    exact = {"q": query, "limit": "1", "count": "exact"}
    first = reader.page(exact)
    fixed = {"q": query, "as_of": first["as_of"]}
    listing = {**fixed, "limit": str(PAGE), "count": "none", "order": "asc"}
    ids = [line["id"] for line in reader.search(listing, 10**9, lambda text: None)]
    histogram = get(connection, "histogram", fixed)
    again = reader.page({**exact, "as_of": first["as_of"]})["total"]
    return first["total"], len(ids), len(set(ids)), histogram["total"], again


def get(connection: Connection, endpoint: str, parameters: dict[str, str]) -> dict[str, Any]:
    answer = connection.request("GET", f"/api/v1/logs/{endpoint}?{urlencode(parameters)}")
    if answer.status != 200:
        raise RuntimeError(f"{endpoint}: {answer.status} {answer.body[:300]!r}")
    document: dict[str, Any] = msgspec.json.decode(answer.body)
    return document


# ---- tails ----


class Follower(threading.Thread):
    """Follows from a place, breaking its connection off at random, until it has seen so many lines."""

    def __init__(self, made: Installation, cursor: str, lines: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.reader, self.cursor, self.lines = Reader(target_of(made)), cursor, lines
        self.random = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.batches: Counter[str] = Counter()
        self.breaks = self.gaps = 0
        self.failure: Exception | None = None
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.is_set() and len(self.seen) < self.lines:
            try:
                self.follow(time.monotonic() + self.random.uniform(0.2, 3.0))
            except (*BROKEN, Unreachable):
                self.breaks += 1
            except Refused as refused:
                self.failure = refused
                return

    def follow(self, until: float) -> None:
        """One connection. Leaving the loop closes it, with whatever was on its way thrown away."""
        for event in self.reader.stream({"cursor": self.cursor}):
            self.cursor = event.id or self.cursor
            if event.kind == "line":
                self.seen[event.data["id"]] += 1
                self.batches[event.data["batch"]] += 1
            self.gaps += event.kind == "gap"
            if time.monotonic() > until or self.stopped.is_set():
                self.breaks += 1
                return


def place(made: Installation) -> str:
    """Here and now: what is stored after this is what a tail from here shows."""
    return str(Reader(target_of(made)).page({"limit": "0", "count": "none"})["as_of"])


def tails(
    made: Installation, cursor: str, batches: int, size: int, seconds: float
) -> tuple[dict[str, Any], Counter[str]]:
    followers = [Follower(made, cursor, batches * size, seed) for seed in range(TAILS)]
    for follower in followers:
        follower.start()
    deadline = time.monotonic() + seconds + SETTLE_SECONDS
    for follower in followers:
        follower.join(max(0.0, deadline - time.monotonic()))
        follower.stopped.set()
    found: Counter[str] = Counter()
    for follower in followers:
        found["lines missed"] += batches * size - len(follower.seen)
        found["lines repeated"] += follower.seen.total() - len(follower.seen)
        found["batches shown in part"] += sum(count != size for count in follower.batches.values())
        found["gaps"] += follower.gaps
        found[f"refused: {follower.failure}"] += follower.failure is not None
    figures = {"tails": TAILS, "lines each": batches * size, "breaks": sum(one.breaks for one in followers)}
    return figures, Counter({kind: number for kind, number in found.items() if number})
