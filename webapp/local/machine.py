"""What can be wrong with the machine before anything is started: each in one sentence that holds the cure."""

import contextlib
import errno
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg
import redis

from ingest import buffer
from ingest.errors import WeakBroker
from webapp.local import servers

PATIENCE = 5.0  # seconds: what a killed run left behind is still letting go of its ports
OLDEST_POSTGRES = 150000
CURES = (
    ("address already in use", "Another program has the port: stop it or choose another port."),
    ("no space left", "Free some disk space, then start again."),
    ("cannot allocate memory", "This machine has too little free memory."),
    ("shared memory", "This machine has too little shared memory: see `df /dev/shm`."),
    ("incompatible with server", "The data was made by another PostgreSQL version; start with that one."),
    ("permission denied", "Make it readable and writable for the user who starts Logboom."),
)


class Trouble(Exception):
    """One sentence about what is wrong and one about what helps."""


def cure(said: str) -> str:
    return next((help for sign, help in CURES if sign in said.lower()), "The log says more.")


def check_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise Trouble(
            f"{path} cannot be written ({os.strerror(error.errno or 0)}): make it writable for this user,"
            " or set VAR_DIR to a directory that is."
        ) from error


def check_ports(wanted: Mapping[str, tuple[str, int]]) -> None:
    """Each variable's (address, port) must be free; two variables must not name one port."""
    seen: dict[int, str] = {}
    for variable, (host, port) in wanted.items():
        if port in seen:
            raise Trouble(f"{variable} and {seen[port]} both say {port}: give each a port of its own.")
        seen[port] = variable
        check_port(variable, host, port)


def check_port(variable: str, host: str, port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while (problem := port_problem(host, port)) == errno.EADDRINUSE and time.monotonic() < deadline:
        time.sleep(0.1)
    if problem == errno.EADDRINUSE:
        raise Trouble(
            f"Port {port} is taken by another program: stop that, or choose another one with"
            f" {variable}={port + 1000 if port < 60000 else port - 1000}."
        )
    if problem:
        raise Trouble(
            f"{host}:{port} cannot be listened on ({os.strerror(problem)}): set {variable} or BIND."
        )


def port_problem(host: str, port: int) -> int:
    """0 when it is free. Without SO_REUSEPORT: a server that has it would let us share the port unseen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return error.errno or errno.EIO
    return 0


def check_server(variable: str, url: str) -> None:
    """A server that was given instead of one of ours."""
    {"DATABASE_URL": check_database, "BROKER_URL": check_broker, "CACHE_URL": check_cache}[variable](url)


def check_cache(url: str) -> None:
    if not servers.pings(url):
        raise Trouble("CACHE_URL does not answer: start that server, or unset CACHE_URL for one of our own.")


def check_database(url: str) -> None:
    try:
        with psycopg.connect(url, connect_timeout=5) as conn:
            version = conn.info.server_version
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())
        raise Trouble(
            f"DATABASE_URL does not answer ({said}): mend it, or unset it for one of our own."
        ) from error
    if version < OLDEST_POSTGRES:
        raise Trouble(f"DATABASE_URL is PostgreSQL {version // 10000}: Logboom wants 15 or newer.")


def check_broker(url: str) -> None:
    with contextlib.closing(buffer.connect(url)) as client:
        try:
            buffer.check_durable(client)
        except WeakBroker as error:
            raise Trouble(f"BROKER_URL could lose what it accepted: {error}") from error
        except redis.RedisError as error:
            raise Trouble(
                f"BROKER_URL does not answer ({error}): start that server, or unset it for one of our own."
            ) from error
