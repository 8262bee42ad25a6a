"""CPU seconds of whole process trees, from /proc: also of children that have come and gone.

A process's own counters hold what its reaped children used, so the sum over a living tree is complete, as
long as nothing in it is orphaned meanwhile. The kernel counts in hundredths of a second.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PARENT, UTIME, STIME, CUTIME, CSTIME = 1, 11, 12, 13, 14  # places behind the command's closing bracket


def stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def snapshot() -> dict[int, list[str]]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return {pid: fields for pid in pids if (fields := stat(pid))}


def trees(roots: Iterable[int], everything: Mapping[int, list[str]], others: Set[int]) -> set[int]:
    """The roots and what descends from them, short of what is the root of another role."""
    children: dict[int, list[int]] = defaultdict(list)
    for pid, fields in everything.items():
        children[int(fields[PARENT])].append(pid)
    found, todo = set(), list(roots)
    while todo:
        pid = todo.pop()
        if pid in everything and pid not in found:
            found.add(pid)
            todo += [child for child in children[pid] if child not in others]
    return found


def cpu_seconds(roles: Mapping[str, Iterable[int]]) -> dict[str, float]:
    """By role, given the pids at the root of each."""
    everything = snapshot()
    others = {pid for roots in roles.values() for pid in roots}
    return {
        role: sum(seconds(everything[pid]) for pid in trees(roots, everything, others))
        for role, roots in roles.items()
    }


def seconds(fields: list[str]) -> float:
    return sum(int(fields[place]) for place in (UTIME, STIME, CUTIME, CSTIME)) / TICK


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {role: max(0.0, after[role] - before.get(role, 0.0)) for role in after}
