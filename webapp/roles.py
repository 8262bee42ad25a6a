"""Every process of Logboom is one command, named once here and used by `make up`, Compose and chart alike.

`manage.py role NAME` sets ROLE and becomes the command. Addresses come from the environment: BIND for what
the world talks to (web and ingest); Flower stays on loopback, or on FLOWER_BIND where another container's web
role is its only caller.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from webapp import env

BASE = Path(__file__).resolve().parent.parent
CELERY = [sys.executable, "-m", "celery", "-A", "webapp.celery", "--quiet"]
GRANIAN = [sys.executable, "-m", "webapp.serving", "--workers", "1", "--no-ws"]
STOP_SECONDS = "15"  # granian's: longer than a request may wait for the broker (BROKER_WAIT_SECONDS)

SPARE_THREADS = 2  # of ingest: one answers probes, while the other may look for a place

BIND = env.text("BIND", "127.0.0.1")
WEB_PORT = env.integer("WEB_PORT", 8000, least=1, most=65535)
INGEST_PORT = env.integer("INGEST_PORT", 8001, least=1, most=65535)


def web() -> list[str]:
    """asginl: ASGI without the lifespan protocol, which Django does not speak."""
    listen = ["--host", BIND, "--port", str(WEB_PORT), "--workers-kill-timeout", STOP_SECONDS]
    return [*GRANIAN, "--interface", "asginl", *listen, "webapp.asgi:application"]


def ingest() -> list[str]:
    """More threads than places for lines (ingest/gate.py): probes are answered while those are taken."""
    threads = str(env.integer("INGEST_THREADS", 8, least=2, most=256) + SPARE_THREADS)
    listen = ["--host", BIND, "--port", str(INGEST_PORT), "--workers-kill-timeout", STOP_SECONDS]
    return [
        *GRANIAN,
        "--interface",
        "wsgi",
        "--blocking-threads",
        threads,
        *listen,
        "webapp.wsgi:application",
    ]


def worker() -> list[str]:
    """Threads: tasks wait for PostgreSQL, and one process means one set of leases and one spill directory."""
    name = f"{env.text('WORKER_NAME', 'worker-0')}@%h"
    threads = str(env.integer("WORKER_THREADS", 2, least=1, most=64))
    pool = ["-Q", "ingest,maint", "-P", "threads", "-c", threads, "-E"]
    return [*CELERY, "worker", *pool, "--without-gossip", "--without-mingle", "-n", name]


def beat() -> list[str]:
    """No pid file: one that a kill left behind would keep the next beat from starting."""
    return [*CELERY, "beat", "--pidfile="]


def flower() -> list[str]:
    """Read-only twice: its own switch here, and the proxy in front passes nothing but GET."""
    port = str(env.integer("FLOWER_PORT", 5555, least=1, most=65535))
    listen = [f"--address={env.text('FLOWER_BIND', '127.0.0.1')}", f"--port={port}", "--url_prefix=flower"]
    # Workers send events by themselves and take no remote commands: asking them would only time out.
    quiet = ["--enable_events=False", "--logging=critical", "--max_tasks=10000"]
    columns = "--tasks_columns=name,state,result,received,runtime,worker,uuid"  # the result tells the rows
    return [*CELERY, "flower", *listen, "--read_only=True", *quiet, columns]


def migrate() -> list[str]:
    """Tables, and where the environment names them an admin and tokens."""
    return [sys.executable, str(BASE / "manage.py"), "prepare"]


def init() -> list[str]:
    """Compose's first container: it makes the secrets, and so has none itself."""
    return [sys.executable, "-m", "webapp.local.compose"]


def producer() -> list[str]:
    rate = str(env.number("DEMO_RATE", 1.0, least=0.01, most=100_000.0))
    story = str(env.integer("DEMO_STORY", 0, least=0))
    return [sys.executable, str(BASE / "logboom"), "produce", "--rate", rate, "--story", story]


ROLES: dict[str, Callable[[], list[str]]] = {
    "web": web,
    "ingest": ingest,
    "worker": worker,
    "beat": beat,
    "flower": flower,
    "init": init,
    "migrate": migrate,
    "producer": producer,
}
# glibc would give the buffers of each body back to the kernel and fault them in again for the next: 5 % of
# the CPU of a line. Two arenas bound what is kept that way, and what eight large bodies at once take.
KEEP_MEMORY = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024**2),
    "MALLOC_TRIM_THRESHOLD_": str(32 * 1024**2),
    "MALLOC_TOP_PAD_": str(4 * 1024**2),
}
SETTINGS_ROLES = dict.fromkeys(("init", "migrate", "producer"), "manage")  # settings.py has no such name


def command(name: str) -> list[str]:
    return ROLES[name]()


def environment(name: str) -> dict[str, str]:
    """What a role runs with beside its settings."""
    role = {"ROLE": SETTINGS_ROLES.get(name, name)}
    return {**role, **KEEP_MEMORY} if name in ("ingest", "worker") else role


def become(name: str) -> None:
    """Replace this process by the role's."""
    os.environ.update(environment(name))
    os.chdir(BASE)
    argv = command(name)
    os.execv(argv[0], argv)


def main(words: list[str]) -> int:
    """`manage.py role NAME`: the role, which takes this process's place, or in one sentence why not."""
    if words[:1] and words[0] in ROLES and len(words) == 1:
        become(words[0])
    print(f"usage: manage.py role {'|'.join(sorted(ROLES))}", file=sys.stderr)
    return 2
