"""Ends connections over which nothing has come for a while, which the server itself never does.

A sender that stops in the middle of its body holds a thread for as long as it likes, and one that is gone
without a word for ever: reading cannot be given up from within. So the socket is shut down, found among the
open ones by what the kernel knows of it. A connection that only rests between two requests may be among
those that end; its client opens another.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator

from prometheus_client import Counter

CUT = Counter("logboom_ingest_cut_connections_total", "Connections ended because nothing came over them")
LAST_DATA_RECEIVED = 52  # in the kernel's struct tcp_info: milliseconds since, as a 32 bit number
INFO_BYTES = 104


def cut_silent(seconds: float) -> int:
    """Shuts down what came in through a listening socket of this process and has been silent for so long."""
    found = 0
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in open_sockets()]
        doors = {one.getsockname()[1] for one in sockets if listens(one)}
        for one in sockets:
            if not listens(one) and one.getsockname()[1] in doors and silent_seconds(one) >= seconds:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                    found += 1
    CUT.inc(found)
    return found


def open_sockets() -> Iterator[socket.socket]:
    """Every TCP socket of this process, each a duplicate: closing it closes nothing of anybody's."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # none of ours to ask, or closed meanwhile
            one = socket.socket(fileno=os.dup(int(name)))
            if one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM:
                yield one
            else:
                one.close()


def listens(one: socket.socket) -> bool:
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def silent_seconds(one: socket.socket) -> float:
    info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_BYTES)
    return float(struct.unpack_from("I", info, LAST_DATA_RECEIVED)[0]) / 1000
