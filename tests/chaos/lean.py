"""The negative controls' installation: servers, ingest and one worker that is sabotaged.

`python -m tests.chaos.lean MODE` runs a few seconds of load and prints what the checker found, as JSON. The
checker is the one of the chaos run; that it is green here for an honest worker, and red for each sabotage, is
what makes its green mean something there.
"""

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ingest import directory
from tests.bench.installation import ROOT, SERVERS
from tests.chaos import checking, posting
from tests.chaos.checking import Verdict
from tests.chaos.ground import Ground, ground, looking, until
from tests.chaos.posting import Plan
from webapp.local import plan, servers
from webapp.local.supervisor import Child

BATCHES, LINES, RATE = 60, 100, 2000.0
SEED = 20
STUCK_SECONDS = 5.0  # nothing moved for so long, with a worker that is there: nothing will
DRAIN_SECONDS = 120.0


@dataclass
class Lean:
    ground: Ground
    environment: dict[str, str]
    mode: str

    def manage(self, *words: str) -> None:
        command = [sys.executable, str(ROOT / "manage.py"), *words]
        subprocess.run(command, env=self.environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    def role(self, name: str, argv: list[str], port: int, **own: str) -> None:
        log = self.ground.scratch / "logs" / f"{name}.log"
        environment = {**self.environment, **own, "ROLE": name}
        self.ground.run(
            Child(
                name,
                tuple(argv),
                log,
                ready=lambda: plan.answers("127.0.0.1", port),
                environment=environment,
                grace=plan.WORKER_GRACE,
            )
        )

    def look(self) -> tuple[int, int, int]:
        with looking(self.environment["BROKER_URL"]) as buffer:
            depth = buffer.depth()
            return depth.due, depth.leased, depth.spilled


@contextlib.contextmanager
def lean(mode: str) -> Iterator[Lean]:
    with ground(lambda sentence: print(f"  {sentence}", file=sys.stderr)) as base:
        ports = servers.free_ports(5)
        urls = {
            "DATABASE_URL": base.serve("postgres", servers.postgres_launch(base.scratch / "pg", ports[0])),
            "BROKER_URL": base.serve(
                "broker", servers.valkey_launch(base.scratch / "broker", ports[1], broker=True)
            ),
        }
        bare = {name: value for name, value in os.environ.items() if name not in SERVERS}
        own = {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "INGEST_TOKEN": directory.make_token("ingest"),
            "INGEST_PORT": str(ports[2]),
            "SPILL_DIR": str(base.scratch / "spill"),
            "SABOTAGE_DIR": str(base.scratch),
            "GROUP_BATCHES": "2",  # many groups, and many chances to end between two steps
        }
        found = Lean(base, {**bare, **urls, **own}, mode)
        found.manage("prepare")
        found.role("ingest", [sys.executable, str(ROOT / "manage.py"), "role", "ingest"], ports[2])
        worker = [sys.executable, "-m", "tests.chaos.sabotage", mode]
        found.role("worker", worker, ports[3], HEALTH_PORT=str(ports[3]))
        yield found


def control(here: Lean) -> Verdict:
    sending = Plan(
        url=f"http://127.0.0.1:{here.environment['INGEST_PORT']}",
        token=here.environment["INGEST_TOKEN"],
        journal=str(here.ground.scratch / "journal.ndjson"),
        seed=SEED,
        batches=BATCHES,
        lines=LINES,
        rate=RATE,
        first_ns=time.time_ns() - 3600 * 10**9,
        poison=0.0,
    )
    path = here.ground.scratch / "plan.json"
    path.write_bytes(msgspec.json.encode(sending))
    clients = subprocess.Popen([sys.executable, "-m", "tests.chaos.posting", str(path)], cwd=ROOT)
    try:
        until(lambda: clients.poll() is not None, "the clients", here.ground.step)
    finally:
        clients.kill()
    drain(here)
    entries = posting.read(Path(sending.journal))
    with looking(here.environment["BROKER_URL"]) as buffer:
        url = here.environment["DATABASE_URL"]
        return checking.check(url, buffer, entries, sending.lines, sending.first_ns)


def drain(here: Lean) -> None:
    """Until nothing waits any more, or a worker that is there lets it wait."""
    deadline, before, since = time.monotonic() + DRAIN_SECONDS, None, time.monotonic()
    while any(now := here.look()) and time.monotonic() < deadline:
        here.ground.step(0.2)
        if now != before or not here.ground.serves("worker"):
            before, since = now, time.monotonic()
        if time.monotonic() - since > STUCK_SECONDS:
            return


def report(here: Lean, verdict: Verdict) -> dict[str, Any]:
    ends = len(list(here.ground.scratch.glob("end-*")))
    return {"mode": here.mode, "ends": ends, "found": dict(verdict.found), "told": verdict.told()}


def main() -> int:
    with lean(sys.argv[1]) as here:
        found = report(here, control(here))
    print(msgspec.json.encode(found).decode())
    return 1 if found["found"] else 0


if __name__ == "__main__":
    sys.exit(main())
