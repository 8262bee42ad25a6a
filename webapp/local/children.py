"""Child processes that cannot outlive their parent.

The kernel sends `orphan` to the child when the thread that started it ends, however that happens, so children
must be started by a thread that lives as long as they shall: the main one.
"""

import ctypes
import multiprocessing
import os
import pwd
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)  # loaded here: nothing may be imported or loaded between fork and exec


def die_with_parent(parent: int, orphan: signal.Signals) -> Callable[[], None]:
    def between_fork_and_exec() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, orphan)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return between_fork_and_exec


def end_with_parent() -> None:
    """In a web server's worker process: a server killed with -9 leaves no worker that goes on answering."""
    if multiprocessing.parent_process() is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def spawn(
    argv: Sequence[str],
    *,
    output: IO[bytes] | int,
    environment: Mapping[str, str] | None = None,
    orphan: signal.Signals = signal.SIGTERM,
    user: int | None = None,
) -> subprocess.Popen[bytes]:
    """Started in a session of its own, so that a Ctrl-C in the terminal reaches the parent alone."""
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=die_with_parent(os.getpid(), orphan),
        env=environment,
        **identity(user),
    )


def identity(user: int | None) -> dict[str, Any]:
    """What makes a process that user's wholly: without the groups, root's rights would linger."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}
