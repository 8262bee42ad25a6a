"""How long after its 2xx a line is found: marked lines, posted and asked for through the public API."""

import threading
import time
import uuid
from urllib.parse import urlencode

import msgspec

from ingest.client import Connection, Sender, Target
from ingest.demo import rfc3339

ASK_EVERY = 0.02
GIVE_UP = 10.0


class NotFound(RuntimeError):
    """A line that was accepted could not be found in time."""


def probe(ingest: Target, web: Target, stop: threading.Event, found: list[float], pause: float) -> None:
    """Appends the seconds of one line after another until told to stop."""
    sender, reader = Sender(ingest), Connection(web)
    while not stop.wait(pause):
        mark, now = f"probe-{uuid.uuid4().hex}", time.time_ns()
        line = {"time": rfc3339(now), "service": mark, "message": f"marked line {mark}", "level": "info"}
        sender.post(msgspec.json.encode(line) + b"\n", mark)
        found.append(until_found(reader, mark, now))
    sender.close()
    reader.close()


def until_found(reader: Connection, mark: str, at_ns: int) -> float:
    """Over a range that holds no other line, so that the search costs next to nothing."""
    query = {"q": f"service:{mark}", "start": rfc3339(at_ns), "end": rfc3339(at_ns + 1), "limit": "1"}
    accepted = time.perf_counter()
    while time.perf_counter() - accepted < GIVE_UP:
        answer = reader.request("GET", f"/api/v1/logs/search?{urlencode(query)}")
        if answer.status != 200:
            raise NotFound(f"{answer.status}: {answer.body[:300]!r}")
        if msgspec.json.decode(answer.body)["logs"]:
            return time.perf_counter() - accepted
        time.sleep(ASK_EVERY)
    raise NotFound(f"{mark} was not found {GIVE_UP:.0f} s after its 2xx")
