"""Which processes a local installation consists of, and the environment they run in.

Loopback for everything but web and ingest, which follow BIND. Each role's command is in `webapp.roles`; here
it gets its log file, its readiness and how long it may take to stop.
"""

import contextlib
import http.client
import os
from collections.abc import Callable, Mapping
from dataclasses import replace

from webapp import env, roles
from webapp.local import installation, servers, timescale
from webapp.local.installation import LOGS, VAR
from webapp.local.liveness import ANSWER_SECONDS
from webapp.local.machine import Trouble
from webapp.local.supervisor import Child

POSTGRES_PORT = env.integer("POSTGRES_PORT", 8005, least=1, most=65535)
BROKER_PORT = env.integer("BROKER_PORT", 8006, least=1, most=65535)
CACHE_PORT = env.integer("CACHE_PORT", 8007, least=1, most=65535)
WORKER_HEALTH_PORT = env.integer("WORKER_HEALTH_PORT", 8010, least=1, most=65535)
BEAT_HEALTH_PORT = env.integer("BEAT_HEALTH_PORT", 8011, least=1, most=65535)
FLOWER_PORT = env.integer("FLOWER_PORT", 5555, least=1, most=65535)
BROKER_MEMORY = env.text("BROKER_MEMORY", "512mb")
CACHE_MEMORY = env.text("CACHE_MEMORY", "128mb")
EDITION = VAR / "postgres.edition"
WORKER_GRACE = 45.0  # it hands back or stores what it holds: 2 x (deadline + spill)
GRACE = 20.0


def reachable(host: str) -> str:
    """An address that this machine can call: what BIND names, unless that is all of them."""
    return "127.0.0.1" if host in ("", "0.0.0.0", "::") else host


def address(port: int) -> str:
    host = reachable(roles.BIND)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def ports() -> dict[str, tuple[str, int]]:
    """What must be free, by the variable that moves it."""
    wanted = {"WEB_PORT": (roles.BIND, roles.WEB_PORT), "INGEST_PORT": (roles.BIND, roles.INGEST_PORT)}
    own = {
        "FLOWER_PORT": FLOWER_PORT,
        "WORKER_HEALTH_PORT": WORKER_HEALTH_PORT,
        "BEAT_HEALTH_PORT": BEAT_HEALTH_PORT,
    }
    embedded = {"DATABASE_URL": POSTGRES_PORT, "BROKER_URL": BROKER_PORT, "CACHE_URL": CACHE_PORT}
    for variable, port in embedded.items():
        if not env.text(variable):
            own[PORT_OF[variable]] = port
    return wanted | {variable: ("127.0.0.1", port) for variable, port in own.items()}


PORT_OF = {"DATABASE_URL": "POSTGRES_PORT", "BROKER_URL": "BROKER_PORT", "CACHE_URL": "CACHE_PORT"}


# ---- servers ----


def embedded() -> dict[str, Callable[[], servers.Launch]]:
    """The servers of our own, by the variable that would name a real one instead."""
    own = {"DATABASE_URL": postgres, "BROKER_URL": broker, "CACHE_URL": cache}
    return {variable: launch for variable, launch in own.items() if not env.text(variable)}


def postgres() -> servers.Launch:
    """On the TimescaleDB root if the first start found one, else from the wheel; the choice is kept."""
    password = installation.keep_secret("postgres_password")
    directory, root = VAR / "postgres", VAR / "timescale"
    if not (directory / "data").exists():
        EDITION.write_text("timescale\n" if timescale.made(root) else "plain\n")
    if EDITION.read_text().strip() == "plain":
        return servers.postgres_launch(directory, POSTGRES_PORT, password=password)
    if not timescale.made(root):
        raise Trouble(
            f"This installation lives on TimescaleDB and {root} is gone: `make timescale` brings it back."
        )
    return timescale.launch(directory, POSTGRES_PORT, where=root, password=password)


def broker() -> servers.Launch:
    password = installation.keep_secret("broker_password")
    return servers.valkey_launch(
        VAR / "broker", BROKER_PORT, broker=True, maxmemory=BROKER_MEMORY, password=password
    )


def cache() -> servers.Launch:
    password = installation.keep_secret("cache_password")
    return servers.valkey_launch(
        VAR / "cache", CACHE_PORT, broker=False, maxmemory=CACHE_MEMORY, password=password
    )


def server_child(name: str, launch: servers.Launch) -> Child:
    """It gets no environment of ours: a PGDATA or a SECRET_KEY is no business of a server."""
    bare = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    return Child(
        name=name,
        argv=launch.argv,
        log=LOGS / f"{name}.log",
        ready=launch.ready,
        environment=bare,
        user=launch.user,
        stop=launch.stop,
        grace=60.0,  # PostgreSQL writes a checkpoint, the broker syncs its file
    )


# ---- roles ----


def environment(urls: Mapping[str, str]) -> dict[str, str]:
    """What every role is started with, kept for the commands that a person types later."""
    given = env.text("SECRET_KEY")
    key = installation.keep_secret("secret_key") if given in ("", installation.NO_KEY) else given
    return {
        "SECRET_KEY": key,
        **urls,
        "PUBLIC_URL": env.text("PUBLIC_URL", address(roles.WEB_PORT)),
        "INGEST_PUBLIC_URL": env.text("INGEST_PUBLIC_URL", address(roles.INGEST_PORT)),
        "BIND": roles.BIND,
        "WEB_PORT": str(roles.WEB_PORT),
        "INGEST_PORT": str(roles.INGEST_PORT),
        "FLOWER_PORT": str(FLOWER_PORT),
        "FLOWER_URL": f"http://127.0.0.1:{FLOWER_PORT}",
        "WORKER_HEALTH_PORT": str(WORKER_HEALTH_PORT),
        "BEAT_HEALTH_PORT": str(BEAT_HEALTH_PORT),
        "VAR_DIR": str(VAR),
        "SPILL_DIR": env.text("SPILL_DIR", str(VAR / "spill")),
        "STATIC_ROOT": str(VAR / "static"),
        "BEAT_SCHEDULE": str(VAR / "beat-schedule"),
    }


def role_child(
    name: str,
    environment: Mapping[str, str],
    ready: Callable[[], bool] = lambda: True,
    grace: float = GRACE,
    live: Callable[[], bool] | None = None,
    **more: str,
) -> Child:
    own = {**roles.environment(name), "PYTHONUNBUFFERED": "1", **more}
    return Child(
        name=name,
        argv=tuple(roles.command(name)),
        log=LOGS / f"{name}.log",
        ready=ready,
        live=live,
        environment={**os.environ, **environment, **own},
        grace=grace,
    )


def doors() -> dict[str, tuple[str, int]]:
    """Where each role is asked how it is."""
    here = reachable(roles.BIND)
    return {
        "ingest": (here, roles.INGEST_PORT),
        "web": (here, roles.WEB_PORT),
        "worker": ("127.0.0.1", WORKER_HEALTH_PORT),
        "beat": ("127.0.0.1", BEAT_HEALTH_PORT),
        "flower": ("127.0.0.1", FLOWER_PORT),
    }


def asking(name: str, path: str, seconds: float = 2.0) -> Callable[[], bool]:
    """Flower has but one word for both."""
    host, port = doors()[name]
    return lambda: answers(host, port, "/flower/healthcheck" if name == "flower" else path, seconds)


def role_children(environment: Mapping[str, str]) -> list[Child]:
    health = {"worker": str(WORKER_HEALTH_PORT), "beat": str(BEAT_HEALTH_PORT)}
    return [
        role_child(
            name,
            environment,
            asking(name, "/readyz"),
            WORKER_GRACE if name == "worker" else GRACE,
            asking(name, "/livez", ANSWER_SECONDS),
            **({"HEALTH_PORT": health[name]} if name in health else {}),
        )
        for name in doors()
    ]


def producer_child(environment: Mapping[str, str], story: int) -> Child:
    """`story`: which telling of the demo's story it gives first; 0 for none."""
    token, url = installation.read(installation.SECRETS)["demo_token"], address(roles.INGEST_PORT)
    child = role_child("producer", environment, LOGBOOM_URL=url, LOGBOOM_TOKEN=token)
    return replace(child, argv=(*child.argv, "--story", str(story)))


def answers(host: str, port: int, path: str = "/readyz", seconds: float = 2.0) -> bool:
    with contextlib.closing(http.client.HTTPConnection(host, port, timeout=seconds)) as connection:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            return connection.getresponse().status == 200
        return False
