"""The directory of tokens and sources, from the database to the broker, where ingest reads it.

Published when a change has committed, and compared every five seconds by beat's task: that mends a broker
that was away at the moment of the change, one that came back empty, and a token whose time ran out.
Publishers take turns under an advisory lock and read the tables only once they hold it; otherwise the slower
of two could lay an older directory over a newer one.
"""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, cast

from django.conf import settings
from django.db import connection, transaction

from ingest import broker, directory
from ingest.errors import IngestError
from webapp.access.models import Source, Token, committed

LOCK = 0x4C_42_44_49  # "LBDI": any number that nothing else in this database locks
SECONDS = 2.0  # a change in the admin waits no longer for the broker; beat tries again

log = logging.getLogger(__name__)


def build() -> directory.Directory:
    """What the tables say now. Disabled and expired tokens stay in it: ingest then says so."""
    return directory.Directory(
        version=0,  # the broker counts publications
        tokens={token.digest: token_entry(token) for token in Token.objects.all()},
        sources={source.pk: source_entry(source) for source in Source.objects.all()},
    )


def token_entry(token: Token) -> directory.TokenEntry:
    return directory.TokenEntry(
        source=token.source_id or 0,
        scope=cast(directory.Scope, token.scope),
        name=token.name,
        disabled=not token.active,
    )


def source_entry(source: Source) -> directory.SourceEntry:
    return directory.SourceEntry(
        name=source.name,
        weight=source.weight,
        retention_days=source.retention_days,
        identical_is_retry=source.identical_is_retry,
    )


def publish() -> None:
    """Lay the tables' state into the broker. Raises IngestError where the broker does not take it."""
    with closing(broker.connect(settings.BROKER_URL, timeout=SECONDS)) as client, my_turn():
        directory.publish(client, build())


def publish_soon(*_: Any, **__: Any) -> None:
    """After a change: now if the broker is there, else it is beat that does it."""
    try:
        publish()
    except IngestError as error:
        log.warning("the directory was not published (%s); beat publishes it within five seconds", error)


committed.connect(publish_soon)


def publish_if_missing() -> bool:
    """Publish if the broker holds none, or another than the tables say; tells whether it did."""
    with closing(broker.connect(settings.BROKER_URL, timeout=SECONDS)) as client, my_turn():
        wanted = build()
        if same(directory.fetch(client, None), wanted):
            return False
        directory.publish(client, wanted)
        return True


@contextmanager
def my_turn() -> Iterator[None]:
    """While no other publisher is at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        yield


def same(held: directory.Directory | None, wanted: directory.Directory) -> bool:
    return held is not None and (held.tokens, held.sources) == (wanted.tokens, wanted.sources)
