"""`manage.py queue`: what the broker holds, in one glance."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ingest.buffer import Buffer, connect
from ingest.errors import BrokerGone


class Command(BaseCommand):
    requires_system_checks = ()  # it must work while the rest of the installation does not
    help = "What waits in the broker: due, leased, spilled, the oldest, by source."

    def handle(self, *args: Any, **options: Any) -> None:
        buffer = Buffer(connect(settings.BROKER_URL))
        try:
            depth = buffer.depth()
        except BrokerGone as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"due {depth.due} batches, leased {depth.leased}, together {depth.queued_rows} rows;"
            f" oldest {depth.oldest_ms / 1000:.1f} s; drain rate {depth.drain_rate:.0f} rows/s\n"
            f"spilled {depth.spilled} batches, {depth.spilled_rows} rows\n"
            f"memory {depth.memory_used / 1024**2:.1f} MiB, {depth.memory_share:.0%} of the bound"
        )
        for source, held in sorted(depth.by_source.items()):
            self.stdout.write(
                f"source {source}: queued {held.queued_batches} batches, {held.queued_rows} rows;"
                f" spilled {held.spilled_batches} batches, {held.spilled_rows} rows"
            )
