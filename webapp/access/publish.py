"""The directory of tokens and sources, from the database to the broker, where ingest reads it.

Published when a change has committed, and compared every five seconds by beat's task: that mends a broker
that was away at the moment of the change, one that came back empty, and a token whose time ran out.
Publishers take turns under an advisory lock and read the tables only once they hold it; otherwise the slower
of two could lay an older directory over a newer one.
"""

import contextlib
import logging
from collections.abc import Iterator

import redis
from django.conf import settings
from django.db import connection, transaction

from ingest import buffer, directory
from ingest.errors import IngestError, NoDirectory
from webapp.access.models import Source, Token

LOCK = 0x4C_42_44_49  # "LBDI": any number that nothing else in this database locks
SECONDS = 2.0  # a change in the admin waits no longer for the broker; beat tries again

log = logging.getLogger(__name__)


def build() -> directory.Directory:
    """What the tables say now. Disabled and expired tokens stay in it: ingest then says so."""
    return directory.Directory(
        version=0,
        tokens={token.digest: entry(token) for token in Token.objects.all()},
        sources={
            source.pk: directory.SourceEntry(
                name=source.name,
                weight=source.weight,
                retention_days=source.retention_days,
                identical_is_retry=source.identical_is_retry,
            )
            for source in Source.objects.all()
        },
    )


def entry(token: Token) -> directory.TokenEntry:
    return directory.TokenEntry(
        source=token.source_id or 0, scope=token.scope, name=token.name, disabled=not token.active
    )


def publish() -> None:
    """Lay the tables' state into the broker. Raises what the broker raises."""
    client = buffer.connect(settings.BROKER_URL, timeout=SECONDS)
    try:
        with my_turn():
            directory.publish(client, build())
    finally:
        client.close()


def publish_soon() -> None:
    """After a change: now if the broker is there, else it is beat that does it."""
    try:
        publish()
    except (redis.RedisError, IngestError) as error:
        log.warning("the directory was not published (%s); beat publishes it within five seconds", error)


def publish_if_missing() -> bool:
    """Publish if the broker holds none, or another than the tables say; tells whether it did."""
    client = buffer.connect(settings.BROKER_URL, timeout=SECONDS)
    try:
        with my_turn():
            wanted = build()
            if same(held(client), wanted):
                return False
            directory.publish(client, wanted)
            return True
    finally:
        client.close()


@contextlib.contextmanager
def my_turn() -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        yield


def held(client: redis.Redis) -> directory.Directory | None:
    try:
        return directory.DirectoryReader(client).get()
    except NoDirectory:
        return None


def same(one: directory.Directory | None, other: directory.Directory) -> bool:
    """The version apart, which only counts publications."""
    return one is not None and (one.tokens, one.sources) == (other.tokens, other.sources)
