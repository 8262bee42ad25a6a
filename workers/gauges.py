"""What alarms look at: the queue, the broker's memory, the volume of spill files. Told by every worker alike.

The figures of the queue are the broker's: take the greatest of all workers. While the broker does not answer
they are NaN, and `logboom_broker_up` is 0. What nobody has looked at yet is NaN too: beat carries these
gauges without ever setting them, and no alarm may take its silence for a zero.
"""

import shutil
import time
from collections.abc import Callable

from prometheus_client import Gauge

from ingest.buffer import Buffer
from ingest.errors import IngestError
from workers.spool import Spool

EVERY_SECONDS = 5.0

BROKER_UP = Gauge("logboom_broker_up", "1 while the broker answers this worker")
QUEUED_ROWS = Gauge("logboom_queue_rows", "Lines that wait in the broker")
QUEUED_BATCHES = Gauge(
    "logboom_queue_batches", "Batches that wait in the broker, those with workers included"
)
OLDEST = Gauge("logboom_queue_oldest_seconds", "For how long the oldest batch has waited in the broker")
SPILLED_ROWS = Gauge(
    "logboom_spilled_rows", "Lines that the broker knows to be in spill files, of all workers"
)
MEMORY = Gauge("logboom_broker_memory_share", "Used share of the broker's maxmemory")
ASIDE = Gauge("logboom_spill_aside_files", "Spill files of this worker that were set aside and need a person")
DISK_FREE = Gauge("logboom_spill_disk_free_bytes", "Free bytes of the volume of this worker's spill files")
DISK_TOTAL = Gauge("logboom_spill_disk_bytes", "Bytes of the volume of this worker's spill files")
OF_QUEUE = (QUEUED_ROWS, QUEUED_BATCHES, OLDEST, SPILLED_ROWS, MEMORY)
for gauge in (BROKER_UP, *OF_QUEUE, ASIDE, DISK_FREE, DISK_TOTAL):
    gauge.set(float("nan"))


class Gauges:
    def __init__(self, buffer: Buffer, spool: Spool, clock: Callable[[], float] = time.monotonic) -> None:
        self._buffer = buffer
        self._spool = spool
        self._clock = clock
        self._told = float("-inf")

    def tell(self) -> None:
        """Not more often than there is need."""
        if self._clock() - self._told < EVERY_SECONDS:
            return
        self._told = self._clock()
        self._queue()
        self._volume()

    def _queue(self) -> None:
        try:
            depth = self._buffer.depth()
        except IngestError:
            BROKER_UP.set(0)
            for gauge in OF_QUEUE:
                gauge.set(float("nan"))
            return
        BROKER_UP.set(1)
        QUEUED_ROWS.set(depth.queued_rows)
        QUEUED_BATCHES.set(depth.due + depth.leased)
        OLDEST.set(depth.oldest_ms / 1000)
        SPILLED_ROWS.set(depth.spilled_rows)
        MEMORY.set(depth.memory_share)

    def _volume(self) -> None:
        try:
            disk = shutil.disk_usage(self._spool.directory)
            ASIDE.set(len(self._spool.aside()))
        except OSError:  # the spool says so where it matters; here the last figures stand
            return
        DISK_FREE.set(disk.free)
        DISK_TOTAL.set(disk.total)
