"""Buffer, spill and store together, under any order of deeds and faults: nothing is lost, nothing is twice.

PIPELINE_EXAMPLES=500 is the size for a thorough look; then examples are new each time, and a failure prints
how to see it again. At the end, parts that break one promise each: the model must see it.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from ingest import buffer as verbs
from ingest.buffer import Move, State
from tests.pipeline import PipelineMachine, Setting
from tests.plant import Parts
from tests.recording import RecordedOs
from tests.trapped import Server
from webapp.logs import editions, ledger, store
from workers import pump, sift, spool
from workers.flusher import Flusher
from workers.pump import Group, Pump
from workers.spool import Files

pytestmark = pytest.mark.direct  # its workers take either way as it is

EXAMPLES = int(os.environ.get("PIPELINE_EXAMPLES", "0"))
CI_EXAMPLES = 250
STEPS = 50


@pytest.fixture
def setting(
    broker: redis.Redis,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Setting]:
    caplog.set_level(logging.CRITICAL, "workers")  # faults are all there is to tell
    seen = RecordedOs()
    monkeypatch.setattr(spool, "os", seen)
    monkeypatch.setattr(pump, "PACE_SECONDS", 0)
    monkeypatch.setattr(pump, "SPILL_AGE_MS", pump.SPILL_AGE_MS)  # the plant turns it: put back afterwards
    monkeypatch.setattr(pump, "AGAIN_MS", 3_600_000)
    monkeypatch.setattr(sift, "MOST", 2)
    monkeypatch.setattr(ledger, "SETTLE_SECONDS", -61)
    hurried = {
        "lock_timeout": "10ms",
        "idle_in_transaction_session_timeout": "0",
        "synchronous_commit": "off",
    }
    monkeypatch.setattr(store, "SESSION", {**store.SESSION, **hurried})
    before = broker.config_get("appendfsync")["appendfsync"]
    broker.config_set("appendfsync", "no")  # nobody cuts the broker's power here
    for script in (verbs.ACCEPT, verbs.CLAIM, verbs.RELEASE, verbs.FREE, verbs.FINISH, verbs.WANT_HINT):
        broker.script_load(script.text)
    broker.script_load(verbs.DEPTH.text)
    server = Server(database_url)
    with psycopg.connect(database_url, autocommit=True) as conn, TemporaryDirectory(dir=quick()) as directory:
        editions.ensure_ahead(conn)
        yield Setting(broker, server, conn, seen, Path(directory))
    server.stop()
    broker.config_set("appendfsync", before)


def quick() -> str | None:
    """Memory, where there is such a place: what a disk keeps is simulated."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def run(
    setting: Setting, examples: int, *, steps: int = STEPS, phases: tuple[Phase, ...] = tuple(Phase)
) -> None:
    machine = type("Machine", (PipelineMachine,), {"setting": setting})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=not EXAMPLES,
            print_blob=True,
            database=None,
            phases=phases,
        ),
    )


def test_whatever_fails_nothing_is_lost_and_nothing_is_twice(setting: Setting) -> None:
    run(setting, EXAMPLES or CI_EXAMPLES)


# ---- parts that break one promise each ----


class Forgetting(Files):
    """Writes and never syncs the bytes."""

    def write(self, path: Path, data: bytes) -> None:
        number = spool.os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        spool.os.write(number, memoryview(data))
        spool.os.close(number)


class Nameless(Files):
    """Never syncs a directory."""

    def sync_directory(self, path: Path) -> None:
        pass


class Hasty(Flusher):
    """Removes the file before its batches are committed."""

    def flush(self, path: Path) -> None:
        contents = self._spool.read(path)
        self._spool.remove(path)
        self._store(path, contents)


class Boasting(Pump):
    """Tells the broker that all is stored, and then stores it."""

    @contextmanager
    def _claim(self) -> Iterator[Group]:
        with super()._claim() as group:
            self.tell.finish([Move(one.batch, one.acceptance, State.STORED) for one in group.left.values()])
            yield group


def entering_forgetfully(conn: psycopg.Connection[Any], units: list[store.Unit]) -> store.Ledger:
    """The ledger has no conflict: what it knew of these batches is gone."""
    conn.execute("DELETE FROM log_batch WHERE batch = ANY(%s)", [[unit.batch for unit in units]])
    return enter_ledger(conn, units)


enter_ledger = store.enter_ledger


def must_be_seen(setting: Setting, words: str) -> None:
    """Within a few examples, and no time is spent on making the one that shows it small."""
    with pytest.raises(AssertionError, match=words):
        run(setting, 200, phases=(Phase.generate,))


def test_a_ledger_without_conflicts_is_seen(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "enter_ledger", entering_forgetfully)
    must_be_seen(setting, "stored twice")


def test_telling_before_the_commit_is_seen(setting: Setting) -> None:
    must_be_seen(replace(setting, parts=Parts(pump=Boasting)), "nobody has it")


def test_removing_a_spill_file_before_the_commit_is_seen(setting: Setting) -> None:
    must_be_seen(replace(setting, parts=Parts(flusher=Hasty)), "lost if the power goes now")


@pytest.mark.parametrize("files", [Forgetting, Nameless], ids=["its bytes", "its name"])
def test_a_spill_file_that_is_not_synced_is_seen(setting: Setting, files: type[Files]) -> None:
    must_be_seen(replace(setting, parts=Parts(files=files)), "lost if the power goes now")


@pytest.mark.parametrize("files", [Forgetting, Nameless], ids=["its bytes", "its name"])
def test_what_was_not_synced_is_lost_when_the_power_goes(setting: Setting, files: type[Files]) -> None:
    """The same, told from nothing but what is there in the end."""
    must_be_seen(replace(setting, parts=Parts(files=files), looks_at_disks=False), "is lost")
