"""`manage.py token create NAME --scope ingest|read|admin`: a token, printed once, kept as a digest."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from webapp.access.models import Source, Token, create_token
from webapp.local.prepare import DEFAULT


class Command(BaseCommand):
    help = "Make an access token and print it: it cannot be shown again."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a token and print it")
        create.add_argument("name", help="what it is for, e.g. the host that sends")
        create.add_argument("--scope", required=True, choices=Token.Scope.values)
        create.add_argument(
            "--source",
            action="append",
            default=[],
            help="where an ingest token's lines go (made if new), or what a read token may see (repeatable)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            _, value = create_token(options["name"], options["scope"], **reach(**options))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except OperationalError as error:
            raise CommandError("The database does not answer: is Logboom up (`make status`)?") from error
        self.stdout.write(value)


def reach(scope: str, source: list[str], **_: Any) -> dict[str, Any]:
    """Which sources the token is for: an ingest token has exactly one, a read token some or all."""
    if scope == "ingest":
        if len(source) > 1:
            raise CommandError("An ingest token sends to one source: give --source once.")
        return {"source": Source.objects.get_or_create(name=(source or [DEFAULT])[0])[0]}
    if scope == "admin" and source:
        raise CommandError("An admin token reaches every source: leave --source away.")
    found = list(Source.objects.filter(name__in=source))
    if missing := set(source) - {each.name for each in found}:
        raise CommandError(f"No source is called {', '.join(sorted(missing))}.")
    return {"sources": found, "all_sources": scope == "read" and not source}
