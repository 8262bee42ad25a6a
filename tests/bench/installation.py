"""A whole installation of its own: `manage.py up --detach --no-demo` in a directory that is thrown away."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapp.local.servers import free_ports

ROOT = Path(__file__).resolve().parents[2]
# fmt: off
PORTS = (
    "WEB_PORT", "INGEST_PORT", "FLOWER_PORT", "POSTGRES_PORT", "BROKER_PORT", "CACHE_PORT",
    "WORKER_HEALTH_PORT", "BEAT_HEALTH_PORT",
)
# fmt: on
SERVERS = ("SECRET_KEY", "DATABASE_URL", "BROKER_URL", "CACHE_URL", "ROLE", "VAR_DIR", "BIND", "PUBLIC_URL")


class NotUp(RuntimeError):
    """The installation did not start; what it printed says why."""


@dataclass(frozen=True)
class Installation:
    directory: Path  # its VAR_DIR
    environment: Mapping[str, str]

    @property
    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.directory / "up.json").read_text())
        return found

    @property
    def roles(self) -> dict[str, list[int]]:
        """The pids of every process there is, the supervisor too."""
        supervisor = int((self.directory / "up.lock").read_text())
        return {**self.facts["pids"], "supervisor": [supervisor]}

    def manage(self, *words: str) -> str:
        code, said = self.ask(*words)
        if code:
            raise NotUp(f"manage.py {' '.join(words)}: {said[-4000:]}")
        return said

    def ask(self, *words: str) -> tuple[int, str]:
        """The exit code and what was said."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *words],
            env=dict(self.environment),
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr


@contextlib.contextmanager
def installation(timescale: Path | None = None, **settings: str) -> Iterator[Installation]:
    """Started, and stopped and removed afterwards whatever happens in between."""
    directory = Path(tempfile.mkdtemp(prefix="logboom-"))
    directory.chmod(0o700)
    if timescale:
        (directory / "timescale").symlink_to(timescale.resolve())
    bare = {name: value for name, value in os.environ.items() if name not in SERVERS}
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    made = Installation(directory, {**bare, **ports, "VAR_DIR": str(directory), **settings})
    try:
        made.manage("up", "--detach", "--no-demo")
        yield made
    finally:
        with contextlib.suppress(NotUp):
            made.manage("down")
        shutil.rmtree(directory, ignore_errors=True)


def running(up_json: Path) -> Installation:
    """One that is up already; it is left as it is."""
    return Installation(up_json.resolve().parent, os.environ)
