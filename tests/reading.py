"""A database to read from, and lines to lay into it: what tests of everything that reads have in common."""

import uuid

import pytest
from django.conf import LazySettings

from ingest.record import LogRecord
from tests.rows import unit
from webapp.logs import store

DAY = 86_400_000_000  # microseconds


@pytest.fixture
def url(any_database_url: str, settings: LazySettings) -> str:
    """A fresh database, once on every kind of server; reads of this process go to it."""
    settings.DATABASE_URL = settings.DATABASE_READ_URL = any_database_url
    return any_database_url


@pytest.fixture
def plain_url(database_url: str, settings: LazySettings) -> str:
    """The same on plain PostgreSQL alone."""
    settings.DATABASE_URL = settings.DATABASE_READ_URL = database_url
    return database_url


def put(url: str, *records: LogRecord, source: int = 3) -> uuid.UUID:
    """One batch, in one transaction of its own."""
    batch = unit(*records, source=source)
    with store.connect(url) as conn:
        store.store(conn, [batch])
    return batch.batch
