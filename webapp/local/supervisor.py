"""Keeps child processes running: readiness, logs, restart of what dies or stands still, an ordered stop.

Everything happens in the thread that calls `step`, the main one: children are tied to the thread that starts
them (see `children`), and one thread needs no locks. `step` waits at most a moment, moves log lines, notices
deaths and starts again what is due; whoever waits for something calls it in a loop. Only whether a child
gets on is asked elsewhere (see `liveness`): one that does not writes its stacks to its log and is killed.
"""

import contextlib
import os
import re
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from webapp.local import logs
from webapp.local.children import spawn
from webapp.local.liveness import Watch

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0  # seconds before a restart; doubles with each early death
SETTLED_SECONDS = 3.0  # a child that lived this long was killed rather than broken: it starts again at once
GOOD_SECONDS = 600.0  # the same for one that had to be killed because it stood still
STACKS_SECONDS = 3.0  # from asking for the stacks to the kill: a busy machine writes them late
READY_SECONDS = 60.0
ERROR = re.compile(r"\w*(Error|Exception|Improperly\w+|FATAL|Broker)\b.*:|\berror:")


class StartError(RuntimeError):
    """A child did not become ready; the sentence names its last line and its log file."""


class Stopped(Exception):
    """Someone asked for a stop while something was being waited for."""


@dataclass(frozen=True)
class Child:
    name: str
    argv: tuple[str, ...]
    log: Path
    ready: Callable[[], bool] = lambda: True
    live: Callable[[], bool] | None = None  # asked from another thread, as long as it runs; None: never
    environment: Mapping[str, str] | None = None
    user: int | None = None
    stop: signal.Signals = signal.SIGTERM
    grace: float = 20.0


@dataclass
class Running:
    child: Child
    process: subprocess.Popen[bytes]
    pipe: IO[bytes]
    log: logs.LogFile
    show: Callable[[str], None] | None  # where its lines go besides the file, for one that runs once
    began: float = field(default_factory=time.monotonic)
    lines: logs.Lines = field(default_factory=logs.Lines)
    said: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    watch: Watch | None = None
    kill_at: float | None = None  # it stands still and has been asked for its stacks

    @property
    def last(self) -> str:
        """The line that tells most about a failure: the last that names an error, else the last."""
        errors = [line for line in self.said if ERROR.search(line)]
        return (errors or list(self.said) or ["(it said nothing)"])[-1]


class Supervisor:
    def __init__(self, say: Callable[[str], None], changed: Callable[[], None] = lambda: None) -> None:
        self.say, self.changed = say, changed
        self.running: dict[str, Running] = {}
        self.proven: set[str] = set()  # what was ready once: a death is then followed by a restart
        self.due: dict[str, tuple[float, Child]] = {}  # what waits for its restart
        self.deaths: dict[str, int] = {}
        self.selector = selectors.DefaultSelector()
        self.stopping = False
        self.showing = False  # whether log lines also go to the terminal

    # ---- starting ----

    def start(self, child: Child, show: Callable[[str], None] | None = None) -> Running:
        process = spawn(
            child.argv,
            output=subprocess.PIPE,
            environment=child.environment,
            orphan=child.stop,
            user=child.user,
        )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        running = Running(child, process, process.stdout, logs.LogFile(child.log), show)
        running.watch = Watch(child.live) if child.live else None
        self.running[child.name] = running
        self.selector.register(running.pipe, selectors.EVENT_READ, running)
        return running

    def wait_ready(self, child: Child, seconds: float = READY_SECONDS) -> None:
        """Until it says so itself. One that dies first has failed: restarts are for what once ran."""
        running, deadline = self.running[child.name], time.monotonic() + seconds
        while not child.ready():
            if running.process.poll() is not None:
                self.pump(running)
                raise StartError(f"{child.name} {how(running.process.returncode)}: {running.last}")
            if time.monotonic() > deadline:
                raise StartError(
                    f"{child.name} was not ready after {seconds:.0f} s; its last line: {running.last}"
                )
            self.step(0.05)
        self.proven.add(child.name)

    def run_once(self, child: Child, show: Callable[[str], None]) -> None:
        """Start it, show its lines as they come, and wait for its end; anything but exit 0 is a failure."""
        running = self.start(child, show)
        while running.process.poll() is None:
            self.step(0.05)
        self.pump(running)
        self.forget(running)
        if running.process.returncode:
            raise StartError(running.last)

    # ---- the loop ----

    def step(self, seconds: float) -> None:
        if self.stopping:
            raise Stopped
        for key, _ in self.selector.select(seconds):
            self.pump(key.data)
        self.kill_what_stands_still()
        self.notice_deaths()
        self.start_due()

    def watch(self) -> None:
        """Until a stop is asked for."""
        with contextlib.suppress(Stopped):
            while True:
                self.step(0.2)

    def pump(self, running: Running) -> None:
        """Everything the pipe holds now, into the log."""
        while chunk := read_some(running.pipe.fileno()):
            self.take_lines(running, chunk)
        if chunk is not None:  # the other end is closed
            self.take_lines(running, b"")
            with contextlib.suppress(KeyError):
                self.selector.unregister(running.pipe)

    def take_lines(self, running: Running, chunk: bytes) -> None:
        for line in running.lines.feed(chunk):
            running.log.write(line)
            text = line.decode(errors="replace")
            if text.strip():
                running.said.append(text.strip())
            if running.show:
                running.show(text)
            elif self.showing:
                logs.show(running.child.name, text)

    def kill_what_stands_still(self) -> None:
        for name, running in self.running.items():
            if running.watch is None or not running.watch.dead or name not in self.proven:
                continue
            if running.kill_at is None:
                self.say(
                    f"{name} does not get on: stacks into its log, then it is killed ({running.child.log})"
                )
                running.process.send_signal(signal.SIGUSR1)
                running.kill_at = time.monotonic() + STACKS_SECONDS
            elif time.monotonic() > running.kill_at and running.process.poll() is None:
                os.killpg(running.process.pid, signal.SIGKILL)

    def notice_deaths(self) -> None:
        for name, running in list(self.running.items()):
            code = running.process.poll()
            if code is not None and name in self.proven:
                self.pump(running)
                self.forget(running)
                self.plan_restart(running, code)

    def plan_restart(self, running: Running, code: int) -> None:
        child = running.child
        long = SETTLED_SECONDS if running.kill_at is None else GOOD_SECONDS
        settled = time.monotonic() - running.began > long
        early = 0 if settled else self.deaths.get(child.name, 0)
        self.deaths[child.name] = early + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**early)
        self.due[child.name] = (time.monotonic() + pause, child)
        self.say(f"{child.name} {how(code)}; it starts again in {pause:g} s (log: {child.log})")

    def start_due(self) -> None:
        now = time.monotonic()
        for name, (when, child) in list(self.due.items()):
            if when <= now:
                del self.due[name]
                self.start(child)
                self.changed()

    def forget(self, running: Running) -> None:
        del self.running[running.child.name]
        if running.watch:
            running.watch.end()
        with contextlib.suppress(KeyError):
            self.selector.unregister(running.pipe)
        running.pipe.close()
        running.log.sink.close()

    # ---- stopping ----

    def ask_to_stop(self, *_: object) -> None:
        """A signal handler: the second one no longer waits for anybody."""
        if self.stopping:
            self.kill(self.running.values())
        self.stopping = True

    def stop(self, stages: Sequence[Sequence[str]]) -> None:
        """Each stage at once, one stage after the other; what no stage names comes last."""
        self.stopping = True
        self.due.clear()
        named = {name for stage in stages for name in stage}
        for stage in (*stages, [name for name in self.running if name not in named]):
            self.stop_stage([self.running[name] for name in stage if name in self.running])

    def stop_stage(self, stage: list[Running]) -> None:
        for running in stage:
            running.process.send_signal(running.child.stop)
        ends = time.monotonic() + max((running.child.grace for running in stage), default=0)
        while any(running.process.poll() is None for running in stage):
            for key, _ in self.selector.select(0.05):  # a full pipe would keep a child from ending
                self.pump(key.data)
            if time.monotonic() > ends:
                self.kill(stage)
        for running in stage:
            self.pump(running)
            self.forget(running)

    def kill(self, stage: Iterable[Running]) -> None:
        for running in list(stage):
            if running.process.poll() is None:
                self.say(f"{running.child.name} did not end in time: killed (log: {running.child.log})")
                os.killpg(running.process.pid, signal.SIGKILL)
                running.process.wait()

    def pids(self) -> dict[str, int]:
        return {name: running.process.pid for name, running in self.running.items()}


def read_some(descriptor: int) -> bytes | None:
    """None: nothing just now. Empty: the other end is closed."""
    try:
        return os.read(descriptor, 65536)
    except BlockingIOError:
        return None


def how(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
