"""Where the demo's story is among the stored lines, and the three searches that find it.

The story's first batch is always the same, so its id is known (ingest/story_telling.py) and one look into the
ledger tells whether the story is there and when it was told. After an erasure the next telling is another.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings

from ingest import story, story_telling
from ingest.envelope import keyed_id
from webapp.access.models import Source
from webapp.access.scope import Scope
from webapp.logs import times
from webapp.logs.errors import classify
from webapp.logs.snapshot import reading

LOOK_MS = 400
MINUTE_NS = 60 * times.SECOND
AFTER = 1  # minutes: the story ends a moment after it was begun


@dataclass(frozen=True, slots=True)
class Offer:
    title: str
    q: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Standing:
    telling: int  # the one there is, or that comes next
    told_ns: int | None
    floor_ns: int


def offers(scope: Scope) -> list[Offer]:
    """Empty where there is no story (any more) that this reader may see. Raises StoreError."""
    source = source_number()
    if source is None or not scope.allows(source):
        return []
    found = standing(source)
    if found.told_ns is None or found.told_ns + story.BEGINS < found.floor_ns:
        return []
    minute = found.told_ns // MINUTE_NS
    end = times.rfc3339((minute + 1 + AFTER) * MINUTE_NS)
    return [
        Offer(title, q, times.rfc3339((minute - before) * MINUTE_NS), end)
        for title, q, before in story.SEARCHES
    ]


def source_number() -> int | None:
    return Source.objects.filter(name=story.SOURCE).values_list("pk", flat=True).first()


LEDGER = "SELECT received FROM log_batch WHERE batch = %s"
TELLING = "SELECT 1 + count(*) FROM log_erased WHERE source = %s"


def standing(source: int) -> Standing:
    """Raises StoreError."""
    try:
        with reading(settings.DATABASE_URL, timeout_ms=LOOK_MS) as reader:
            telling = value(reader.conn, TELLING, source)
            received = value(reader.conn, LEDGER, marker(source, telling))
            told_ns = times.nanoseconds(received) if received else None
            return Standing(telling, told_ns, reader.token.floor_us * 1000)
    except psycopg.Error as error:
        raise classify(error) from error


def marker(source: int, telling: int) -> Any:
    """The id that the marker's batch has in this source."""
    content = hashlib.sha256(story_telling.MARKER).digest()
    return keyed_id(source, story_telling.marker_key(telling).encode(), content)


def value(conn: psycopg.Connection[Any], statement: str, parameter: Any) -> Any:
    row = conn.execute(statement.encode(), [parameter]).fetchone()
    return row[0] if row else None
