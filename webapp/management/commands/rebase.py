"""`manage.py rebase`: take this cluster, as it is now, as the one the segments are numbered in.

To be run by a person after a restore or a failover, when the workers say that they store nothing because the
database is another one. Tokens and cursors given out before are 410 afterwards.
"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from webapp.logs import origin, store


class Command(BaseCommand):
    help = "after a restore or a failover: number new segments above the stored ones, let workers go on"

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with store.connect(settings.DATABASE_URL) as conn:
                base = origin.rebase(conn)
        except store.StoreError as error:
            raise CommandError(str(error)) from error
        if base is None:
            self.stdout.write("This is the cluster and the timeline of the stored lines: nothing to do.")
        else:
            self.stdout.write(f"New segments are numbered from {base} on. Workers go on by themselves.")
