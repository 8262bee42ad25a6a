"""Everything that may go wrong at one operation of a worker: of its files, its database or its broker.

A worker in a test has one Trap. Each operation passes through it and is counted; at the first one from number
`at` on that can go wrong in the armed way, it does. A crash is final: whatever the dead process would still
do on its way out (its `finally` blocks run here, which they would not) is answered by another Crash.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

import psycopg
import redis

from tests.faults import Crash
from webapp.logs import store
from webapp.logs.errors import Outage

Answer = TypeVar("Answer")


class Fault(Enum):
    NONE = "nothing"
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    FAIL_BEFORE = "fail, not done"
    FAIL_AFTER = "fail, but done"  # the answer is lost; of a write: half of it is done
    SHORT = "write only a part"
    LIMBO = "hang at COMMIT, to be decided later"
    OVERTAKEN = "the lease runs out and another worker does the same"


@dataclass(frozen=True)
class Trouble:
    """One fault to come: at the first operation, from the `at`-th of its kind on, that it suits."""

    fault: Fault = Fault.NONE
    at: int = 1
    of: str = ""  # file, broker, connect, statement or commit; "" counts them all


NOTHING = Trouble()
ANYWHERE = {Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.FAIL_BEFORE, Fault.FAIL_AFTER, Fault.OVERTAKEN}
PART_OF = {"write": "file"}
SUITS = {"write": ANYWHERE | {Fault.SHORT}, "commit": ANYWHERE | {Fault.LIMBO}}


class Trap:
    def __init__(self) -> None:
        self.dead = False
        self.meanwhile: Callable[[], None] = lambda: None
        self.disarm()

    def arm(self, trouble: Trouble) -> None:
        self.trouble, self.passed = trouble, 0

    def disarm(self) -> None:
        self.arm(NOTHING)

    def turn(self, kind: str) -> Fault:
        """What happens at this operation; once armed, once sprung."""
        if self.dead:
            raise Crash
        fault, counts = self.trouble.fault, self.trouble.of in ("", kind, PART_OF.get(kind))
        self.passed += counts
        if not counts or self.passed < self.trouble.at or fault not in SUITS.get(kind, ANYWHERE):
            return Fault.NONE
        self.disarm()
        if fault is Fault.OVERTAKEN:
            self.meanwhile()
            return Fault.NONE
        if fault is Fault.CRASH_BEFORE:
            self.die()
        return fault

    def die(self) -> None:
        self.dead = True
        raise Crash

    def through(self, kind: str, work: Callable[[], Answer], lost: Callable[[], Exception]) -> Answer:
        """The operation, or what becomes of it; `lost` is how its failure looks."""
        fault = self.turn(kind)
        if fault is Fault.FAIL_BEFORE:
            raise lost()
        answer = work()
        if fault is Fault.CRASH_AFTER:
            self.die()
        if fault is Fault.FAIL_AFTER:
            raise lost()
        return answer


class Line:
    """A worker's client of the broker."""

    def __init__(self, client: redis.Redis, trap: Trap, *, away: Callable[[], bool]) -> None:
        self._client, self._trap, self._away = client, trap, away

    def __getattr__(self, name: str) -> Any:
        command = getattr(self._client, name)

        def asked(*args: Any, **options: Any) -> Any:
            if self._away() and not self._trap.dead:
                raise gone()
            return self._trap.through("broker", lambda: command(*args, **options), gone)

        return asked


def gone() -> redis.exceptions.ConnectionError:
    return redis.exceptions.ConnectionError("connection lost")


class Server:
    """The database as workers see it: it may be away, and transactions may hang in it, undecided.

    Connections are kept and given out again, since opening one costs more than all that is done over it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.away = 0  # for so many turns
        self.limbo: list[psycopg.Connection[Any]] = []
        self._idle: list[psycopg.Connection[Any]] = []

    def connect(self, trap: Trap) -> "Session":
        """As `store.connect`."""
        trap.through("connect", lambda: None, lambda: Outage("connection refused"))
        if self.away:
            raise Outage("connection refused")
        return Session(self, self._idle.pop() if self._idle else store.connect(self.url), trap)

    def let_go(self, real: psycopg.Connection[Any]) -> None:
        """Its client is gone: what was not committed is rolled back."""
        with suppress(psycopg.Error):
            real.rollback()
        if real.closed or real.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            real.close()
        else:
            self._idle.append(real)

    def decide(self, *, commit: bool) -> None:
        """The oldest transaction that hangs ends."""
        if self.limbo:
            real = self.limbo.pop(0)
            real.execute("COMMIT" if commit else "ROLLBACK")
            self.let_go(real)

    def stop(self) -> None:
        for real in self._idle + self.limbo:
            real.close()


class Session:
    """A worker's connection to the database: the part of psycopg's that the store uses."""

    def __init__(self, server: Server, real: psycopg.Connection[Any], trap: Trap) -> None:
        self._server, self._real, self._trap = server, real, trap
        self._piping: tuple[str, ...] | None = None  # in a pipeline: what of it is not sent
        self.closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)  # info, fileno

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def execute(self, statement: Any, values: Any = None) -> Any:
        if self._piping is not None:
            return None if statement in self._piping else self._real.execute(statement, values)
        kind = "commit" if statement == "COMMIT" else "statement"
        return self._through(lambda: self._real.execute(statement, values), kind)

    def cursor(self) -> Any:
        return self._through(self._real.cursor)

    def transaction(self, **options: Any) -> Any:
        return self._through(lambda: self._real.transaction(**options))

    @contextmanager
    def pipeline(self) -> Iterator[None]:
        """What lies between BEGIN and here, and COMMIT, in one piece: outcome unknown if it is cut off."""
        fault = self._turn("commit")
        self._piping = ("COMMIT",) if fault is Fault.LIMBO else ()
        try:
            with self._real.pipeline():
                yield
        finally:
            self._piping = None
        self._sprung(fault)

    def rollback(self) -> None:
        if self._trap.dead:
            self.close()
            raise Crash
        self._real.rollback()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._server.let_go(self._real)

    def _through(self, work: Callable[[], Any], kind: str = "statement") -> Any:
        fault = self._turn(kind)
        answer = None if fault is Fault.LIMBO else work()
        self._sprung(fault)
        return answer

    def _turn(self, kind: str) -> Fault:
        try:
            fault = self._trap.turn(kind)
        except Crash:
            self.close()
            raise
        if self._server.away or self.closed or fault is Fault.FAIL_BEFORE:
            raise self._lost()
        return fault

    def _sprung(self, fault: Fault) -> None:
        if fault is Fault.LIMBO:
            self.closed = True
            self._server.limbo.append(self._real)
            raise psycopg.OperationalError("cut off")
        if fault is Fault.FAIL_AFTER:
            raise self._lost()
        if fault is Fault.CRASH_AFTER:
            self.close()
            self._trap.die()

    def _lost(self) -> psycopg.OperationalError:
        self.close()
        return psycopg.OperationalError("server closed the connection unexpectedly")
