"""Ends connections over which next to nothing comes, which the server itself never does.

A sender that stops in the middle of its body, or sends it by the byte, holds a thread as it likes, and
one that is gone without a word for ever: reading cannot be given up from within. So the socket is shut
down, found among the open ones by what the kernel counts for it. A connection that rests between two requests
may be among those that end; its client opens another.
"""

import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import Counter

CUT = Counter("logboom_ingest_cut_connections_total", "Connections ended because next to nothing came")
LEAST_RATE = 1024  # bytes a second
GAP_SECONDS = 5.0  # without a look for so long, nothing is known of what came meanwhile
BYTES_RECEIVED = 128  # where it is in the kernel's struct tcp_info, 64 bits
INFO_BYTES = 136

Peer = Any  # an address, of either family


class Slowness:
    """Looked for again and again while there is need; not thread-safe."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._looked = float("-inf")
        self._seen: dict[Peer, tuple[float, int]] = {}  # when it was first seen, and what had come then

    def cut(self) -> int:
        """Shuts down what has been slow for so long as it was looked at, and says how many that were."""
        now = self._clock()
        seen = self._seen if now - self._looked < GAP_SECONDS else {}
        self._looked, self._seen, found = now, {}, 0
        with contextlib.ExitStack() as stack:
            for peer, one in accepted(stack):
                came = received(one)
                since, before = seen.get(peer, (now, came))
                if now - since < self._seconds:
                    self._seen[peer] = since, before
                elif came - before < LEAST_RATE * (now - since):
                    with contextlib.suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)
                        found += 1
        CUT.inc(found)
        return found


def accepted(stack: contextlib.ExitStack) -> Iterator[tuple[Peer, socket.socket]]:
    """What came in through a listening socket of this process."""
    sockets = [stack.enter_context(one) for one in open_sockets()]
    doors = {one.getsockname()[1] for one in sockets if listens(one)}
    for one in sockets:
        with contextlib.suppress(OSError):  # the listening ones, and who has just gone
            peer = one.getpeername()
            if one.getsockname()[1] in doors:
                yield peer, one


def open_sockets() -> Iterator[socket.socket]:
    """Every TCP socket of this process, each a duplicate: closing it closes nothing of anybody's."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # no socket, or closed meanwhile
            one = socket.socket(fileno=os.dup(int(name)))
            if one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM:
                yield one
            else:
                one.close()


def listens(one: socket.socket) -> bool:
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def received(one: socket.socket) -> int:
    info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_BYTES)
    return int(struct.unpack_from("Q", info, BYTES_RECEIVED)[0])
