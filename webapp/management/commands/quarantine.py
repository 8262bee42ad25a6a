"""`manage.py quarantine list|replay`: what was refused, and sending it again, from where Logboom runs.

Whoever may run it has the database: every source is listed. Exit code 1: something asked for was not sent.
"""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from ingest.errors import IngestError
from ingest.terminal import harmless
from webapp.access.scope import ALL
from webapp.logs import refusals, replay
from webapp.logs.errors import ReadError, StoreError
from webapp.logs.refusals import Entry, Wanted


class Command(BaseCommand):
    help = "List what was refused, or send it again: each entry exactly once."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["list", "replay"])
        parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="replay: these entries")
        parser.add_argument("--source", action="append", default=[], help="only of this source")
        parser.add_argument("--reason", action="append", default=[], help="only with this reason")
        parser.add_argument("--start", default="", help="came into quarantine from: RFC 3339, now-1h, now/d")
        parser.add_argument("--end", default="", help="first moment after the range")
        parser.add_argument("--contains", default="", help="only with this text in the bytes")
        parser.add_argument("--limit", type=int, default=100, help="at most so many (100)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["verb"] == "list":
                self.list(options)
            else:
                self.replay(options)
        except (ReadError, IngestError, StoreError) as error:
            raise CommandError(harmless(str(error))) from error
        except OperationalError as error:
            raise CommandError("The database does not answer.") from error

    def list(self, options: dict[str, Any]) -> None:
        found = refusals.find(wanted(options), ALL, limit=options["limit"])
        for entry in found.entries:
            self.stdout.write(told(entry))
        if found.next:
            self.stderr.write("There are more: narrow it, or raise --limit.")

    def replay(self, options: dict[str, Any]) -> None:
        ids = options["ids"]
        if not ids:
            if not any(options[name] for name in ("source", "reason", "start", "end", "contains")):
                raise CommandError("Give ids, or a filter; everything is --start 0.")
            found = refusals.find(wanted(options, "no"), ALL, limit=options["limit"])
            ids = [entry.id for entry in found.entries]
        report = replay.replay(ids, ALL)
        for outcome in report.entries:
            more = outcome.batch or f"{outcome.reason or 'no such entry'}: {outcome.detail or ''}"
            self.stdout.write(f"{outcome.id} {outcome.outcome} {harmless(more)}")
        if report.stopped:
            self.stderr.write(f"{report.left:,} not tried: {harmless(report.stopped)}")
        if report.left or report.count("refused") or report.count("unknown"):
            sys.exit(1)


def wanted(options: dict[str, Any], replayed: refusals.Replayed = "any") -> Wanted:
    return Wanted(
        sources=tuple(options["source"]),
        reasons=tuple(options["reason"]),
        start=options["start"],
        end=options["end"],
        contains=options["contains"],
        replayed=replayed,
    )


def told(entry: Entry) -> str:
    state = "" if entry.replay.state == "none" else f" [{entry.replay.state}]"
    return harmless(
        f"{entry.id} {entry.created} {entry.source} {entry.reason}{state} {entry.beginning}".replace(
            "\n", " "
        )
    )
