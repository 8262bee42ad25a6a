"""What a challenge needs of the installation itself: a token of its own, and a way to remove its lines.

The only module of the package that knows settings and tables; the command imports it where there are any.
"""

import time

import psycopg
from django.conf import settings
from django.db import DatabaseError

from ingest import directory
from ingest.errors import IngestError
from webapp import under_way
from webapp.access.models import Source
from webapp.challenge import lines
from webapp.local import installation, prepare
from webapp.logs import erase, store

SECRET = "challenge_token"
NOTICED_SECONDS = directory.CHECK_SECONDS + 0.5  # until every ingest knows that a token changed


class NotCleared(Exception):
    """Transient: something of it stays, or will come back."""


def own_token() -> str:
    """The token that sends to the source of challenges, made at the first one."""
    source, _ = Source.objects.get_or_create(
        name=lines.SOURCE, defaults={"description": "Numbered lines of `manage.py challenge`."}
    )
    before = installation.read(installation.SECRETS).get(SECRET)
    prepare.keep_token(SECRET, "ingest", source)
    kept = str(installation.read(installation.SECRETS)[SECRET])
    if kept != before:
        time.sleep(NOTICED_SECONDS)
    return kept


def clear(name: str) -> str:
    """What was removed, in a sentence. Raises NotCleared."""
    try:
        source = Source.objects.filter(name=name).first()
        if source is None:
            return f"There is no source {name}: nothing to remove."
        waiting = under_way.rows_left(source)
        with store.connect(settings.DATABASE_URL) as conn:
            gone = erase.erase(conn, source.pk)
    except (store.StoreError, IngestError, DatabaseError, psycopg.Error) as error:
        raise NotCleared(str(error)) from error
    if waiting:
        raise NotCleared(f"{waiting:,} lines of it are not stored yet: is a worker running?")
    what = f"{gone.lines:,} lines and {gone.quarantined:,} entries of the quarantine"
    return f"Removed from the source {name}: {what}."
