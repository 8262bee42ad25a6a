"""Databases for tests: on every kind of server there is a template, migrated once, and each test gets a copy.

Servers start when first asked for, once a session (with xdist: once a worker). A kind that this machine
lacks is skipped and named at the end of the run; with CI=true it fails instead.
"""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from tests.servers import FAST
from webapp.local import servers, timescale
from webapp.logs import snapshot
from webapp.settings import database

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
KINDS = ("plain-18", "plain-15", "apache", "community")
LACKING = {
    "plain-15": "PostgreSQL 15 is not here (apt-get install postgresql-15)",
    "apache": "TimescaleDB is not here (make timescale)",
    "community": "TEST_COMMUNITY_DATABASE_URL names no server with TimescaleDB Community",
}


def lack(kind: str) -> None:
    """This machine cannot provide a kind of server: say so, and do not let CI pass without it."""
    if kind != "community" and os.environ.get("CI") == "true":
        pytest.fail(f"{LACKING[kind]}: in CI it must be.")
    pytest.skip(LACKING[kind])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    for kind, sentence in LACKING.items():
        if count := sum(sentence in why for why in skipped):
            terminalreporter.write_line(f"NOT TESTED on {kind} ({count} tests): {sentence}", red=True)


def on_server(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def run(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(statement)


def migrate(url: str) -> None:
    """The project's own migrations, in this process."""
    alias = f"migrating-{uuid.uuid4().hex[:8]}"
    connections.settings[alias] = {**connections.settings["default"], **database(url)}
    try:
        call_command("migrate", database=alias, verbosity=0)
        connections[alias].close()
    finally:
        del connections[alias], connections.settings[alias]


class Template:
    """A migrated database that is only ever copied."""

    def __init__(self, server: str, blocker: Any) -> None:
        self.server, self.name = server, f"template_{uuid.uuid4().hex[:8]}"
        run(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.name)))
        with blocker.unblock():
            migrate(on_server(server, self.name))
        # TimescaleDB's scheduler connects to every database that lets it, and nobody can copy one in use.
        name = sql.Identifier(self.name)
        run(server, sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(name))
        run(
            server,
            sql.SQL("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = {}").format(
                sql.Literal(self.name)
            ),
        )

    def copy(self) -> str:
        name = f"logboom_{uuid.uuid4().hex[:12]}"
        run(
            self.server,
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(self.name)
            ),
        )
        return on_server(self.server, name)

    def discard(self, url: str) -> None:
        snapshot.pool(url).close()  # with its threads, which would add up over a session
        name = sql.Identifier(urlsplit(url).path.lstrip("/"))
        run(self.server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


# ---- servers and their templates ----


@pytest.fixture(scope="session")
def template_plain_18(postgres_url: str, django_db_blocker: Any) -> Template:
    return Template(postgres_url, django_db_blocker)


@pytest.fixture(scope="session")
def template_plain_15(server_dir: Path, django_db_blocker: Any) -> Iterator[Template | None]:
    if not (DEBIAN_15 / "postgres").exists():
        yield None
        return
    launched = servers.postgres(
        server_dir / "postgres-15", servers.free_port(), bin_dir=DEBIAN_15, settings=FAST
    )
    with servers.running(launched) as server:
        yield Template(server.url, django_db_blocker)


@pytest.fixture(scope="session")
def template_apache(server_dir: Path, django_db_blocker: Any) -> Iterator[Template | None]:
    if not timescale.made():
        yield None
        return
    with servers.running(
        timescale.server(server_dir / "timescale", servers.free_port(), settings=FAST)
    ) as server:
        yield Template(server.url, django_db_blocker)


@pytest.fixture(scope="session")
def template_community(django_db_blocker: Any) -> Template | None:
    url = os.environ.get("TEST_COMMUNITY_DATABASE_URL")
    return Template(url, django_db_blocker) if url else None


# ---- what tests ask for ----


@pytest.fixture
def database_url(template_plain_18: Template) -> Iterator[str]:
    """A fresh, migrated database on plain PostgreSQL."""
    url = template_plain_18.copy()
    yield url
    template_plain_18.discard(url)


@pytest.fixture
def timescale_url(template_apache: Template | None) -> Iterator[str]:
    """The same on TimescaleDB, Apache edition."""
    if template_apache is None:
        lack("apache")
        return
    url = template_apache.copy()
    yield url
    template_apache.discard(url)


@pytest.fixture(params=KINDS)
def any_database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The same, once on every kind of server."""
    template = request.getfixturevalue(f"template_{request.param.replace('-', '_')}")
    if template is None:
        lack(request.param)
        return
    url = template.copy()
    yield url
    template.discard(url)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(template_plain_18: Template) -> None:
    """pytest-django's own database is a copy of the template too; our settings name it as well."""
    default = connections["default"].settings_dict
    default.update(database(on_server(template_plain_18.server, "logboom")))
    default["TEST"]["TEMPLATE"] = template_plain_18.name
    settings.DATABASE_URL = settings.DATABASE_READ_URL = on_server(template_plain_18.server, "test_logboom")


@pytest.fixture
def django_logs_url(transactional_db: None) -> Iterator[str]:
    """Django's test database with no line in it: for tests that post rows and then ask the API for them."""
    url = str(settings.DATABASE_URL)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "TRUNCATE log, log_batch, log_segment, log_segment_slot, quarantine, log_expired, log_erased,"
            " log_stretch, log_forgotten, log_imbalance"
        )
        conn.execute("UPDATE log_recount SET seg = 0, looked = NULL")
    yield url
    # A reader's idle connection would keep the session's end from dropping the database.
    snapshot.pool(url).close()
    snapshot.pool.cache_clear()
