"""The reader's side of the wire: pages of a search, and a tail that is taken up again where it broke off."""

import http.client
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ingest.client import BROKEN, TRANSIENT, Connection, Response, Target, Unreachable, pause, refusal

SEARCH = "/api/v1/logs/search"
TAIL = "/api/v1/logs/tail"
QUIET_SECONDS = 15.0  # the server says something every second: silence means the connection is dead

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Event:
    kind: str  # line, status or gap
    id: str  # the place behind it; "" where it moves nothing
    data: dict[str, Any]


class Reader:
    def __init__(self, target: Target) -> None:
        self.target = target
        self.connection = Connection(target)

    def page(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """One answer of `search`; a read is asked once more at most, and only on a new connection."""
        try:
            response = self.connection.request("GET", f"{SEARCH}?{urlencode(parameters)}")
        except BROKEN as error:
            raise unreachable(self.target, error) from error
        if response.status != 200:
            raise refusal(response)
        answer: dict[str, Any] = json.loads(response.body)
        return answer

    def search(self, parameters: Mapping[str, str], limit: int, warn: Warn) -> Iterator[dict[str, Any]]:
        """Up to `limit` lines over as many pages as that takes, all of one set of lines."""
        asked = dict(parameters)
        while True:
            answer = self.page(asked)
            for warning in answer.get("warnings") or ():
                warn(warning if isinstance(warning, str) else str(warning.get("message", warning)))
            lines = answer["logs"][:limit]
            yield from lines
            limit -= len(lines)
            if limit <= 0 or not answer.get("next"):
                return
            asked = {
                **parameters,
                "cursor": answer["next"],
                "limit": str(min(limit, int(parameters["limit"]))),
            }

    def tail(self, query: Mapping[str, str], cursor: str, patience: float, warn: Warn) -> Iterator[Event]:
        """Events for ever; after a break from the last event on, until nothing answers for `patience` s."""
        attempt, deadline = 0, time.monotonic() + patience
        while True:
            lost = Unreachable(f"{self.target.url} closed the stream.")
            try:
                for event in self.stream({**query, "cursor": cursor}):
                    cursor, attempt = event.id or cursor, 0
                    deadline = time.monotonic() + patience
                    yield event
                if attempt == 0:
                    attempt = 1
                    continue  # in good order: the server ends every stream after some minutes
            except BROKEN as error:
                lost = unreachable(self.target, error)
            except Unreachable as error:
                lost = error
            wait = pause(attempt, None, random.random())
            if time.monotonic() + wait > deadline:
                raise lost
            warn(f"{lost} Trying again in {wait:.0f} s.")
            time.sleep(wait)
            attempt += 1

    def stream(self, parameters: Mapping[str, str]) -> Iterator[Event]:
        """The events of one connection, to its end."""
        connection = Connection(self.target, timeout=QUIET_SECONDS)
        try:
            answer = connection.send(
                "GET", f"{TAIL}?{urlencode(parameters)}", None, {"Accept": "text/event-stream"}
            )
            if answer.status != 200:
                refused = refusal(Response(answer.status, {}, answer.read()))
                raise Unreachable(str(refused)) if answer.status in TRANSIENT else refused
            yield from events(answer)
        finally:
            connection.close()


def events(answer: http.client.HTTPResponse) -> Iterator[Event]:
    """Server-sent events; one that the end of the stream cut short is dropped, as the standard says."""
    kind, place, data = "message", "", ""
    while line := answer.readline():
        name, _, value = line.decode().rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "id":
            place = value
        elif name == "data":
            data += value
        elif not name and not value and data:
            yield Event(kind, place, json.loads(data))
            kind, place, data = "message", "", ""


def unreachable(target: Target, error: Exception) -> Unreachable:
    return Unreachable(f"{target.url} does not answer: {error or type(error).__name__}.")
