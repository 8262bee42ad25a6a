"""What a chaos run stands on: servers of the harness's own behind proxies, an installation, a second worker.

The installation's own processes are kept running by its own supervisor, as systemd or Kubernetes would; the
database, the broker and the second worker by one of ours, which is told when the database is to stay away.
Everything runs in the thread that made it (`step` is its turn): children end with the thread that started
them.
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import redis

from ingest.buffer import Buffer
from tests.bench.installation import Installation, installation
from tests.chaos.volume import Volume
from tests.faults import Proxy, descendants
from webapp import roles
from webapp.local import installation as kept
from webapp.local import plan, servers
from webapp.local.servers import Launch
from webapp.local.supervisor import Child, Supervisor

SECOND = "worker-1"
STOPS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
STAGES = ((SECOND,), ("broker",), ("postgres",))
PATIENCE = 120.0  # recovery of a database, on a slow disk


@dataclass
class Ground:
    scratch: Path
    say: Callable[[str], None]
    supervisor: Supervisor = field(init=False)
    held: set[str] = field(default_factory=set)  # what is to stay away

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.say)
        (self.scratch / "logs").mkdir()

    def step(self, seconds: float) -> None:
        self.supervisor.step(seconds)

    # ---- servers and processes by name ----

    def serve(self, name: str, launch: Launch) -> str:
        bare = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        log = self.scratch / "logs" / f"{name}.log"
        ready, user, stop = launch.ready, launch.user, launch.stop
        self.run(
            Child(name, launch.argv, log, ready=ready, environment=bare, user=user, stop=stop, grace=60.0)
        )
        return launch.url

    def run(self, child: Child) -> None:
        """Started, and started again whenever it ends."""
        self.supervisor.start(child)
        self.supervisor.wait_ready(child, PATIENCE)

    def pid(self, name: str) -> int | None:
        return self.supervisor.pids().get(name)

    def serves(self, name: str) -> bool:
        running = self.supervisor.running.get(name)
        return running is not None and running.child.ready()

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> bool:
        pid = self.pid(name)
        if pid is None or not alive(pid):
            return False
        os.kill(pid, how)
        return True

    def take_away(self, name: str, how: signal.Signals) -> None:
        """It ends and does not start again until `bring_back`."""
        self.held.add(name)
        self.supervisor.proven.discard(name)
        self.supervisor.due.pop(name, None)
        self.kill(name, how)

    def bring_back(self, name: str) -> None:
        """Without waiting until it serves: that may take a while, and faults go on meanwhile."""
        self.held.discard(name)
        running = self.supervisor.running.get(name)
        if running is not None:
            child = running.child
            until(lambda: running.process.poll() is not None, f"the end of {name}", self.step)
            self.supervisor.forget(running)
            self.supervisor.start(child)
        self.supervisor.proven.add(name)

    def close(self) -> None:
        for name in self.supervisor.pids():
            for pid in descendants(self.supervisor.pids()[name]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        self.supervisor.stop(STAGES)


@contextlib.contextmanager
def ground(say: Callable[[str], None]) -> Iterator[Ground]:
    with tempfile.TemporaryDirectory(prefix="logboom-chaos-", ignore_cleanup_errors=True) as scratch:
        made = Ground(Path(scratch), say)
        try:
            yield made
        finally:
            made.close()


@dataclass
class Scene:
    """The whole of it."""

    ground: Ground
    made: Installation
    volume: Volume
    proxies: Mapping[str, Proxy]
    database_url: str  # these two past the proxies
    broker_url: str
    memory: str  # of the broker
    second_port: int  # where the second worker answers for its health

    def pids(self, role: str) -> list[int]:
        """Of the installation's role; empty while it is not up."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            return [pid for pid in self.made.roles[role] if alive(pid)]
        return []

    def worker(self, number: int) -> int | None:
        if number:
            pid = self.ground.pid(SECOND)
            return pid if pid is not None and alive(pid) else None
        return next(iter(self.pids("worker")), None)

    def works(self, number: int) -> bool:
        """Whether it has started: one that has not yet knows nothing of an orderly end."""
        port = self.second_port if number else int(self.made.environment["WORKER_HEALTH_PORT"])
        return plan.answers("127.0.0.1", port)

    def broker(self) -> contextlib.closing[redis.Redis]:
        return contextlib.closing(redis.Redis.from_url(self.broker_url, socket_timeout=5))

    def buffer(self) -> contextlib.AbstractContextManager[Buffer]:
        return looking(self.broker_url)

    def keep_logs(self, directory: Path) -> None:
        for logs in (self.ground.scratch / "logs", self.made.directory / "logs"):
            shutil.copytree(logs, directory, dirs_exist_ok=True)


@contextlib.contextmanager
def scene(say: Callable[[str], None], memory: str, megabytes: int, **settings: str) -> Iterator[Scene]:
    with contextlib.ExitStack() as stack:
        base = stack.enter_context(ground(say))
        ports = dict(zip(("postgres", "broker"), servers.free_ports(2), strict=True))
        database = base.serve(
            "postgres", servers.postgres_launch(base.scratch / "postgres", ports["postgres"])
        )
        broker = base.serve(
            "broker",
            servers.valkey_launch(base.scratch / "broker", ports["broker"], broker=True, maxmemory=memory),
        )
        proxies = {
            name: stack.enter_context(contextlib.closing(Proxy("127.0.0.1", ports[server])))
            for name, server in (("database", "postgres"), ("broker", "broker"))
        }
        volume = stack.enter_context(contextlib.closing(Volume(base.scratch / "spill", megabytes)))
        if not volume.mounted:
            say(f"no file system of its own for spill files: SPILL_BYTES bounds them to {megabytes} MiB")
            settings["SPILL_BYTES"] = str(megabytes * 1024**2)
        made = stack.enter_context(
            installation(
                DATABASE_URL=through(database, ports["postgres"], proxies["database"]),
                BROKER_URL=through(broker, ports["broker"], proxies["broker"]),
                SPILL_DIR=str(volume.directory),
                **settings,
            )
        )
        found = Scene(base, made, volume, proxies, database, broker, memory, servers.free_port())
        base.run(second_worker(found))
        yield found


@contextlib.contextmanager
def looking(broker_url: str) -> Iterator[Buffer]:
    """A buffer to look into; nothing is ever claimed here."""
    with contextlib.closing(redis.Redis.from_url(broker_url, socket_timeout=5)) as client:
        yield Buffer(client, lease_seconds=1, group_batches=1, group_rows=1)


def through(url: str, port: int, proxy: Proxy) -> str:
    return url.replace(f":{port}/", f":{proxy.port}/")


def second_worker(scene: Scene) -> Child:
    """As the installation's own, under another name."""
    known = kept.read(scene.made.directory / "environment.json")
    own = {"WORKER_NAME": SECOND, "HEALTH_PORT": str(scene.second_port)}
    return Child(
        name=SECOND,
        argv=(sys.executable, str(roles.BASE / "manage.py"), "role", "worker"),
        log=scene.ground.scratch / "logs" / f"{SECOND}.log",
        ready=lambda: scene.works(1),
        environment={**scene.made.environment, **known, **own, "PYTHONUNBUFFERED": "1"},
        grace=plan.WORKER_GRACE,
    )


def alive(pid: int) -> bool:
    """There, and not merely waiting to be reaped."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def until(
    true: Callable[[], bool], what: str, step: Callable[[float], None], seconds: float = PATIENCE
) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        step(0.1)
