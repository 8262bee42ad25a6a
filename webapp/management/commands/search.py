"""`logboom search QUERY`: lines that match, on the terminal or as NDJSON, over the REST API.

Exit codes are grep's: 0 something was found, 1 nothing was, 2 an error. Without --order the newest lines are
shown, the newest of them last, as a terminal reads.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingest.client import ClientError, Refused, find_target
from ingest.reading import Reader
from ingest.terminal import harmless, harmless_json, indented

PAGE = 1000


class Command(BaseCommand):
    help = "Find lines. Exit code 0: found, 1: none, 2: error."
    requires_system_checks = []
    suppressed_base_arguments = {"--version", "--settings", "--pythonpath", "--no-color", "--force-color"}

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "query", nargs="*", metavar="QUERY", help="several words are joined by spaces (AND)"
        )
        parser.add_argument("--since", metavar="AGE", help="from so long ago: 90s, 15m, 1h, 7d")
        parser.add_argument("--start", help="first moment: RFC 3339, epoch, now-1h, now/d")
        parser.add_argument("--end", help="first moment after the range")
        parser.add_argument("--limit", type=count, default=100, help="at most so many lines (100)")
        parser.add_argument("--order", choices=("asc", "desc"), help="by time, from that end of the range")
        parser.add_argument("--as-of", help="the set of lines of an earlier answer")
        add_common(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["since"] and options["start"]:
            raise CommandError("--since and --start say the same thing: give one.", returncode=2)
        try:
            reader = Reader(find_target("read", options["url"], options["token"]))
            found = self.show(reader, options)
        except ClientError as error:
            raise CommandError(explained(error), returncode=2) from error
        if not found:
            sys.exit(1)

    def show(self, reader: Reader, options: dict[str, Any]) -> bool:
        lines: Iterator[dict[str, Any]] = reader.search(self.parameters(options), options["limit"], self.warn)
        if options["order"] is None:
            lines = reversed(list(lines))
        found = False
        for line in lines:
            found = True
            self.stdout.write(rendered(line, options["fields"], options["json"]))
        return found

    def parameters(self, options: dict[str, Any]) -> dict[str, str]:
        start = f"now-{options['since']}" if options["since"] else options["start"]
        given = {
            "q": " ".join(options["query"]),
            "start": start,
            "end": options["end"],
            "order": options["order"] or "desc",
            "as_of": options["as_of"],
            "count": "none",
            "limit": str(min(PAGE, options["limit"])),
            "fields": ",".join(options["fields"] or ()),
        }
        return {name: value for name, value in given.items() if value}

    def warn(self, text: str) -> None:
        self.stderr.write(f"logboom: {harmless(text)}")


def add_common(parser: argparse.ArgumentParser) -> None:
    """What search and tail share."""
    parser.add_argument("--fields", type=names, metavar="A,B", help="only these, separated by tabs")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--url", help="web address (else LOGBOOM_URL, else the one started here)")
    parser.add_argument("--token", help="a read token (else LOGBOOM_TOKEN, else the one made here)")


def count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("wants 1 or more")
    return value


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def rendered(line: Mapping[str, Any], fields: Sequence[str] | None, as_json: bool) -> str:
    if as_json:
        return harmless_json(line)
    if fields:
        return "\t".join(harmless(value_text(value_of(line, name))) for name in fields)
    severity = harmless(str(line.get("severity") or "-")).upper()
    place = " ".join(harmless(str(line.get(name) or "-")) for name in ("service", "host"))
    return f"{line.get('time')} {severity:<5} {place} {indented(str(line.get('message', '')))}"


def value_of(line: Mapping[str, Any], name: str) -> Any:
    """A built-in field, else the attribute of that name, as the query language reads it."""
    if name in line:
        return line[name]
    attributes = line.get("attributes") or {}
    return attributes.get(name.removeprefix("attributes.").removeprefix("@"))


def value_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else harmless_json(value)


def explained(error: ClientError) -> str:
    """The problem in one sentence, with where it is and what would be right, when the server knows."""
    if not isinstance(error, Refused):
        return harmless(str(error))
    first: dict[str, Any] = next(iter(error.problem.get("errors") or ()), {})
    sentence = first.get("message") or str(error)
    where = f" (at character {first['offset'] + 1})" if first.get("offset") is not None else ""
    cure = f" Try: {first['fix']}" if first.get("fix") else f" {first['hint']}" if first.get("hint") else ""
    return harmless(f"{sentence}{where}{cure}")
