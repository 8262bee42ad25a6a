"""A worker that ends at any transition: the next of its name stores everything once, and the books agree."""

import os
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
import redis

from ingest.buffer import State
from tests.batches import offer
from tests.crashing import FLUSHING, SPILLING, STORING
from tests.workbench import OWNER, Bench

POINTS = [
    *(("storing", point) for point in STORING),
    *(("spilling", point) for point in SPILLING),
    *(("flushing", point) for point in FLUSHING),
]


@pytest.mark.parametrize(("path", "point"), POINTS, ids=[" ".join(pair) for pair in POINTS])
def test_killed_there_everything_is_stored_once(
    broker: redis.Redis, valkey_url: str, database_url: str, tmp_path: Path, path: str, point: str
) -> None:
    with closing(Bench(broker, database_url, tmp_path / "other")) as client:
        offers = [offer("a", "b"), offer("c")]
        client.accept(*offers)
    environment = {
        "BROKER_URL": valkey_url,
        "DATABASE_URL": database_url,
        "SPILL_DIR": str(tmp_path / "spill"),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "tests.crashing", path, point], env={**os.environ, **environment}, timeout=60
    )
    assert ended.returncode == 9, "it did not come to the point"
    with closing(Bench(broker, database_url, tmp_path / "spill")) as heir:
        heir.buffer.free(OWNER)
        while heir.flusher.step() or heir.pump.step().batches:
            pass
        assert heir.stored() == Counter(a=1, b=1, c=1)
        assert [heir.state(one) for one in offers] == [State.STORED] * 2
        assert heir.spool.waiting() == []
        depth = heir.buffer.depth()
        assert (depth.due, depth.leased, depth.spilled) == (0, 0, 0)
