"""SIGUSR1 makes any role write the stack of each of its threads to stderr, and go on.

For a process that stands still: what it waits for is in its log then, before it is killed. The signal may be
sent to the process that a container or `make up` shows, also where a web server serves from one below it.
"""

import faulthandler
import multiprocessing
import os
import signal
from typing import Any

STDERR = 2  # the descriptor: Celery puts a logger in the place of sys.stderr


def on_signal() -> None:
    """Written in C and without a lock: it works in a process whose threads all wait."""
    faulthandler.unregister(signal.SIGUSR1)  # else it would not see that another handler took its place
    faulthandler.register(signal.SIGUSR1, file=STDERR, all_threads=True, chain=False)


def with_children() -> None:
    """For a web server's parent, whose threads say little: the processes that serve are asked too."""
    signal.signal(signal.SIGUSR1, _write_and_pass_on)


def _write_and_pass_on(*_: Any) -> None:
    faulthandler.dump_traceback(STDERR, all_threads=True)
    for child in multiprocessing.active_children():
        if child.pid is not None:
            os.kill(child.pid, signal.SIGUSR1)
