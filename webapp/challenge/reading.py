"""Everything of a run, read back through the REST API: lines under one as_of, quarantine, receipts, ledger.

A read that is not answered (web is killed as well) is asked again for `patience` seconds; an export that ends
without its marker, or with one that says it is not whole, is read anew from the start of its stretch, and
nothing of the broken one counts. Unreadable means that nothing was proved, neither good nor bad.
"""

import base64
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec

from ingest.client import BROKEN, TRANSIENT, Connection, Response, Target, pause, problem_of, refusal
from webapp.challenge import lines
from webapp.challenge.checking import Resting
from webapp.challenge.lines import Line

STRETCH_LINES = 50_000  # of one export
PAGE = 1000  # entries of the quarantine
LONGEST_PAUSE = 2.0
END = b'{"_end":'

Parameters = Mapping[str, str] | Sequence[tuple[str, str]]


class Unreadable(Exception):
    """The API did not answer in time, or answered something else: nothing was proved."""


class Stale(Unreadable):
    """The as_of went by (an hour, or something was erased): read again under a fresh one."""


@dataclass
class Reader:
    """One thread's. `headers` carry a session where a person's login reads instead of a token."""

    target: Target
    run: str
    source: str
    patience: float = 120.0
    headers: Mapping[str, str] = field(default_factory=dict)
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self.connection = Connection(self.target)

    def close(self) -> None:
        self.connection.close()

    def place(self) -> tuple[str, str]:
        answer = self.get("/api/v1/logs/search", {"limit": "0", "count": "none", "source": self.source})
        return str(answer["as_of"]), str(answer["as_of_time"])

    def count(self) -> int:
        """Lines of the source, of whatever run."""
        answer = self.get("/api/v1/logs/search", {"limit": "0", "count": "exact", "source": self.source})
        return int(answer["total"])

    # ---- lines ----

    @property
    def query(self) -> str:
        return f'challenge.run:"{self.run}"'

    def lines(self, as_of: str, batches: int, size: int) -> Iterator[Line]:
        """One stretch in memory at a time: a broken one is thrown away."""
        step = max(1, STRETCH_LINES // max(1, size))
        for first in range(0, batches, step):
            start, end = lines.range_of(self.run, first, min(first + step, batches))
            asked = {
                "q": self.query, "source": self.source, "start": start, "end": end, "as_of": as_of,
                "order": "asc",
            }  # fmt: skip
            yield from self.stretch(asked)

    def stretch(self, asked: Parameters) -> Iterator[Line]:
        found = self.answered(f"/api/v1/logs/export?{urlencode(asked)}", whole)
        try:
            yield from map(lines.decode, found.split(b"\n")[:-2])
        except msgspec.DecodeError as error:
            raise Unreadable(f"the export holds what is no line: {error}") from error

    def is_there(self, batch: int) -> bool:
        """Whether a search finds the batch's first line now; False as well where nothing answers."""
        start, end = lines.range_of(self.run, batch, batch + 1)
        asked = {"q": self.query, "source": self.source, "start": start, "end": end, "limit": "1",
                 "count": "none"}  # fmt: skip
        try:
            response = self.ask(f"/api/v1/logs/search?{urlencode(asked)}")
            return response.status == 200 and bool(document(response.body)["logs"])
        except (*BROKEN, Unreadable):
            return False

    # ---- the rest ----

    def quarantine(self, since: str) -> Iterator[tuple[int, Resting]]:
        asked = {"source": self.source, "start": since, "limit": str(PAGE)}
        cursor = ""
        while True:
            answer = self.get("/api/v1/quarantine", {**asked, **({"cursor": cursor} if cursor else {})})
            for one in answer["entries"]:
                yield one["id"], Resting(one["line"], one["reason"], one["batch"], one["beginning"], None)
            if not answer["next"]:
                return
            cursor = answer["next"]

    def raw(self, entry: int) -> bytes:
        return base64.b64decode(self.get(f"/api/v1/quarantine/{entry}", {})["base64"])

    def receipt(self, batch: str) -> dict[str, Any] | None:
        """None where nobody knows the batch."""
        response = self.settled(f"/api/v1/batches/{batch}", lambda answer: answer.status in (200, 404))
        return document(response.body) if response.status == 200 else None

    def ledger(self, since: str, until: str) -> dict[str, Any]:
        return self.get("/api/v1/ledger", {"start": since, "end": until, "by": "source"})

    # ---- the wire ----

    def get(self, path: str, asked: Parameters) -> dict[str, Any]:
        return document(self.answered(f"{path}?{urlencode(asked)}"))

    def answered(self, path: str, good: Callable[[Response], bool] = lambda response: True) -> bytes:
        return self.settled(path, lambda response: response.status == 200 and good(response)).body

    def ask(self, path: str) -> Response:
        return self.connection.request("GET", path, headers=self.headers)

    def settled(self, path: str, good: Callable[[Response], bool]) -> Response:
        """Raises Unreadable."""
        deadline, attempt = time.monotonic() + self.patience, 0
        while True:
            try:
                response = self.ask(path)
            except BROKEN as error:
                why = f"{self.target.url} does not answer: {error or type(error).__name__}"
            else:
                if good(response):
                    return response
                why = complaint(path, response)
            if time.monotonic() > deadline:
                raise Unreadable(why)
            self.sleep(min(LONGEST_PAUSE, pause(attempt, None, random.random())))
            attempt += 1


def document(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Unreadable(f"what answers is not Logboom: {error}") from error


def complaint(path: str, response: Response) -> str:
    """Why this answer will not do, where another might. Raises Unreadable where none will."""
    where = path.partition("?")[0]
    if response.status == 410:
        raise Stale(f"{where}: {problem_of(response).get('detail', '410')}")
    if response.status == 200:
        return f"{where}: the answer broke off"
    if response.status not in TRANSIENT:
        raise Unreadable(f"{where}: {refusal(response)}")
    return f"{where}: {refusal(response)}"


def whole(response: Response) -> bool:
    """Whether an export has its marker, and the marker says that everything came before it."""
    last = response.body[response.body.rfind(b"\n", 0, -1) + 1 :]
    if not (last.startswith(END) and last.endswith(b"}\n")):
        return False
    told = msgspec.json.decode(last)["_end"]
    return bool(told["complete"]) and told["lines"] == response.body.count(b"\n") - 1
