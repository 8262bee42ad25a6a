"""`logboom tail [QUERY]`: lines as they are stored, none missed and none shown twice.

It begins with the last lines already there and goes on from exactly that set. A broken connection is taken up
again behind the last line that was shown; where the server had to leave lines out it says how many.
"""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingest.client import ClientError, find_target
from ingest.reading import Event, Reader
from ingest.terminal import harmless
from webapp.management.commands.search import add_common, explained, rendered


class Command(BaseCommand):
    help = "Show lines as they arrive, in the order they were stored."
    requires_system_checks = []
    suppressed_base_arguments = {"--version", "--settings", "--pythonpath", "--no-color", "--force-color"}

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("query", nargs="*", metavar="QUERY", help="as for search; without one, all lines")
        parser.add_argument(
            "--last", type=int, default=10, help="begin with so many lines already there (10)"
        )
        parser.add_argument("--patience", type=float, default=300.0, help="seconds to go on reconnecting")
        add_common(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        self.fields, self.json = options["fields"], options["json"]
        query = {"q": words} if (words := " ".join(options["query"])) else {}
        try:
            reader = Reader(find_target("read", options["url"], options["token"]))
            cursor = self.begin(reader, query, max(0, options["last"]))
            for event in reader.tail(query, cursor, options["patience"], self.warn):
                self.show(event)
        except ClientError as error:
            raise CommandError(explained(error), returncode=2) from error

    def begin(self, reader: Reader, query: dict[str, str], last: int) -> str:
        """Show the last lines of a set, and give its name: what arrives is what is not in it."""
        page = reader.page({**query, "limit": str(max(1, last)), "count": "none", "order": "desc"})
        for line in reversed(page["logs"][:last]):
            self.stdout.write(rendered(line, self.fields, self.json))
        self.stdout.flush()
        return str(page["as_of"])

    def show(self, event: Event) -> None:
        if event.kind == "line":
            self.stdout.write(rendered(event.data, self.fields, self.json))
            self.stdout.flush()
        elif event.kind == "gap":
            lines = "lines" if event.data.get("lines") is None else f"{event.data['lines']:,} lines"
            self.warn(f"too slow: {lines} up to {event.data.get('to')} were left out; `search` has them.")

    def warn(self, text: str) -> None:
        self.stderr.write(f"logboom: {harmless(text)}")
