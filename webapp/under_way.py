"""What a source has accepted and not stored yet: whoever erases its lines waits for that first."""

import time

from django.conf import settings

from ingest.buffer import Buffer, Held, connect
from webapp.access.models import Source

PATIENCE_SECONDS = 60.0


def rows_left(source: Source) -> int:
    """Lines of the source that wait, once that is none or the time is up. Raises BrokerGone."""
    buffer, deadline = Buffer(connect(settings.BROKER_URL)), time.monotonic() + PATIENCE_SECONDS
    while True:
        held = buffer.depth().by_source.get(source.pk, Held())
        batches = held.queued_batches + held.spilled_batches
        if not batches or time.monotonic() > deadline:
            return held.queued_rows + held.spilled_rows
        time.sleep(0.2)
