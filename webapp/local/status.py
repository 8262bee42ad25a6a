"""Whether the processes of up.json run and are ready, asked from outside."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from webapp.local import plan


@dataclass(frozen=True)
class State:
    name: str
    word: str  # ready, waiting or gone
    pids: Sequence[int]


def states(pids: Mapping[str, Sequence[int]]) -> list[State]:
    """The roles answer for themselves; of the servers and the producer it counts that they run."""
    asked = {name: plan.asking(name, "/readyz") for name in plan.doors()}
    return [State(name, word(known, asked.get(name)), known) for name, known in pids.items()]


def word(pids: Sequence[int], ready: Callable[[], bool] | None) -> str:
    if not pids or not alive(pids[0]):
        return "gone"
    return "ready" if ready is None or ready() else "waiting"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's, but there
        return True
    return True
