"""The lightest client there is: whole HTTP requests made beforehand, written to keep-alive sockets.

Closed loop (as fast as answers come) or open loop at a rate, where a request's latency counts from the moment
it was due, so that a stall is not hidden by the requests that were never sent during it.
"""

import itertools
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CONNECTIONS = 4


@dataclass(frozen=True)
class Request:
    wire: bytes
    lines: int


@dataclass
class Shot:
    """What one phase sent and was answered."""

    begun: float = field(default_factory=time.time)
    seconds: float = 0.0
    lines: int = 0
    requests: int = 0
    refused: int = 0  # 429 and 503: sent again after Retry-After
    latencies: list[float] = field(default_factory=list)
    failure: BaseException | None = None


class BadAnswer(RuntimeError):
    """The server said something that a bench must not go on after."""


def prepared(url: str, token: str, name: str, bodies: Sequence[tuple[bytes, int]]) -> list[Request]:
    """Each body as a whole request with a key of its own."""
    parts = urlsplit(url)
    return [
        Request(
            f"POST /api/v1/logs HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/x-ndjson\r\nIdempotency-Key: {name}-{number}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body,
            lines,
        )
        for number, (body, lines) in enumerate(bodies)
    ]


def fire(url: str, requests: Sequence[Request], per_second: float | None = None, most: float = 20.0) -> Shot:
    """Sends all of them, or as many as begin within `most` seconds."""
    shot, lock, places = Shot(), threading.Lock(), itertools.count()
    address = (urlsplit(url).hostname or "", urlsplit(url).port or 80)
    begun = time.perf_counter()

    def run() -> None:
        with socket.create_connection(address, timeout=60) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (place := next(places)) < len(requests):
                due = begun + place / per_second if per_second else time.perf_counter()
                if due - begun > most or shot.failure:
                    return
                time.sleep(max(0.0, due - time.perf_counter()))
                refused = deliver(connection, requests[place])
                with lock:
                    shot.latencies.append(time.perf_counter() - due)
                    shot.lines += requests[place].lines
                    shot.requests += 1
                    shot.refused += refused

    def guarded() -> None:
        try:
            run()
        except BaseException as error:  # of a thread: raised again where the threads are awaited
            shot.failure = error

    threads = [threading.Thread(target=guarded) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shot.seconds = time.perf_counter() - begun
    if shot.failure:
        raise shot.failure
    return shot


def deliver(connection: socket.socket, request: Request) -> int:
    """Until it is a 202; how often it was refused before."""
    for refused in itertools.count():
        connection.sendall(request.wire)
        status, head, body = answer(connection)
        if status == 202:
            return refused
        if status not in (429, 503):
            raise BadAnswer(f"{status}: {body[:300]!r}")
        time.sleep(float(header(head, b"retry-after") or 1))
    raise AssertionError("unreachable: the count never ends")


def answer(connection: socket.socket) -> tuple[int, bytes, bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = header(head, b"content-length")
    # Without a length the answer comes in chunks; a short one ends the read that brings its last.
    while len(body) < int(length) if length else not body.endswith(b"0\r\n\r\n"):
        body += some(connection)
    return int(head[9:12]), head, body


def some(connection: socket.socket) -> bytes:
    if chunk := connection.recv(65536):
        return chunk
    raise BadAnswer("the server closed the connection")


def header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return None


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: a value that was really measured."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
