"""What a worker says of itself in the broker every few seconds (webapp/heartbeat.py), and once at its end."""

import contextlib
import shutil
import socket
import time
from collections.abc import Callable

import msgspec
import redis
from django.conf import settings

import webapp
from ingest.errors import IngestError
from webapp import heartbeat
from webapp.heartbeat import Heartbeat
from workers.breaker import Breaker
from workers.recount import Recount
from workers.spool import Spool


class Report:
    def __init__(
        self,
        *,
        client: redis.Redis,
        spool: Spool,
        breaker: Breaker,
        live: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._spool = spool
        self._breaker = breaker
        self._live = live
        self._clock = clock
        self._recount = Recount(client, spool, settings.WORKER_NAME)
        self._started_ms = time.time_ns() // 1_000_000
        self._told = float("-inf")

    def tell(self) -> None:
        """Not more often than there is need. A broker that does not hear it is asked again the next time."""
        if self._clock() - self._told >= heartbeat.EVERY_SECONDS:
            self._told = self._clock()
            self._tell(self.now())

    def stopped(self) -> None:
        self._tell(msgspec.structs.replace(self.now(), stopped=True))

    def _tell(self, beat: Heartbeat) -> None:
        with contextlib.suppress(IngestError, OSError):  # OSError: the heartbeat has said it already
            heartbeat.tell(self._client, beat)
            self._recount.tell()

    def now(self) -> Heartbeat:
        """A volume that cannot be read is told, and keeps the worker from nothing else."""
        try:
            return self._with_volume(self._beat())
        except OSError as error:
            return msgspec.structs.replace(self._beat(), volume=error.strerror or str(error))

    def _beat(self) -> Heartbeat:
        return Heartbeat(
            kind="worker",
            name=settings.WORKER_NAME,
            host=socket.gethostname(),
            version=webapp.__version__,
            started_ms=self._started_ms,
            hangs=not self._live(),
            database="" if self._breaker.closed else self._breaker.reason or "unknown",
            full=self._breaker.full,
            threads=settings.WORKER_THREADS,
        )

    def _with_volume(self, beat: Heartbeat) -> Heartbeat:
        files, size = self._spool.holds()
        disk = shutil.disk_usage(self._spool.directory)
        return msgspec.structs.replace(
            beat,
            spill_files=files,
            spill_bytes=size,
            spill_aside=len(self._spool.aside()),
            disk_free=disk.free,
            disk_total=disk.total,
        )
