"""`manage.py prepare`: the tables, and what the environment names of an admin and tokens. May be repeated.

The role `migrate` of Compose and chart. An admin that exists keeps its password: its owner may have changed
it. A token is known by its name; another value replaces the one before, as secrets that were made anew must.
"""

import signal
import sys
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from ingest import directory
from webapp import env
from webapp.access import publish
from webapp.access.models import PREFIX_SHOWN, Source, Token
from webapp.local.prepare import ADMIN, DEFAULT, DEMO

TOKENS = {DEFAULT: "INGEST_TOKEN", DEMO: "DEMO_TOKEN"}


class Command(BaseCommand):
    help = "Migrate, and make the admin and the tokens that the environment names."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        # The first process of a container does not hear SIGTERM unless it asks to.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        call_command("migrate", interactive=False, verbosity=options["verbosity"])
        admin(env.text("ADMIN_PASSWORD"))
        values = {DEFAULT: env.text("INGEST_TOKEN"), DEMO: env.text("DEMO_TOKEN")}
        for source, value in values.items():
            if value:
                token(source, value)
        publish.publish_soon()


def admin(password: str) -> None:
    from django.contrib.auth.models import User

    if password and not User.objects.filter(is_superuser=True).exists():
        User.objects.create_superuser(ADMIN, password=password)


def token(source_name: str, value: str) -> None:
    """An ingest token of this very value for that source."""
    if not directory.well_formed(value):
        raise SystemExit(f"{TOKENS[source_name]} is no token: they are made by `manage.py token create`.")
    source, _ = Source.objects.get_or_create(name=source_name)
    name = f"first start: {source_name}"
    kept = Token.objects.filter(name=name).first() or Token(name=name, scope="ingest", source=source)
    if kept.digest != directory.digest(value):
        kept.digest = directory.digest(value)
        kept.prefix = value[: len("lb_ingest_") + PREFIX_SHOWN]
        kept.save()
