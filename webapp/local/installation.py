"""What one machine's installation keeps, all of it under VAR_DIR (`var/`): servers, spill, logs and secrets.

`secrets.json` holds what was generated once and must outlive a stop; `environment.json` what the roles run
with, so that `manage.py token create …` finds the same servers; `up.json` is the face for people and scripts.
Only their owner may read them. `up.lock` is held by the running supervisor: it, not a pid, says what is up.
"""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from webapp import env

BASE = Path(__file__).resolve().parents[2]
VAR = Path(env.text("VAR_DIR", str(BASE / "var"))).absolute()
SECRETS, ENVIRONMENT, UP, LOCK = (
    VAR / "secrets.json",
    VAR / "environment.json",
    VAR / "up.json",
    VAR / "up.lock",
)
LOGS = VAR / "logs"
LOCAL_COMMANDS = ("up", "down", "status")  # they need Django's command line but sign nothing
NO_KEY = "of an installation that has no key yet; nothing is ever signed with this one"


class AlreadyUp(RuntimeError):
    """Another supervisor holds this VAR_DIR."""


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Atomic, so that a reader never sees half; owner only."""
    fresh = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
        json.dump(content, sink, indent=2)
        sink.write("\n")
        sink.flush()
        os.fsync(sink.fileno())
    fresh.rename(path)


def read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return found


def keep_secret(name: str, value: str | None = None, *, replace: bool = False) -> str:
    """The secret of this name, made now if it never was (as `value`, when the caller brings one)."""
    kept = read(SECRETS)
    if replace or name not in kept:
        kept[name] = value or secrets.token_urlsafe(24)
        write(SECRETS, kept)
    return str(kept[name])


def adopt(arguments: list[str]) -> None:
    """Let a bare `manage.py X` run with what `make up` set up. A process with a SECRET_KEY brings its own."""
    if env.text("SECRET_KEY"):
        return
    command = arguments[1] if len(arguments) > 1 else ""
    if command != "up":  # which decides anew
        for name, value in read(ENVIRONMENT).items():
            os.environ.setdefault(name, value)
    if command in LOCAL_COMMANDS:
        os.environ.setdefault("SECRET_KEY", NO_KEY)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """This process is the one that runs the installation; the lock ends with it, however it ends."""
    with LOCK.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyUp(f"Logboom is already up here (pid {holder()}): `make down` stops it.") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def holder() -> int | None:
    """The pid of the running supervisor, if there is one."""
    if not LOCK.exists():
        return None
    with LOCK.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(lock.read() or 0) or None
    return None
