"""One psycopg connection a thread, and every call over it bounded: 8 s in all, connecting included.

After any error the connection is thrown away: nothing that failed half-way is ever used again. What comes out
is the store's own error tree; a call that was cut off is an Outage, its outcome unknown until the ledger is
asked.
"""

import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGenConn

from webapp.logs import store
from webapp.logs.errors import Outage, StoreError, classify
from workers.deadline import Leash, Watchdog

Answer = TypeVar("Answer")
Connection = psycopg.Connection


class Database:
    def __init__(
        self,
        url: str,
        *,
        seconds: float,
        watchdog: Watchdog | None = None,
        connect: Callable[[str], Connection] | None = None,
    ) -> None:
        self.seconds = seconds
        self._url = url
        self._connect = connect  # None: a writer's session, on the leash while it is being made
        self._watchdog = watchdog or Watchdog()
        self._mine = threading.local()

    def call(self, work: Callable[[Connection], Answer], *, seconds: float | None = None) -> Answer:
        with self._watchdog.within(seconds or self.seconds) as leash:
            try:
                answer = work(self._connection(leash))
            except (psycopg.Error, StoreError) as error:
                self.close()
                if leash.expired:
                    raise Outage(f"cut off after {seconds or self.seconds:g} s") from error
                if isinstance(error, psycopg.Error):
                    raise classify(error) from error
                raise
            if leash.expired:  # answered in the last instant, its socket is shut all the same
                self.close()
            return answer

    def probe(self) -> None:
        """Raises unless the database answers, is ours, and commits a one-row write, synced like a batch."""
        self.close()
        self.call(_write_one_row)

    def close(self) -> None:
        """This thread's connection."""
        connection = getattr(self._mine, "connection", None)
        self._mine.connection = None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()

    def _connection(self, leash: Leash) -> Connection:
        connection: Connection | None = getattr(self._mine, "connection", None)
        if connection is None or connection.closed:
            connection = self._new(leash)
            self._mine.connection = connection
            leash.hold(connection.fileno())
            store.check_origin(connection)
        else:
            leash.hold(connection.fileno())
        return connection

    def _new(self, leash: Leash) -> Connection:
        return self._connect(self._url) if self._connect else store.connect(self._url, leashed(leash))


def leashed(leash: Leash) -> type[Connection]:
    """Connections whose socket is on the leash from the first packet on.

    psycopg's connect_timeout is for each address that a host has; this is for all of them together. The
    socket that is being connected is known only to psycopg's own waiting, which this listens to.
    """

    class Leashed(psycopg.Connection[Any]):
        @classmethod
        def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Any]:
            connecting = super()._connect_gen(conninfo)
            try:
                waited = next(connecting)
                while True:
                    leash.hold(waited[0])  # each time: another address's socket may have the same number
                    waited = connecting.send((yield waited))
            except StopIteration as end:
                return end.value

    return Leashed


def _write_one_row(connection: Connection) -> None:
    connection.execute("SELECT 1")
    connection.execute("UPDATE log_origin SET base = base")
