"""What is done to an installation under load: kills, stops, and a database that goes away for a while.

The database is the harness's own (DATABASE_URL), so that nobody but the harness starts it again; the rest is
restarted by the installation's supervisor, as it would be by systemd or Kubernetes.
"""

import contextlib
import http.client
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.installation import Installation
from webapp.local import servers
from webapp.local.servers import Server


class Database:
    """A PostgreSQL that can be stopped and comes back at the same address with the same data."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, servers.free_port()
        self.server: Server = self.start()
        self.url = self.server.url

    def start(self) -> Server:
        self.server = servers.postgres(self.directory, self.port)
        return self.server

    def stop(self) -> None:
        self.server.stop()


@dataclass
class Chaos:
    """`log` tells what was done when, in seconds from the start."""

    made: Installation
    database: Database
    worker_every: float = 5.0
    done: threading.Event = field(default_factory=threading.Event)
    log: list[tuple[float, str]] = field(default_factory=list)
    killed: dict[str, int] = field(default_factory=dict)
    outages: list[tuple[float, float]] = field(default_factory=list)  # wall clock
    restarted_at: float | None = None  # ingest, while the database was away
    began: float = field(default_factory=time.monotonic)

    def note(self, what: str) -> None:
        self.log.append((time.monotonic() - self.began, what))

    def kill(self, role: str, how: signal.Signals = signal.SIGKILL) -> bool:
        """False when it was not running just then."""
        for pid in self.made.facts["pids"].get(role, [])[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
                self.killed[role] = self.killed.get(role, 0) + 1
                self.note(f"{how.name} to {role}")
                return True
        return False

    def kill_workers(self) -> None:
        while not self.done.wait(self.worker_every):
            self.kill("worker")

    def without_database(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.note("database stopped")
        self.database.stop()
        down = time.time()
        meanwhile()
        self.done.wait(max(0.0, down + seconds - time.time()))
        self.outages.append((down, time.time()))
        self.database.start()
        self.note("database started")

    def restart_ingest(self) -> None:
        before = self.made.facts["pids"]["ingest"]
        self.kill("ingest", signal.SIGTERM)
        deadline = time.monotonic() + 60
        while self.made.facts["pids"].get("ingest") in (None, before) or not self.ingest_ready():
            if time.monotonic() > deadline:
                raise RuntimeError("ingest did not come back while the database was away")
            time.sleep(0.2)
        self.restarted_at = time.time()
        self.note("ingest is back, without a database")

    def ingest_ready(self) -> bool:
        parts = urlsplit(self.made.facts["ingest_url"])
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
            with contextlib.closing(connection):
                connection.request("GET", "/readyz")
                return connection.getresponse().status == 200
        return False

    def plan(self, seconds: float, outage: float) -> list[tuple[float, Callable[[], object]]]:
        """Shares of the load's length: three kills of the broker, two outages, ingest restarted in one."""
        return [
            (0.10 * seconds, lambda: self.kill("broker")),
            (0.20 * seconds, lambda: self.without_database(outage)),
            (0.50 * seconds, lambda: self.kill("broker")),
            (0.60 * seconds, lambda: self.without_database(outage, self.restart_ingest)),
            (0.90 * seconds, lambda: self.kill("broker")),
        ]

    def run(self, seconds: float, outage: float) -> None:
        for when, act in self.plan(seconds, outage):
            self.done.wait(max(0.0, self.began + when - time.monotonic()))
            act()
