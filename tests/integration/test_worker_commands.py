"""`manage.py spill` and `manage.py queue`: what is told, and what is drained."""

from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.batches import offer
from tests.workbench import NOWHERE, Bench, bench

__all__ = ["bench"]


@pytest.fixture
def left_behind(bench: Bench, settings: Any, valkey_url: str) -> Bench:
    """A removed worker's directory with one file of two batches."""
    settings.BROKER_URL, settings.DATABASE_URL = valkey_url, bench.url
    settings.SPILL_DIR = bench.spool.directory.parent
    bench.connect_to(bench.url, spill_always=True)
    bench.accept(offer("a", "b"), offer("c"))
    bench.pump.step()
    bench.spool.close()
    return bench


def spill(bench: Bench, action: str) -> str:
    out = StringIO()
    call_command("spill", action, dir=bench.spool.directory.parent, stdout=out)
    return out.getvalue()


def test_list_tells_what_a_file_holds(left_behind: Bench) -> None:
    assert "2 batches, 3 rows" in spill(left_behind, "list")


def test_drain_stores_what_a_removed_worker_left(left_behind: Bench) -> None:
    assert ": done" in spill(left_behind, "drain")
    assert left_behind.stored() == Counter(a=1, b=1, c=1)
    assert left_behind.spool.waiting() == []


def test_drain_fails_and_keeps_the_file_while_the_database_is_away(left_behind: Bench, settings: Any) -> None:
    settings.DATABASE_URL = NOWHERE
    with pytest.raises(CommandError, match="connection"):
        spill(left_behind, "drain")
    assert len(left_behind.spool.waiting()) == 1


def test_drain_leaves_a_running_workers_directory_to_it(bench: Bench) -> None:
    assert "its worker is running" in spill(bench, "drain")


def test_verify_names_the_damaged_file(left_behind: Bench) -> None:
    assert spill(left_behind, "verify") == ""
    (path,) = left_behind.spool.waiting()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CommandError, match="1 damaged"):
        spill(left_behind, "verify")


def test_drain_saves_what_a_damaged_file_still_holds_and_asks_for_a_person(left_behind: Bench) -> None:
    (path,) = left_behind.spool.waiting()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CommandError, match="1 files set aside need a person"):
        spill(left_behind, "drain")
    assert left_behind.stored() == Counter(a=1, b=1, c=1)


def test_queue_tells_what_waits_by_source(bench: Bench, settings: Any, valkey_url: str) -> None:
    settings.BROKER_URL = valkey_url
    bench.accept(offer("a", "b"), offer("c", source=7))
    out = StringIO()
    call_command("queue", stdout=out)
    assert "due 2 batches, leased 0, together 3 rows" in out.getvalue()
    assert "source 7: queued 1 batches, 1 rows" in out.getvalue()


def test_a_missing_directory_is_simply_empty(tmp_path: Path) -> None:
    out = StringIO()
    call_command("spill", "list", dir=tmp_path / "nothing", stdout=out)
    assert out.getvalue() == ""
