"""A cluster to test on, where this machine lets us make one."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import database
from tests.rig import network
from tests.rig.cluster import Cluster


@contextmanager
def standing(*more: Any) -> Iterator[Cluster]:
    """An empty one. Not below /tmp: that may be a small file system in memory, or closed to other users."""
    if not network.able():
        database.lack("rig")
    where = Path(tempfile.mkdtemp(prefix="logboom-rig-", dir="/var/tmp"))
    where.chmod(0o755)
    made = Cluster(where, *more)
    try:
        made.up()
        yield made
    finally:
        made.down()
        shutil.rmtree(where, ignore_errors=True)
