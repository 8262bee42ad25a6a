"""The faults themselves: each is a method that a timeline names, and says False if it could not be done now.

What is broken for a while is mended by `look`, when its seconds are over; `mend` mends everything at the end.
Figures are kept here: what was done, how long a worker took to end, whether a full volume was felt.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import redis

from ingest.errors import IngestError
from tests.bench.installation import ROOT
from tests.chaos import posting
from tests.chaos.ground import SECOND, STOPS, Scene, alive, until
from tests.chaos.timeline import Fault
from tests.faults import descendants
from webapp.local import plan

REST_SECONDS = 5.0  # between two kills of one worker: it has started by then, and took something
UP_TRIES = 5
FELT_SECONDS = 60.0  # how much longer an outage may last for its faults to be felt
FULL_SECONDS = 1.0  # the volume stays full for so long after it


@dataclass(frozen=True)
class Ending:
    """A worker that was told to end."""

    pid: int
    asked: float
    name: str


@dataclass
class Felt:
    """A fault that proves nothing unless somebody felt it: it is waited for, but not for ever."""

    what: str
    true: Callable[[], bool]
    until: float


@dataclass(frozen=True)
class Later:
    """Something to be done as soon as it can be after its time."""

    due: float
    act: Callable[[], bool]


@dataclass
class Faults:
    scene: Scene
    journal: Path
    note: Callable[[str], None]
    done: Counter[str] = field(default_factory=Counter)
    outages: list[tuple[float, float]] = field(default_factory=list)  # wall clock
    restarted_at: float = 0.0  # ingest, while the database was away
    endings: list[Ending] = field(default_factory=list)
    terms: list[float] = field(default_factory=list)  # seconds that workers took to end
    most: Counter[str] = field(default_factory=Counter)  # batches that were seen waiting
    away_since: float = 0.0
    hung: list[int] = field(default_factory=list)
    touched: dict[int, float] = field(default_factory=dict)
    coming_up: "ComingUp | None" = None
    later: list[Later] = field(default_factory=list)
    asked_ingest: list[int] = field(default_factory=list)  # its pids, when it was told to end
    wanted: list["Felt"] = field(default_factory=list)  # what the outage does not end without

    def do(self, fault: Fault) -> bool:
        act: Callable[..., bool] = getattr(self, fault.what)
        return act(fault.argument, fault.seconds) if fault.seconds else act(fault.argument)

    def after(self, seconds: float, act: Callable[[], bool]) -> None:
        self.later.append(Later(time.monotonic() + seconds, act))

    # ---- kills ----

    def kill_worker(self, how: str) -> bool:
        """Whichever of the two had the longer rest, if it runs and is not ending already."""
        now = time.monotonic()
        for number in sorted((0, 1), key=lambda number: self.touched.get(number, 0.0)):
            pid = self.scene.worker(number)
            if now - self.touched.get(number, 0.0) < REST_SECONDS or pid is None:
                continue
            if self.coming_up or any(one.pid == pid for one in self.endings):
                continue
            if how == "TERM" and not self.scene.works(number):
                continue
            os.kill(pid, signal.Signals[f"SIG{how}"])
            self.touched[number] = now
            self.count(f"{how} to a worker")
            if how == "TERM":
                self.endings.append(Ending(pid, now, f"worker-{number}"))
            return True
        return False

    def kill_broker(self, _: str) -> bool:
        return self.scene.ground.kill("broker") and self.count("KILL to the broker")

    def kill_role(self, role: str) -> bool:
        pids = self.scene.pids(role)
        if not pids or self.coming_up or self.asked_ingest:
            return False
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return self.count(f"KILL to {role}")

    # ---- the database ----

    def database_away(self, words: str, seconds: float) -> bool:
        how, *also = words.split()
        if self.coming_up or self.away_since or not self.scene.ground.serves("postgres"):
            return False
        pid = self.scene.ground.pid("postgres")
        assert pid is not None
        if how == "hang":
            self.hung = descendants(pid)
            for one in self.hung:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGSTOP)
        else:
            self.scene.ground.take_away("postgres", STOPS[how])
        self.away_since = time.time()
        self.after(seconds, self.database_back)
        patient = time.monotonic() + seconds + FELT_SECONDS
        if "ingest" in also:
            self.after(0.2 * seconds, self.restart_ingest)
            self.wanted.append(Felt("ingest started without a database", self.accepts_again, patient))
        if "fill" in also and self.scene.volume.mounted:
            self.after(0.5 * seconds, self.fill_spill)
            self.wanted.append(Felt("the spill volume is full", lambda: bool(self.refused_spills()), patient))
        return self.count(f"database: {how}")

    def database_back(self) -> bool:
        """Not before everything is felt that was to be felt in this outage."""
        self.wanted = [one for one in self.wanted if not one.true() and time.monotonic() < one.until]
        if self.wanted:
            return False
        return self.let_back()

    def let_back(self) -> bool:
        if not self.away_since:
            return True
        for one in reversed(self.hung):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGCONT)
        if not self.hung:
            self.scene.ground.bring_back("postgres")
        self.outages.append((self.away_since, time.time()))
        self.hung, self.away_since = [], 0.0
        self.after(FULL_SECONDS, self.free_spill)
        self.note(f"database is let back after {self.outages[-1][1] - self.outages[-1][0]:.0f} s")
        return True

    def restart_ingest(self) -> bool:
        """TERM; `look` sees it come back, which it must be able to do without a database."""
        pids = self.scene.pids("ingest")
        if not pids or not self.away_since:
            return not self.away_since  # too late, it is not wanted any more
        self.asked_ingest = pids
        os.kill(pids[0], signal.SIGTERM)
        return self.count("TERM to ingest without a database")

    # ---- room ----

    def accepts_again(self) -> bool:
        return bool(self.restarted_at) and posting.accepted_since(self.journal, self.restarted_at)

    def refused_spills(self) -> int:
        """What the logs of both workers still hold of it."""
        directories = (self.scene.made.directory / "logs", self.scene.ground.scratch / "logs")
        logs = [path for directory in directories for path in directory.glob("worker*")]
        return sum(path.read_bytes().count(b"cannot spill, the batches stay in the broker") for path in logs)

    def fill_spill(self) -> bool:
        """Once ingest has been seen to accept: with a full volume the broker fills up, and it must refuse."""
        if any(one.true == self.accepts_again for one in self.wanted) and not self.accepts_again():
            return not self.away_since
        self.scene.volume.fill()
        return self.count("spill volume filled")

    def free_spill(self) -> bool:
        if self.scene.volume.full:
            self.scene.volume.free()
            self.note("spill volume has room again")
        return True

    def starve_broker(self, _: str, seconds: float) -> bool:
        with contextlib.suppress(redis.RedisError), self.scene.broker() as client:
            used = int(client.info("memory")["used_memory"])
            client.config_set("maxmemory", used + 128 * 1024)
            self.after(seconds, self.feed_broker)
            return self.count("broker at its maxmemory")
        return False

    def feed_broker(self) -> bool:
        with contextlib.suppress(redis.RedisError), self.scene.broker() as client:
            return bool(client.config_set("maxmemory", self.scene.memory))
        return False

    # ---- the network ----

    def proxy(self, words: str, seconds: float) -> bool:
        where, mode = words.split()
        getattr(self.scene.proxies[where], mode)()
        self.after(seconds, lambda: self.scene.proxies[where].mend() is None)
        return self.count(f"{where} connections: {mode}")

    # ---- everything at once ----

    def restart_everything(self, _: str) -> bool:
        """First a kill of all there is; the next time a stop in order."""
        if self.coming_up or self.away_since or not self.scene.pids("supervisor"):
            return False
        ordered = bool(self.done["everything killed at once"])
        self.coming_up = ComingUp(self.scene, ordered, self.everybody())
        if ordered:
            return self.count("everything stopped in order")
        for pid in self.scene.pids("supervisor"):
            os.kill(pid, signal.SIGKILL)
        self.scene.ground.kill(SECOND)
        self.scene.ground.kill("broker")
        self.scene.ground.kill("postgres", signal.SIGQUIT)
        return self.count("everything killed at once")

    def everybody(self) -> list[int]:
        return [pid for role in self.scene.made.roles for pid in self.scene.pids(role)]

    # ---- between the faults ----

    def look(self) -> None:
        """Called all the time: what was begun is seen to its end."""
        for one in [one for one in self.later if one.due <= time.monotonic()]:
            if one.act():
                self.later.remove(one)
        for ending in list(self.endings):
            if not alive(ending.pid):
                self.endings.remove(ending)
                self.terms.append(time.monotonic() - ending.asked)
        if self.asked_ingest and self.ingest_is_back():
            self.asked_ingest = []
            self.restarted_at = time.time() if self.away_since else 0.0
            self.note("ingest is back" + (", without a database" if self.away_since else ""))
        if self.coming_up and self.coming_up.look():
            self.note(f"everything is up again after {self.coming_up.seconds:.0f} s")
            self.coming_up = None
        if self.scene.volume.full:
            self.scene.volume.fill()

    def ingest_is_back(self) -> bool:
        pids, url = self.scene.pids("ingest"), self.scene.made.facts["ingest_url"]
        host, _, port = url.removeprefix("http://").rpartition(":")
        return bool(pids) and not set(pids) & set(self.asked_ingest) and plan.answers(host, int(port))

    def measure(self) -> Counter[str]:
        """What waits now; nothing where the broker does not say."""
        with contextlib.suppress(IngestError, redis.RedisError), self.scene.buffer() as buffer:
            depth = buffer.depth()
            now = Counter({"queued": depth.due + depth.leased, "spilled": depth.spilled})
            self.most |= now + Counter({"deaths": deaths(buffer.client)})
            return now
        return Counter({"queued": 1})

    def busy(self) -> bool:
        return bool(self.coming_up or self.endings or self.asked_ingest or self.later)

    def mend(self) -> None:
        for proxy in self.scene.proxies.values():
            proxy.mend()
        self.let_back()
        self.free_spill()
        self.later.clear()
        until(self.feed_broker, "the broker", self.scene.ground.step)
        until(lambda: self.scene.ground.serves("postgres"), "the database", self.scene.ground.step)

    def count(self, what: str) -> bool:
        self.done[what] += 1
        self.note(what)
        return True


def deaths(client: redis.Redis) -> int:
    """Of the batches that are in somebody's hands now, the most workers that one of them has outlived."""
    pipe = client.pipeline(transaction=False)
    for batch in cast(list[bytes], client.zrange("leases", 0, -1)):
        pipe.hget(b"m:" + batch, "d")
    return max((int(found or 0) for found in pipe.execute()), default=0)


class ComingUp:
    """An installation on its way down, then up again, as `manage.py` does both; other faults go on."""

    def __init__(self, scene: Scene, ordered: bool, old: list[int]) -> None:
        self.scene, self.old, self.tries = scene, old, 0
        self.began = time.monotonic()
        self.running = self.manage("down") if ordered else None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def manage(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.scene.ground.scratch / "logs" / "manage.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), *words],
                env=dict(self.scene.made.environment), cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip

    def look(self) -> bool:
        """True once everything is up."""
        if self.running is not None and self.running.poll() is None:
            return False
        if self.running is not None and self.tries and self.running.returncode == 0:
            return True
        if any(map(alive, self.old)) or not all(map(self.scene.ground.serves, ("postgres", "broker"))):
            return False
        if self.tries == UP_TRIES:
            raise RuntimeError("the installation does not come up again: manage.log says why")
        self.tries += 1
        self.running = self.manage("up", "--detach", "--no-demo")
        return False
