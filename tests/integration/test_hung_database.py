"""A database that hangs, or is behind a line that swallows, in each phase of a step.

The step ends at its deadline, whatever phase it is in; what became of its transaction is unknown and settled
by the ledger afterwards; and SIGTERM meanwhile ends the step no later.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from ingest.buffer import State
from tests.batches import offer
from tests.brokers import let_leases_run_out
from tests.crashing import send_only
from tests.faults import Proxy, frozen, proxied
from tests.integration.test_worker_process import Site, ended, site
from tests.workbench import Bench
from webapp.logs import store
from webapp.logs.errors import Outage
from workers.breaker import Breaker
from workers.database import Database
from workers.pump import Step

__all__ = ["site"]

SECONDS = 0.5  # the deadline here
PATIENCE = 20.0  # far more than the deadline: a machine may be slow


@dataclass(frozen=True)
class Line:
    """The bench's way to the database, and a way to spoil it."""

    bench: Bench
    spoil: Callable[[], AbstractContextManager[None]]


@pytest.fixture(params=["frozen", "swallowed"])
def line(
    request: pytest.FixtureRequest, broker: redis.Redis, database_url: str, tmp_path: Path
) -> Iterator[Line]:
    parts = urlsplit(database_url)
    assert parts.port is not None
    with proxied(parts.port) as proxy, closing(Bench(broker, database_url, tmp_path / "spill")) as bench:
        bench.breaker = Breaker(dice=lambda: -1.0)  # pauses as short as they get
        bench.connect_to(database_url.replace(f":{parts.port}/", f":{proxy.port}/"), seconds=SECONDS)
        kinds = {
            "frozen": lambda: frozen(postmaster(database_url)),
            "swallowed": lambda: swallowing(proxy),
        }
        yield Line(bench, kinds[request.param])


@contextmanager
def swallowing(proxy: Proxy) -> Iterator[None]:
    proxy.swallow()
    yield
    proxy.mend()


def postmaster(url: str) -> int:
    with psycopg.connect(url) as conn:
        stat = Path(f"/proc/{conn.info.backend_pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


# ---- the phases: where in a step the database falls silent ----


class Silence(ExitStack):
    """Falls when it is called, the first time; ends with the block."""

    def __init__(self, spoil: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__()
        self._spoil = spoil
        self.fallen = threading.Event()

    def __call__(self) -> None:
        if not self.fallen.is_set():
            self.enter_context(self._spoil())
            self.fallen.set()


def before(home: Any, name: str, silence: Silence, patch: pytest.MonkeyPatch) -> None:
    work = getattr(home, name)

    def silenced(*args: Any, **kwargs: Any) -> Any:
        silence()
        return work(*args, **kwargs)

    patch.setattr(home, name, silenced)


def while_connecting(bench: Bench, silence: Silence, patch: pytest.MonkeyPatch) -> None:
    before(store, "connect", silence, patch)


def greeting(bench: Bench, silence: Silence, patch: pytest.MonkeyPatch) -> None:
    before(store, "check_origin", silence, patch)


def at_the_ledger(bench: Bench, silence: Silence, patch: pytest.MonkeyPatch) -> None:
    before(store, "enter_ledger", silence, patch)


def in_the_transaction(bench: Bench, silence: Silence, patch: pytest.MonkeyPatch) -> None:
    before(store, "copy_units", silence, patch)


def at_commit(bench: Bench, silence: Silence, patch: pytest.MonkeyPatch) -> None:
    before(store, "close_segment", silence, patch)


def after_commit_was_sent(bench: Bench, silence: Silence, patch: pytest.MonkeyPatch) -> None:
    """The server has it, may do it, and its answer is never heard."""
    execute = psycopg.Connection.execute

    def unheard(connection: psycopg.Connection, query: Any, *args: Any) -> Any:
        if query != "COMMIT" or silence.fallen.is_set():
            return execute(connection, query, *args)
        send_only(execute, connection, query)
        silence()
        return None

    patch.setattr(psycopg.Connection, "execute", unheard)


PHASES = [
    while_connecting,
    greeting,
    at_the_ledger,
    in_the_transaction,
    at_commit,
    after_commit_was_sent,
]
by_phase = pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.__name__.replace("_", " "))


@by_phase
def test_the_step_ends_at_the_deadline_and_the_ledger_settles_the_rest(
    line: Line, monkeypatch: pytest.MonkeyPatch, phase: Callable[..., None]
) -> None:
    bench = line.bench
    one = offer("a", "b")
    bench.accept(one)
    with Silence(line.spoil) as silence:
        phase(bench, silence, monkeypatch)
        assert finished(bench.pump.step) == Step("returned", batches=1)
        assert silence.fallen.is_set(), "it did not come to the phase"
        assert bench.breaker.reason == f"cut off after {SECONDS:g} s"
        assert (bench.state(one), bench.buffer.depth().leased) == (State.QUEUED, 1)  # due again in a moment
        monkeypatch.undo()
    bench.connect_to(bench.url)
    bench.wait_for_probe()
    let_leases_run_out(bench.buffer.client)
    while bench.state(one) is not State.STORED:
        bench.pump.step()
    assert bench.stored() == Counter(a=1, b=1)
    known = bench.buffer.known(one.batch)
    assert known is not None
    assert known.deaths == 0


@pytest.mark.parametrize("phase", [while_connecting, in_the_transaction, after_commit_was_sent])
def test_sigterm_meanwhile_ends_it_no_later_and_hands_back_at_once(
    line: Line, monkeypatch: pytest.MonkeyPatch, phase: Callable[..., None]
) -> None:
    bench = line.bench
    bench.accept(offer("a", "b"))
    with Silence(line.spoil) as silence:
        phase(bench, silence, monkeypatch)
        stop = threading.Thread(target=lambda: (silence.fallen.wait(), bench.pump.stopping.set()))
        stop.start()
        assert finished(bench.pump.step) == Step("returned", batches=1)
        stop.join()
        assert (bench.buffer.depth().due, bench.buffer.depth().leased) == (1, 0)
        assert bench.pump.step() == Step("stopping")
        monkeypatch.undo()
    bench.connect_to(bench.url)
    bench.wait_for_probe()
    bench.pump.step()
    assert bench.stored() == Counter(a=1, b=1)


@by_phase
def test_a_flush_ends_at_the_deadline_and_the_file_stays_until_it_is_stored(
    line: Line, monkeypatch: pytest.MonkeyPatch, phase: Callable[..., None]
) -> None:
    bench = line.bench
    one = offer("a", "b")
    bench.accept(one)
    bench.connect_to(bench.database._url, seconds=SECONDS, spill_always=True)
    assert bench.pump.step() == Step("spilled", batches=1, rows=2)
    with Silence(line.spoil) as silence:
        phase(bench, silence, monkeypatch)
        assert finished(bench.flusher.step)
        assert silence.fallen.is_set(), "it did not come to the phase"
        assert (len(bench.spool.waiting()), bench.state(one)) == (1, State.SPILLED)
        monkeypatch.undo()
    bench.connect_to(bench.url)
    bench.wait_for_probe()
    while bench.flusher.step():
        pass
    assert bench.stored() == Counter(a=1, b=1)
    assert (bench.spool.waiting(), bench.state(one)) == ([], State.STORED)


def test_sigterm_ends_a_real_worker_whose_connecting_nobody_answers(site: Site) -> None:
    port = urlsplit(site.database_url).port
    assert port is not None
    with proxied(port) as proxy:
        proxy.swallow()
        url = site.database_url.replace(f":{port}/", f":{proxy.port}/")
        with site.worker(DATABASE_URL=url) as worker:
            site.until_ready()
            site.accept(offer("a"))
            site.until(lambda: site.buffer.depth().leased == 1, "claimed")
            assert ended(worker) == 0
    assert (site.buffer.depth().due, site.buffer.depth().leased) == (1, 0)
    with site.worker():
        site.until_stored(1)
    assert site.stored() == Counter(a=1)


def test_however_many_addresses_a_name_has_connecting_ends_at_the_deadline(database_url: str) -> None:
    """Each by itself would be given five seconds."""
    port = urlsplit(database_url).port
    assert port is not None
    with proxied(port) as proxy:
        proxy.swallow()
        many = ",".join([f"127.0.0.1:{proxy.port}"] * 8)
        database = Database(database_url.replace(f"127.0.0.1:{port}", many), seconds=SECONDS)
        with pytest.raises(Outage, match="cut off"):
            finished(lambda: database.call(lambda connection: None))


def finished(step: Callable[[], Any]) -> Any:
    """What the step answers; it hangs if it takes a multiple of the deadline."""
    with ThreadPoolExecutor(1) as pool:
        step_at_work = pool.submit(step)
        try:
            return step_at_work.result(PATIENCE)
        except TimeoutError:
            pytest.fail("it outlives its deadline")
