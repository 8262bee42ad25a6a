"""What is broken during a challenge: processes of a local installation, or what the caller's commands break.

A fault is a function that does it and says what it did, or raises NotDone. A command is run by the shell, for
COMMAND_SECONDS at most, with CHALLENGE_RUN, CHALLENGE_SEED and CHALLENGE_FAULT (counted from 1) in its
environment; exit code 0 means that it did something, and its last line of output goes into the timeline.
"""

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webapp.local import installation

COMMAND_SECONDS = 60.0
# Roles by how often they are drawn, and the signals: PostgreSQL's SIGTERM would wait for its clients to go.
WEIGHTS = {"worker": 5, "ingest": 3, "web": 2, "broker": 2, "beat": 1, "postgres": 1}
SIGNALS: dict[str, tuple[signal.Signals, ...]] = {"postgres": (signal.SIGKILL, signal.SIGINT)}
USUAL = (signal.SIGKILL, signal.SIGTERM)

Fault = Callable[[], str]


class NotDone(Exception):
    """Nothing was broken just then; the sentence says why."""


class NotHere(Exception):
    """Permanent: there is no installation here whose processes could be killed."""


@dataclass
class Local:
    """Kills of one process of the installation that `make up` runs from this VAR_DIR."""

    chance: random.Random
    up: Path = installation.UP

    def __post_init__(self) -> None:
        if not self.facts().get("pids"):
            raise NotHere(f"no installation runs from {self.up.parent}: local faults need `make up`.")

    def facts(self) -> dict[str, Any]:
        return installation.read(self.up)

    @property
    def roles(self) -> list[str]:
        """Of its own: a database or a broker that was brought along is not ours to kill."""
        return [role for role in WEIGHTS if self.facts().get("pids", {}).get(role)]

    def __call__(self) -> str:
        roles = self.roles
        if not roles:
            raise NotDone("nothing runs just now")
        role = self.chance.choices(roles, [WEIGHTS[role] for role in roles])[0]
        return self.kill(role, self.chance.choice(SIGNALS.get(role, USUAL)))

    def kill(self, role: str, how: signal.Signals) -> str:
        """One process: of a web server its head, which takes the others along."""
        pid = self.facts().get("pids", {}).get(role, [0])[0]
        if parent_of(pid) != supervisor(
            self.up
        ):  # up.json is a second behind, and a pid may be another's by now
            raise NotDone(f"{role} was not running")
        os.kill(pid, how)
        return f"{how.name} to {role} (pid {pid})"


def supervisor(up: Path) -> int:
    try:
        return int(up.with_name(installation.LOCK.name).read_text())
    except (OSError, ValueError):
        raise NotDone("no supervisor runs") from None


def parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, ValueError):
        return None


@dataclass
class Command:
    text: str
    run: str
    seed: int
    count: int = 0

    def __call__(self) -> str:
        self.count += 1
        own = {
            "CHALLENGE_RUN": self.run,
            "CHALLENGE_SEED": str(self.seed),
            "CHALLENGE_FAULT": str(self.count),
        }
        try:
            done = subprocess.run(
                self.text, shell=True, timeout=COMMAND_SECONDS, capture_output=True, text=True,
                errors="replace", env={**os.environ, **own}, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise NotDone(f"{self.text!r} did not end within {COMMAND_SECONDS:.0f} s") from error
        said = ([line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()] or [""])[
            -1
        ]
        if done.returncode:
            raise NotDone(f"{self.text!r} ended with {done.returncode}: {said[:200]}")
        return (said or self.text)[:200]


@dataclass
class Faults:
    """One after the other, each about `every` seconds after the last, for `seconds` or until told to stop.

    Not until the last batch is answered: whoever still tries then has to be let in at last.
    """

    kinds: Sequence[Fault]
    every: float
    chance: random.Random
    tell: Callable[[str], None]
    seconds: float = float("inf")
    stop: threading.Event = field(default_factory=threading.Event)
    counts: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        ends = time.monotonic() + self.seconds
        while self.kinds and not self.stop.wait(self.every * self.chance.uniform(0.5, 1.5)):
            if time.monotonic() >= ends:
                return
            self.one()

    def one(self) -> None:
        try:
            self.tell(self.chance.choice(self.kinds)())
            self.counts["done"] += 1
        except (NotDone, OSError) as reason:
            self.counts["not done"] += 1
            self.tell(f"no fault: {reason}")
