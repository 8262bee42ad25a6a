"""`logboom ship FILE...|-`: send files of lines of whatever form, once, however often it is asked.

Exit codes: 0 every line was taken, 1 some were rejected (each is named with its file, line and reason), 2 a
file could not be sent.
"""

import argparse
import os
import socket
import sys
import uuid
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingest import outgoing, shipment
from ingest.chunks import Chunk, NotLines
from ingest.client import Answer, ClientError, Sender, find_target
from ingest.journal import JournalBusy
from ingest.outgoing import Label, NoZone
from ingest.shipment import Tally
from ingest.terminal import Progress, harmless


class Command(BaseCommand):
    help = "Send files of lines (NDJSON or plain text; - is standard input); resumes where it stopped."
    requires_system_checks = []
    suppressed_base_arguments = {"--version", "--settings", "--pythonpath", "--no-color", "--force-color"}

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="a file, or - for standard input")
        parser.add_argument("--url", help="ingest address (else LOGBOOM_URL, else the one started here)")
        parser.add_argument("--token", help="an ingest token (else LOGBOOM_TOKEN, else the one made here)")
        parser.add_argument(
            "--service", help="of lines that name none; else the file's name up to its first dot"
        )
        form = parser.add_mutually_exclusive_group()
        form.add_argument(
            "--zone", help="of times that name none, as Europe/Berlin or UTC; else this machine's"
        )
        form.add_argument("--plain", action="store_true", help="look into no line: each is its own message")
        parser.add_argument(
            "--from-start", action="store_true", help="send all again; the server stores none twice"
        )
        parser.add_argument("--state", type=Path, default=state_directory(), help="where the journals are")
        parser.add_argument("--patience", type=float, default=300.0, help="seconds to go on trying a body")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.target = find_target("ingest", options["url"], options["token"])
        except ClientError as error:
            raise CommandError(str(error), returncode=2) from error
        try:
            self.zone = None if options["plain"] else options["zone"] or outgoing.local_zone()
            outgoing.zone_named(self.zone or "UTC")
        except outgoing.NoZone as error:
            raise CommandError(str(error), returncode=2) from error
        self.sender = Sender(self.target, patience=options["patience"], on_wait=self.waiting)
        self.options = options
        outcomes = [self.ship(name) for name in options["files"]]
        self.sender.close()
        if failed := outcomes.count(None):
            raise CommandError(f"{failed} of {len(outcomes)} could not be sent.", returncode=2)
        if any(tally.rejected for tally in outcomes if tally):
            sys.exit(1)

    def ship(self, name: str) -> Tally | None:
        """None when the file could not be sent to its end; the next one may still be."""
        try:
            tally = self.ship_pipe() if name == "-" else self.ship_file(Path(name))
        except (ClientError, NotLines, NoZone, JournalBusy, OSError) as error:
            self.progress_clear()
            self.stderr.write(f"{harmless(name)}: {error_text(error)}")
            return None
        self.progress_clear()
        self.stderr.write(f"{harmless(name)}: {summary(tally)}")
        return tally

    def ship_file(self, path: Path) -> Tally:
        with path.open("rb") as file:
            self.progress = Progress(path.name, os.fstat(file.fileno()).st_size)
            return shipment.ship_file(
                file,
                self.sender,
                shipment.journal_directory(self.options["state"], self.target),
                outgoing.label_for(path, self.options["service"], self.zone),
                from_start=self.options["from_start"],
                on_chunk=self.report,
            )

    def ship_pipe(self) -> Tally:
        self.progress = Progress("-", 0)
        label = Label(self.options["service"] or "ship", socket.gethostname(), self.zone)
        return shipment.ship_pipe(
            sys.stdin.buffer, self.sender, f"pipe-{uuid.uuid4().hex}", label, self.report
        )

    def report(self, chunk: Chunk, answer: Answer) -> None:
        for complaint in shipment.complaints(self.progress.name, chunk, answer):
            self.progress.clear()
            self.stderr.write(harmless(complaint))
        self.progress.move(chunk.end.offset, len(chunk.lines))

    def waiting(self, seconds: float, why: str) -> None:
        self.progress.draw(f"waiting {seconds:.0f} s: {harmless(why)}")

    def progress_clear(self) -> None:
        if hasattr(self, "progress"):
            self.progress.clear()


def state_directory() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "logboom"


def error_text(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else harmless(str(error))


def summary(tally: Tally) -> str:
    parts = [
        f"{tally.sent:,} lines sent",
        *([f"{tally.known:,} the server had already"] if tally.known else []),
        *([f"{tally.skipped:,} sent before"] if tally.skipped else []),
        *([f"{tally.rejected:,} rejected"] if tally.rejected else []),
    ]
    return ", ".join(parts)
