"""A worker in a process that ends, without a word, at one named point: `python -m tests.crashing PATH POINT`.

Points are "before" or "after" a step of the state machine; the step is the name of a method of the buffer, of
the store or of the file layer. The environment says where the servers and the spill directory are.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

STORING = ["after claim", "before store", "after store", "after finish"]
SPILLING = ["before write", "before rename", "before sync_directory", "after sync_directory", "after finish"]
FLUSHING = ["before store", "after store", "after finish", "before sync_directory", "after sync_directory"]


def dying(name: str, work: Callable[..., Any], point: str) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if point == f"before {name}":
            os._exit(9)
        answer = work(*args, **kwargs)
        if point == f"after {name}":
            os._exit(9)
        return answer

    return wrapped


def arm(one: Any, names: tuple[str, ...], point: str) -> None:
    for name in names:
        setattr(one, name, dying(name, getattr(one, name), point))


def main(path: str, point: str) -> None:
    django.setup()
    import redis

    from tests.workbench import Bench
    from webapp.logs import store
    from workers.spool import Files

    files = Files()
    broker = redis.Redis.from_url(os.environ["BROKER_URL"])
    bench = Bench(broker, os.environ["DATABASE_URL"], Path(os.environ["SPILL_DIR"]), files)
    bench.connect_to(bench.url, spill_always=path != "storing")
    if path == "flushing":
        bench.pump.step()
    arm(bench.buffer, ("claim", "finish"), point)
    arm(store, ("store",), point)
    arm(files, ("write", "rename", "sync_directory", "unlink"), point)
    bench.flusher.step() if path == "flushing" else bench.pump.step()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    main(*sys.argv[1:])
