"""Real workers and their spill volumes: one that is really full, one left behind, one that cannot be used."""

import fcntl
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.batches import offer
from tests.crashing import GONE, Place, Point, live
from tests.faults import frozen
from tests.integration.test_worker_process import Site, ended, site
from tests.workbench import NOWHERE, OWNER

__all__ = ["site"]

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
SPILLED = Point.named("after finish")
# A tmpfs in a mount namespace of the worker's own, gone with it; the user namespace lets anybody mount one.
MOUNT = """
mount -t tmpfs -o size=1m tmpfs "$SPILL_DIR" && head -c 900k /dev/zero > "$SPILL_DIR/ballast" && exec "$@"
"""
SMALL_VOLUME = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNT, "sh")


def test_a_volume_that_is_really_full_leaves_all_to_the_broker_until_there_is_room(site: Site) -> None:
    site.spill.mkdir()
    large = f'{{"noise": "{secrets.token_hex(200_000)}"}}'.encode()
    site.accept(offer("a", attributes=large), offer("b", attributes=large))
    with site.worker(*SMALL_VOLUME, SPILL_ALWAYS="1") as process:
        site.until(lambda: metric(site, 'logboom_spill_failures_total{error="ENOSPC"}') > 1, "refused")
        assert site.buffer.depth().by_source[1].queued_batches == 2
        assert metric(site, "logboom_breaker_state") == 0
        assert "cannot spill, the batches stay in the broker" in site.log.read_text()
        assert "No space left on device" in site.log.read_text()
        Path(f"/proc/{process.pid}/root{site.spill}/ballast").unlink()
        site.until_stored(2)
        site.until_empty()
        assert metric(site, "logboom_spill_batches_total") == 2
        assert ended(process) == 0
    assert site.stored() == Counter(a=1, b=1)


def metric(site: Site, name: str) -> float:
    lines = [line for line in site.get("/metrics")[1].splitlines() if line.startswith(name + " ")]
    return float(lines[0].split()[-1]) if lines else 0.0


# ---- a directory whose worker is gone ----


@pytest.fixture
def orphaned(site: Site) -> Counter[str]:
    """Lives of one worker, each killed when it had spilled what there was; the lines in the four files."""
    place = Place(site.broker_url, site.database_url, site.spill / OWNER)
    lines = [f"{n}" for n in range(8)]
    for one, other in zip(lines[::2], lines[1::2], strict=True):
        site.accept(offer(one, other))
        assert live(place, "spilling", SPILLED) == GONE
    assert len(list(site.spill.glob("worker-0/*.spill"))) == site.buffer.depth().spilled == 4
    return Counter(lines)


@contextmanager
def draining(site: Site) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(MANAGE), "spill", "drain"]
    environment = {**site.environment, "ROLE": "manage"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def owned(site: Site) -> bool:
    with (site.spill / "worker-0" / ".lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def check_drained(site: Site, lines: Counter[str]) -> None:
    assert site.stored() == lines
    assert site.buffer.depth().spilled == 0
    assert list(site.spill.glob("worker-0/*.spill*")) == []


def test_while_another_process_drains_it_the_restarted_worker_is_turned_away(
    site: Site, orphaned: Counter[str]
) -> None:
    with psycopg.connect(site.database_url) as conn, draining(site) as drain:
        conn.execute("LOCK TABLE log_batch IN EXCLUSIVE MODE")
        site.until(lambda: owned(site), "owned by the drain")
        with frozen(drain.pid):
            conn.rollback()
            with site.worker(HEALTH_PORT="0") as worker:
                assert worker.wait(30) == 1
        assert "give each worker its own WORKER_NAME" in site.log.read_text()
        drain.wait(30)
    with site.worker() as worker:  # as its supervisor does; the drain may have left it some
        site.until_ready()
        site.until(lambda: site.buffer.depth().spilled == 0, "drained")
        assert ended(worker) == 0
    check_drained(site, orphaned)


def test_while_its_worker_runs_nobody_else_drains_it(site: Site, orphaned: Counter[str]) -> None:
    with site.worker(DATABASE_URL=NOWHERE):
        site.until_ready()
        with draining(site) as drain:
            said, _ = drain.communicate(timeout=30)
        assert drain.returncode == 0
        assert "running" in said
        assert site.buffer.depth().spilled == 4
    with draining(site) as drain:
        assert drain.wait(30) == 0
    check_drained(site, orphaned)


def test_a_race_for_it_has_one_winner_and_every_line_is_stored_once(
    site: Site, orphaned: Counter[str]
) -> None:
    with draining(site) as one, draining(site) as other, site.worker() as worker:
        codes = [one.wait(30), other.wait(30)]
        site.until(lambda: site.buffer.depth().spilled == 0, "drained")
        site.until(lambda: worker.poll() is not None or site.get("/readyz")[0] == 200, "settled")
        assert worker.poll() in (None, 1)
    assert codes == [0, 0]
    check_drained(site, orphaned)


def test_a_directory_that_cannot_be_used_ends_the_start_with_its_name(site: Site) -> None:
    site.spill.write_text("a file")
    with site.worker() as process:
        assert process.wait(30) == 1
    assert f"the worker does not start: SPILL_DIR={site.spill}: Not a directory." in site.log.read_text()
