"""A worker's life: what it checks and frees at its start, what ticks beside its tasks, how it ends.

Start: the broker must be durable; the spill directory must be ours; leases of this name's last life become
due. Beside the tasks: the ticker (each second: hint what is due, tell the broker what it could not hear) and
the flusher (spill files, the breaker's probe). SIGUSR1 writes every thread's stack to stderr. End (SIGTERM):
nothing more is claimed; what runs is stored, spilled or handed back, each bounded by the deadline; after
twice (deadline + spill) the process ends in any case, its leases handed back.
"""

import contextlib
import faulthandler
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from celery.signals import worker_init, worker_ready, worker_shutdown, worker_shutting_down
from django.conf import settings

from ingest import backlog, hint
from ingest.buffer import Buffer, check_durable, connect
from ingest.errors import BrokerGone, WeakBroker
from webapp import health, stacks
from workers import flusher
from workers.breaker import Breaker
from workers.database import Database
from workers.deadline import Watchdog
from workers.errors import DirectoryTaken
from workers.gauges import Gauges
from workers.pulse import Pulse
from workers.pump import Pump, Step
from workers.report import Report
from workers.spool import Spool

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

SPILL_SECONDS = 2.0  # writing and syncing one spill file, generously
BROKER_PATIENCE = 60.0  # how long a start waits for the broker


class Worker:
    """The parts of one worker process, put together from the settings."""

    def __init__(self) -> None:
        self.buffer = Buffer(connect(settings.BROKER_URL))
        self.watchdog = Watchdog()
        self.database = Database(
            settings.DATABASE_URL, seconds=settings.DEADLINE_SECONDS, watchdog=self.watchdog
        )
        self.breaker = Breaker()
        self.spool = Spool(settings.SPILL_DIR / settings.WORKER_NAME, most_bytes=settings.SPILL_BYTES)
        self.pulse = Pulse(self.spool.directory / "heartbeat", step_seconds=3 * longest_end())
        self.spilled = threading.Event()
        self.flusher = flusher.of_settings(
            spool=self.spool,
            buffer=self.buffer,
            database=self.database,
            breaker=self.breaker,
            progress=lambda: self.pulse.beat("flusher"),
        )
        self.pump = Pump(
            owner=settings.WORKER_NAME,
            buffer=self.buffer,
            database=self.database,
            breaker=self.breaker,
            spool=self.spool,
            hint=self.hint,
            spill_always=settings.SPILL_ALWAYS,
            spilled=self.spilled.set,
        )
        self.report = Report(
            client=self.buffer.client, spool=self.spool, breaker=self.breaker, live=self.pulse.live
        )
        self.gauges = Gauges(self.buffer, self.spool)
        self._loops: list[threading.Thread] = []

    def step(self) -> Step:
        with self.pulse.step():
            try:
                return self.pump.step()
            except BrokerGone as error:
                log.warning("the broker is away: %s", error)
                return Step("broker away")

    def hint(self) -> None:
        hint.send(settings.BROKER_URL)

    def start(self) -> None:
        self._loops = [
            threading.Thread(target=self._run, args=(name, once), name=name, daemon=True)
            for name, once in (("ticker", self.tick), ("flusher", self.flush))
        ]
        for thread in self._loops:
            thread.start()

    def tick(self) -> None:
        self.report.tell()
        self.gauges.tell()
        try:
            self.pump.tell.again()
            if self.buffer.want_hint():
                self.pulse.due()
                if not hint.send(settings.BROKER_URL):
                    self.unheard()
            elif not backlog.anything_due(self.buffer.client):
                self.pulse.nothing_due()
        except BrokerGone:
            self.pulse.nothing_due()  # nobody hears a hint then: that is the broker's fault
        self.pump.stopping.wait(1.0)

    def unheard(self) -> None:
        """A broker out of memory takes no message, and would stay so: the ticker does the work then."""
        while self.step().batches:
            self.pulse.beat("ticker")

    def flush(self) -> None:
        if not self.flusher.step():
            self.spilled.wait(0.25)
            self.spilled.clear()

    def _run(self, name: str, once: Callable[[], None]) -> None:
        while self.running():
            self.pulse.beat(name)
            try:
                once()
            except (
                Exception
            ):  # the loop must live: without it nothing is hinted or flushed, and nobody sees why
                log.exception("the %s stumbled", name)
                time.sleep(1)

    def running(self) -> bool:
        return not self.pump.stopping.is_set()

    def stop(self) -> None:
        """Nothing new; in the background, the last word if the rest does not end by itself."""
        self.pump.stopping.set()
        self.spilled.set()
        last_word = threading.Timer(longest_end(), self.give_up)
        last_word.daemon = True
        last_word.start()

    def give_up(self) -> None:
        log.error("did not end by itself; stacks follow, leases go back")
        faulthandler.dump_traceback(stacks.STDERR)
        self.pump.abandon()
        os._exit(1)

    def end(self) -> None:
        for thread in self._loops:
            thread.join()
        with contextlib.suppress(BrokerGone):
            self.pump.tell.again()
        self.report.stopped()
        self.spool.close()


def longest_end() -> float:
    return 2 * (float(settings.DEADLINE_SECONDS) + SPILL_SECONDS)


class NotAWorker(RuntimeError):
    """A task of the worker was called in a process that is none."""


_worker: Worker | None = None


def worker() -> Worker:
    if _worker is None:
        raise NotAWorker("the worker has not started: these tasks run under `celery worker` only.")
    return _worker


@worker_init.connect
def begin(**_: Any) -> None:
    """Before the first task. SystemExit, because Celery swallows a receiver's lesser exceptions."""
    global _worker
    client = connect(settings.BROKER_URL)
    try:
        patiently(lambda: check_durable(client))
        _worker = Worker()
        freed = patiently(lambda: worker().buffer.free(settings.WORKER_NAME))
    except (WeakBroker, DirectoryTaken, BrokerGone) as error:
        raise SystemExit(f"the worker does not start: {error}") from error
    except OSError as error:
        raise SystemExit(
            f"the worker does not start: SPILL_DIR={settings.SPILL_DIR}: {error.strerror}."
        ) from error
    finally:
        client.close()
    log.info(
        "worker %s: %d old leases freed, spill directory %s",
        settings.WORKER_NAME,
        freed,
        worker().spool.directory,
    )


def patiently(ask: Callable[[], Answer]) -> Answer:
    """The broker may be starting too."""
    until = time.monotonic() + BROKER_PATIENCE
    while True:
        try:
            return ask()
        except BrokerGone as error:
            if time.monotonic() > until:
                raise
            log.warning("waiting for the broker: %s", error)
            time.sleep(0.5)


@worker_ready.connect
def ready(**_: Any) -> None:
    stacks.on_signal()  # only now, because Celery has set a handler of its own before
    mine = worker()
    mine.start()
    try:
        if settings.HEALTH_PORT:
            health.serve(settings.HEALTH_BIND, settings.HEALTH_PORT, mine.pulse.live, mine.running)
    except OSError as error:
        raise SystemExit(
            f"the worker does not start: HEALTH_PORT={settings.HEALTH_PORT}: {error.strerror}."
        ) from error


@worker_shutting_down.connect
def stop(**_: Any) -> None:
    worker().stop()


@worker_shutdown.connect
def end(**_: Any) -> None:
    worker().end()
