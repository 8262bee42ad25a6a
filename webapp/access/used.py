"""When ingest tokens were last used: from the broker, where ingest notes it, into the table.

By UPDATE, like every note of use: it is no change that ingest would have to hear of. Moving twice does no
harm.
"""

from contextlib import closing
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import Q

from ingest import broker, usage
from webapp.access.models import Token
from webapp.access.publish import SECONDS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def move() -> int:
    """How many tokens were used since the last time. Raises IngestError where the broker is away."""
    with closing(broker.connect(settings.BROKER_URL, timeout=SECONDS)) as client:
        used = usage.read(client)
        known = {
            token.digest: token for token in Token.objects.filter(digest__in=used).only("digest", "last_used")
        }
        usage.forget(client, [digest for digest in used if digest not in known])
    return sum(
        note(token, EPOCH + timedelta(minutes=used[digest]))
        for digest, token in known.items()
        if token.last_used is None or token.last_used < EPOCH + timedelta(minutes=used[digest])
    )


def note(token: Token, at: datetime) -> int:
    """Unless somebody has noted a later use meanwhile."""
    older = Q(last_used__isnull=True) | Q(last_used__lt=at)
    return Token.objects.filter(older, pk=token.pk).update(last_used=at)
