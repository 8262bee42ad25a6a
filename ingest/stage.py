"""What the ingest stage works with: made once a process from the settings, made by hand in tests."""

import functools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import redis
from django.conf import settings

from ingest import hint
from ingest.admission import Admission
from ingest.buffer import Buffer, check_durable, connect
from ingest.directory import DirectoryReader
from ingest.errors import BrokerGone, Transient, WeakBroker
from ingest.limits import Limits

logger = logging.getLogger(__name__)


class Durability:
    """Asks once whether the broker keeps what it acknowledges; a weak one is never given a line."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._known = False

    def check(self) -> None:
        if not self._known:
            check_durable(self._client)
            self._known = True

    def insist(self) -> None:
        """In a request: the broker was away when the process started, so it is asked now."""
        try:
            self.check()
        except WeakBroker as error:
            logger.error("%s", error)
            raise Transient(str(error), retry_after=60) from error


@dataclass(frozen=True)
class Stage:
    buffer: Buffer
    durability: Durability
    directory: DirectoryReader
    admission: Admission
    limits: Limits
    hint: Callable[[], object]
    clock_ns: Callable[[], int] = time.time_ns
    alone: threading.Lock = field(default_factory=threading.Lock)  # held by one heavy body at a time


@functools.cache
def of_settings() -> Stage:
    return make(settings.BROKER_URL)


def make(broker_url: str) -> Stage:
    client = connect(broker_url)
    buffer = Buffer(client)
    return Stage(
        buffer,
        Durability(client),
        DirectoryReader(client),
        Admission(buffer),
        limits(),
        functools.partial(hint.send, broker_url),
    )


def limits() -> Limits:
    return Limits(
        wire_bytes=settings.MAX_WIRE_BYTES,
        inflated_bytes=settings.MAX_INFLATED_BYTES,
        lines=settings.MAX_LINES,
        line_bytes=settings.MAX_LINE_BYTES,
        fields=settings.MAX_FIELDS,
        depth=settings.MAX_DEPTH,
        batch_days=settings.MAX_BATCH_DAYS,
        future_seconds=settings.FUTURE_SECONDS,
    )


def refuse_weak_broker() -> None:
    """At start: raises WeakBroker. One that is away is asked again with the first request."""
    try:
        of_settings().durability.check()
    except BrokerGone as error:
        logger.warning("the broker is not there yet: %s", error)
