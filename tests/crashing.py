"""Lives of a worker that end, without a word, at one named point; some ten milliseconds each.

A life runs in a process of its own, forked from one that has imported everything (`preloaded.py`). It does
the work of one path; at the point it is gone by `os._exit`, as if by SIGKILL: no `finally`, no buffer
flushed, no thread joined. A point is a moment of a step:

before, after   the step's call
half            the step was begun: half of a file is written, COMMIT is sent and its answer never read

and `time` says at which time the step comes by. A life that never comes to its point ends with status 0.
"""

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import redis
from django.conf import settings
from django.test import Client

from ingest.buffer import Buffer, Move
from ingest.errors import BrokerGone
from tests.senders import GOOD, LINE
from tests.workbench import NOWHERE, OWNER, Bench
from webapp.logs import store
from workers import settle
from workers.spool import Files

GONE = 9
forking = multiprocessing.get_context("forkserver")
forking.set_forkserver_preload(["tests.preloaded"])


@dataclass(frozen=True)
class Point:
    moment: str
    step: str
    time: int = 1

    @classmethod
    def named(cls, words: str) -> "Point":
        """ "after finish", or "after finish 2" for the second time."""
        moment, step, *time = words.split()
        return cls(moment, step, *map(int, time))


@dataclass(frozen=True)
class Place:
    """Where a life works."""

    broker_url: str
    database_url: str
    directory: Path


def live(place: Place, path: str, point: Point) -> int:
    """One life; the status it ended with."""
    return ended(forking.Process(target=life, args=(place, path, point)))


def ended(process: BaseProcess) -> int:
    process.start()
    process.join(60)
    if process.exitcode is None:
        process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def life(place: Place, path: str, point: Point) -> None:
    broker = redis.Redis.from_url(place.broker_url)
    prepare, work = PATHS[path]
    bench = Bench(broker, place.database_url, place.directory, spill_always=False)
    prepare(bench)
    doom = Doom(point)
    doom.arm(bench)
    work(bench)
    os._exit(0)  # what is armed must not meet the end of a process


def post(place: Place, key: str, point: Point) -> tuple[int, tuple[int, Any]]:
    """One line sent to an ingest that lives for this one request; its status, and the answer if one came."""
    here, there = forking.Pipe(duplex=False)
    with here, there:
        status = ended(forking.Process(target=answering, args=(place, GOOD, key, point, there)))
        return status, here.recv() if here.poll() else (0, None)


def answering(place: Place, token: str, key: str, point: Point, answers: Connection) -> None:
    settings.ROOT_URLCONF, settings.MIDDLEWARE, settings.BROKER_URL = "ingest.urls", [], place.broker_url
    Doom(point).watch(Buffer, "accept")
    answer = Client().post(
        "/api/v1/logs",
        LINE,
        content_type="application/x-ndjson",
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": key},
    )
    answers.send((answer.status_code, answer.json()))
    os._exit(0)


def end() -> NoReturn:
    os._exit(GONE)


class Doom:
    """Ends the process at the point."""

    def __init__(self, point: Point) -> None:
        self.point = point
        self.seen = 0

    def arm(self, bench: Bench) -> None:
        for name in ("claim", "finish", "release", "free"):
            self.watch(bench.buffer, name)
        for name in ("enter_ledger", "copy_units", "quarantine_batch"):
            self.watch(store, name)
        self.watch(settle, "sift")
        self.watch(psycopg.Connection, "execute", "COMMIT", half=send_only)
        self.watch(store, "close_segment", "commit")
        for name in ("read", "rename", "unlink", "sync_directory"):
            self.watch(Files, name)
        self.watch(Files, "write", half=write_half)
        self.watch(os, "fsync")

    def watch(self, home: Any, name: str, step: str = "", half: Callable[..., Any] | None = None) -> None:
        """`half` does half of the call that `name` is."""
        work = getattr(home, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            comes = self.comes(step or name, args)
            if comes and self.point.moment == "before":
                end()
            if comes and self.point.moment == "half" and half:
                half(work, *args)
                end()
            answer = work(*args, **kwargs)
            if comes and self.point.moment == "after":
                end()
            return answer

        setattr(home, name, watched)

    def comes(self, step: str, args: tuple[Any, ...]) -> bool:
        if step != self.point.step or (step == "COMMIT" and args[1] != "COMMIT"):
            return False
        self.seen += 1
        return self.seen == self.point.time


def send_only(execute: Callable[..., Any], connection: psycopg.Connection, query: str) -> None:
    """The server has it; whether it is done before it finds nobody there, only the ledger will tell."""
    execute(connection, query)
    connection.pgconn.pipeline_sync()
    connection.pgconn.flush()


def write_half(write: Callable[..., Any], files: Files, path: Path, data: bytes) -> None:
    write(files, path, data[: len(data) // 2])


# ---- the paths: what is there before the point can be met, and the work it is met in ----


def nothing(bench: Bench) -> None:
    pass


def one_step(bench: Bench) -> None:
    bench.pump.step()


def a_file(bench: Bench) -> None:
    bench.connect_to(bench.url, spill_always=True)
    bench.pump.step()


def always_spilling(bench: Bench) -> None:
    bench.connect_to(bench.url, spill_always=True)


def a_rotten_file(bench: Bench) -> None:
    a_file(bench)
    (path,) = bench.spool.waiting()
    path.write_bytes(path.read_bytes().replace(b"ROTTENROTTEN", b"ROTTENrotten"))


def flush(bench: Bench) -> None:
    bench.flusher.step()


def a_file_with_a_deadly_batch(bench: Bench) -> None:
    """Whoever stores it dies. The file is there from the second life on."""
    if bench.buffer.depth().due:
        a_file(bench)
    enter = store.enter_ledger

    def die_of_it(connection: psycopg.Connection, units: list[store.Unit]) -> store.Ledger:
        if any(record.message == "deadly" for unit in units for record in unit.envelope.records):
            end()
        return enter(connection, units)

    store.enter_ledger = die_of_it


def flush_all(bench: Bench) -> None:
    while bench.flusher.step():
        pass


def the_database_away(bench: Bench) -> None:
    bench.connect_to(NOWHERE)


def a_deadly_batch(bench: Bench) -> None:
    for _ in range(settle.DEATHS):
        bench.buffer.claim(OWNER)
        bench.buffer.free(OWNER)


def an_earlier_life(bench: Bench) -> None:
    bench.buffer.claim(OWNER)
    (bench.spool.directory / "half.tmp").write_bytes(b"half a file")
    bench.spool.close()


def start(bench: Bench) -> None:
    Bench(bench.buffer.client, bench.url, bench.spool.directory)
    bench.buffer.free(OWNER)


def deaf(moves: list[Move]) -> int:
    raise BrokerGone("restarting")


def stored_untold(bench: Bench) -> None:
    bench.buffer.finish = deaf  # type: ignore[method-assign,assignment]
    bench.pump.step()
    del bench.buffer.finish


def tell_again(bench: Bench) -> None:
    bench.pump.tell.again()


def stop_in_the_middle(bench: Bench) -> None:
    """SIGTERM's last word: a group that is being stored is handed back."""
    claim = bench.buffer.claim(OWNER)
    with bench.pump._holding(claim.batches):
        bench.pump.stopping.set()
        bench.pump.abandon()


PATHS: dict[str, tuple[Callable[[Bench], None], Callable[[Bench], None]]] = {
    "storing": (nothing, one_step),
    "bisecting": (nothing, one_step),
    "quarantining": (nothing, one_step),
    "refusing": (nothing, one_step),
    "burying": (a_deadly_batch, one_step),
    "telling again": (stored_untold, tell_again),
    "handing back": (the_database_away, one_step),
    "stopping": (nothing, stop_in_the_middle),
    "spilling": (always_spilling, one_step),
    "flushing": (a_file, flush),
    "dying of one batch": (a_file_with_a_deadly_batch, flush_all),
    "setting aside": (a_rotten_file, flush),
    "starting": (an_earlier_life, start),
}
