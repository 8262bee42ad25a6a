"""A worker that is broken on purpose: `python -m tests.chaos.sabotage MODE`, in the place of the real one.

In every mode, honest too, the process ends itself a few times: once with a group claimed and not committed,
then with a group committed and the broker not told. An honest worker survives that without a difference; each
sabotage must turn the checker red, and for its own reason.

honest        nothing but those ends
no-ledger     what the ledger knows is stored all the same            -> stored twice
no-leases     no lease ends, no ticker hints                          -> not drained
early-finish  the broker is told before the commit                    -> lost
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ingest import buffer as buffers
from ingest.buffer import Claimed, Move, State
from webapp import celery as _  # noqa: F401  (names the settings, before anything reads them)
from webapp import roles
from webapp.logs import store
from workers import lifecycle, pump
from workers.database import Database

ENDS = ("before the commit", "after the commit", "after the commit")
LIVES = 2  # groups that are stored in a life before it may end
FOR_EVER_MS = 10**9

Settle = Callable[[Database, Sequence[Claimed]], Iterator[Sequence[Move]]]


class Ends:
    """How this life ends, if it does: each of `ENDS` happens once, whichever process it falls to."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.groups = directory, 0

    def at(self, place: str) -> None:
        if place == "before the commit":
            self.groups += 1
        number = len(list(self.directory.glob("end-*")))
        if self.groups > LIVES and number < len(ENDS) and ENDS[number] == place:
            (self.directory / f"end-{number}").touch()
            os._exit(9)


def ending(settle: Settle, ends: Ends, before: Callable[[Sequence[Claimed]], None]) -> Settle:
    def settled(database: Database, batches: Sequence[Claimed]) -> Iterator[Sequence[Move]]:
        before(batches)
        ends.at("before the commit")
        for moves in settle(database, batches):
            ends.at("after the commit")
            yield moves

    return settled


def tell_early(batches: Sequence[Claimed]) -> None:
    done = [Move(batch.batch, batch.acceptance, State.STORED) for batch in batches]
    lifecycle.worker().buffer.finish(done)


def know_nothing() -> None:
    """The rows of the ledger are written as ever, but whoever is in it already is taken for new."""
    honest = store.enter_ledger

    def entered(conn: store.psycopg.Connection, units: list[store.Unit]) -> store.Ledger:
        found = honest(conn, units)
        if len(found.fresh) == len(units):
            return found
        row = conn.execute("SELECT base + pg_current_xact_id()::text::bigint FROM log_origin").fetchone()
        assert row is not None
        placed, end = [], 0
        for unit in reversed(units):  # the ledger's own order: places must agree with what it wrote
            placed.append(store.Fresh(unit, end))
            end += len(unit.envelope.records)
        return store.Ledger(row[0], placed, found.kept)

    store.enter_ledger = entered


def keep_for_ever() -> None:
    honest = buffers.Buffer.__init__

    def begun(self: buffers.Buffer, *args: object, **named: object) -> None:
        honest(self, *args, **named)  # type: ignore[arg-type]
        self.lease_ms = FOR_EVER_MS

    buffers.Buffer.__init__ = begun  # type: ignore[method-assign]
    buffers.Buffer.free = lambda self, owner: 0  # type: ignore[method-assign]
    buffers.Buffer.want_hint = lambda self: False  # type: ignore[method-assign]


def main() -> None:
    mode, ends = sys.argv[1], Ends(Path(os.environ["SABOTAGE_DIR"]))
    before = tell_early if mode == "early-finish" else lambda batches: None
    pump.settle = ending(pump.settle, ends, before)
    {"no-ledger": know_nothing, "no-leases": keep_for_ever}.get(mode, lambda: None)()
    from celery.__main__ import main as celery

    sys.argv = ["celery", *roles.worker()[3:]]
    celery()


if __name__ == "__main__":
    main()
