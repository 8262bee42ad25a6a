"""What the ingest stage works with: made once a process from the settings, made by hand in tests."""

import functools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import redis
from django.conf import settings

from ingest import hint
from ingest.admission import Admission
from ingest.broker import check_durable, check_rewritten, connect
from ingest.buffer import Buffer
from ingest.directory import DirectoryReader
from ingest.errors import BrokerGone, BrokerWeak, WeakBroker
from ingest.limits import Limits
from ingest.room import Room
from ingest.usage import Usage

logger = logging.getLogger(__name__)


LOOK_SECONDS = 2.0  # what was seen of the broker's settings is believed no longer
Answer = TypeVar("Answer")


class Connections:
    """Counts the connections that a client opens: a broker that was restarted is met on a new one."""

    def __init__(self) -> None:
        self.opened = 0
        self._lock = threading.Lock()

    def __call__(self, connection: redis.Connection) -> None:
        with self._lock:
            self.opened += 1  # before the greeting: whoever uses the connection comes after it
        connection.on_connect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Look:
    """The broker was seen to be durable."""

    connections: int  # opened before it was asked
    at: float


class Durability:
    """Insists that the broker keeps what it acknowledges; thread-safe without a lock.

    A restart with weaker settings is never acknowledged by: it ends every connection, and an answer that came
    over one opened since the last look is held back until the settings have been looked at again. What an
    operator changes in a running broker (CONFIG SET) ends no connection; it is seen within LOOK_SECONDS, and
    what is acknowledged in between is as weak as he made it. Asking with each batch would close that gap at
    the price of a second command for each; who may CONFIG SET may also FLUSHALL.

    Threads that find the last look too old all look: one that looked for all would, with a broker that hangs,
    make them wait one timeout after the other.
    """

    def __init__(
        self, client: redis.Redis, connections: Connections, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._connections = connections
        self._clock = clock
        self._last: Look | None = None
        self._weakness = ""

    def check(self) -> None:
        """Raises WeakBroker. Two comparisons, as long as the last look is good."""
        last, opened = self._last, self._connections.opened
        if last and last.connections == opened and self._clock() - last.at < LOOK_SECONDS:
            return
        look = Look(opened, self._clock())
        try:
            check_durable(self._client)
            if self._weakness:
                check_rewritten(self._client)
        except WeakBroker as error:
            self._last = None
            self._complain(str(error))
            raise
        self._complain("")
        self._last = look

    def _complain(self, weakness: str) -> None:
        """Once a change, not once a request."""
        if weakness != self._weakness:
            logger.error("%s", weakness or "The broker keeps what it acknowledges again.")
            self._weakness = weakness

    def vouch(self, accept: Callable[[], Answer]) -> Answer:
        """What `accept` gives, if the broker was durable before and still is on whatever connection it took.

        What a weak broker took in stays there; the sender hears 503 and repeats, as after any lost answer.
        """
        try:
            self.check()
            answer = accept()
            self.check()
        except WeakBroker as error:
            raise BrokerWeak(str(error), retry_after=5) from error
        return answer


@dataclass(frozen=True)
class Stage:
    buffer: Buffer
    durability: Durability
    directory: DirectoryReader
    admission: Admission
    limits: Limits
    room: Room
    hint: Callable[[], object]
    usage: Usage
    clock_ns: Callable[[], int] = time.time_ns
    alone: threading.Lock = field(default_factory=threading.Lock)  # held by one heavy body at a time


@functools.cache
def of_settings() -> Stage:
    return make(settings.BROKER_URL)


def make(broker_url: str) -> Stage:
    connections = Connections()
    client = connect(broker_url, connected=connections)
    buffer = Buffer(client)
    admission = Admission(buffer)
    return Stage(
        buffer,
        Durability(client, connections),
        DirectoryReader(client, talking=admission.talking),
        admission,
        limits(),
        Room(settings.BODIES_BYTES),
        functools.partial(hint.send, broker_url),
        Usage(client),
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
