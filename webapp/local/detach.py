"""`make up --detach`: the terminal gets the steps and the summary, then its prompt back.

The process forks before it starts anything: children are tied to the thread that starts them, so that must be
the one that stays. The parent shows what the child prints until the child says that it is ready, or ends.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

READY = b"r"


class Detached:
    """The child's side: called once when everything runs."""

    def __init__(self, log: Path, ready: int) -> None:
        self.log, self.ready = log, ready

    def __call__(self) -> bool:
        """From here on the log file is where this process speaks."""
        sys.stdout.flush()
        sys.stderr.flush()
        sink = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os.write(self.ready, READY)
        os.close(self.ready)
        return False


def detached(log: Path, run: Callable[..., int]) -> int:
    """In the parent: 0 once it runs, else the child's exit code. The child never returns from here."""
    output, speak = os.pipe()
    heard, ready = os.pipe()
    child = os.fork()
    if child:
        os.close(speak)
        os.close(ready)
        return watch(child, output, heard)
    os.setsid()
    os.close(output)
    os.close(heard)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (speak, 1), (speak, 2)):
        os.dup2(source, target)
    os.close(speak)
    sys.exit(run(ready=Detached(log, ready)))


def watch(child: int, output: int, heard: int) -> int:
    try:
        while chunk := os.read(output, 65536):
            sys.stdout.write(chunk.decode(errors="replace"))
            sys.stdout.flush()
        if os.read(heard, 1) == READY:
            return 0
    except KeyboardInterrupt:
        os.kill(child, 15)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
