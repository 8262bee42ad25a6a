"""What Celery runs: glue only. A message says "something is due" and no more: a lost one costs a second.

Each task returns what it did; Flower shows that. None raises for what can happen to a healthy installation:
Celery would acknowledge the message all the same, and print a stack nobody needs.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import redis
from django import db
from django.conf import settings

from ingest.errors import IngestError
from webapp.access import publish, used
from webapp.celery import app
from webapp.logs import balance, catalogue, editions, imbalance, retention
from webapp.logs.errors import StoreError
from workers import lifecycle
from workers.database import Connection

Report = dict[str, Any]
RETENTION_SECONDS = 60.0  # a detached day waits for its last readers
LOOK_SECONDS = 30.0  # half a million lines are counted


@app.task(name="logs.store_group")
def store_group() -> Report:
    return asdict(lifecycle.worker().step())


@app.task(name="logs.publish_directory")
def publish_directory() -> Report:
    return _over_django(lambda: {"published": publish.publish_if_missing()})


@app.task(name="logs.move_used")
def move_used() -> Report:
    return _over_django(lambda: {"moved": used.move()})


@app.task(name="logs.ensure_partitions")
def ensure_partitions() -> Report:
    return _in_database(lambda connection: {"made": editions.ensure_ahead(connection)})


@app.task(name="logs.retention")
def drop_expired() -> Report:
    return _in_database(lambda connection: {"dropped": retention.run(connection)}, seconds=RETENTION_SECONDS)


@app.task(name="logs.copy_minutes")
def copy_minutes() -> Report:
    buffer = lifecycle.worker().buffer
    return _in_database(lambda connection: {"copied": balance.copy_minutes(buffer, connection)})


@app.task(name="logs.ledger")
def look_for_imbalance() -> Report:
    buffer = lifecycle.worker().buffer
    return _in_database(lambda connection: asdict(imbalance.look(connection, buffer)), seconds=LOOK_SECONDS)


@app.task(name="logs.catalogue")
def fill_catalogue() -> Report:
    return _in_database(lambda connection: catalogue.run(connection)._asdict())


def _over_django(work: Callable[[], Report]) -> Report:
    """Over Django's own connection, cut off like ours: a hung database must not keep this thread."""
    if not lifecycle.worker().breaker.closed:
        return {"skipped": "the database is away"}
    try:
        with lifecycle.worker().watchdog.within(settings.DEADLINE_SECONDS) as leash:
            db.connection.ensure_connection()
            leash.hold(db.connection.connection.fileno())
            return work()
    except (db.Error, redis.RedisError, IngestError) as error:
        db.connection.close()
        return {"skipped": str(error)}


def _in_database(work: Callable[[Connection], Report], *, seconds: float | None = None) -> Report:
    worker = lifecycle.worker()
    if not worker.breaker.closed:
        return {"skipped": "the database is away"}
    try:
        return worker.database.call(work, seconds=seconds)
    except (StoreError, IngestError, redis.RedisError) as error:
        return {"skipped": str(error)}
