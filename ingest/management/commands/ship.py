"""`logboom ship FILE...|-`: send files of lines of whatever form, once, however often it is asked.

Exit codes: 0 every line was taken, 1 some were rejected (each is named with its file, line and reason), 2 a
file could not be sent; with --follow 130 after Ctrl-C, 2 when no file is left to follow.
"""

import argparse
import os
import socket
import sys
import time
import uuid
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError

from ingest import outgoing, shipment
from ingest.chunks import Chunk, NotLines
from ingest.client import Answer, ClientError, Sender, Unreachable, find_target
from ingest.following import Follower
from ingest.journal import JournalBusy
from ingest.outgoing import Label, NoZone
from ingest.shipment import Shipment, Tally
from ingest.terminal import Progress, harmless

POLL_SECONDS = 0.5


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
        parser.add_argument(
            "-f", "--follow", action="store_true", help="go on with what is written later, over rotations"
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
        self.journals = shipment.journal_directory(options["state"], self.target)
        if options["follow"]:
            self.follow(options["files"])
        self.finish([self.ship(name) for name in options["files"]])

    def finish(self, outcomes: list[Tally | None]) -> None:
        self.sender.close()
        if failed := outcomes.count(None):
            raise CommandError(f"{failed} of {len(outcomes)} could not be sent.", returncode=2)
        if any(tally.rejected for tally in outcomes if tally):
            sys.exit(1)

    def ship(self, name: str) -> Tally | None:
        """None when the file could not be sent to its end; the next one may still be."""
        begun = time.monotonic()
        try:
            tally = self.ship_pipe() if name == "-" else self.ship_file(Path(name))
        except (ClientError, NotLines, NoZone, JournalBusy, OSError) as error:
            self.progress_clear()
            self.stderr.write(f"{harmless(name)}: {error_text(error)}")
            return None
        self.progress_clear()
        rate = tally.sent / max(time.monotonic() - begun, 1e-3)
        how = f", {rate:,.0f} lines/s, all acknowledged" if tally.sent else ""
        self.stderr.write(f"{harmless(name)}: {summary(tally)}{how}")
        return tally

    def ship_file(self, path: Path) -> Tally:
        with path.open("rb") as file:
            self.progress = Progress(path.name, os.fstat(file.fileno()).st_size)
            return shipment.ship_file(
                file,
                self.sender,
                self.journals,
                outgoing.label_for(path, self.options["service"], self.zone),
                from_start=self.options["from_start"],
                on_chunk=self.report,
            )

    def follow(self, names: list[str]) -> NoReturn:
        """Until Ctrl-C, or until no path is left that can be sent."""
        if "-" in names:
            raise CommandError("standard input is followed without --follow, until it ends.", returncode=2)
        self.progress = Progress(names[0] if len(names) == 1 else f"{len(names)} files", 0)
        followers = [self.follower(Path(name)) for name in names]
        self.busy: set[Path] = set()
        for one in followers:
            if not one.path.exists():
                self.stderr.write(f"{harmless(str(one.path))}: is not there yet")
        try:
            while followers:
                followers = [one for one in followers if self.polled(one)]
                self.progress.draw()
                time.sleep(POLL_SECONDS)
        finally:
            self.progress.clear()
            for one in followers:
                self.stderr.write(f"{harmless(str(one.path))}: {summary(one.tally)}")
                one.close()
        raise CommandError("no file is left that could be followed.", returncode=2)

    def follower(self, path: Path) -> Follower:
        label = outgoing.label_for(path, self.options["service"], self.zone)
        return Follower(
            path,
            lambda file: Shipment(file, self.sender, self.journals, label),
            self.journals,
            self.options["from_start"],
        )

    def polled(self, one: Follower) -> bool:
        """Whether to go on with it: a server that is away comes back, a refusal does not pass by itself."""
        try:
            one.poll(time.monotonic(), partial(self.report, name=one.path.name))
        except Unreachable as error:
            self.progress.clear()
            self.stderr.write(f"{error_text(error)}; what is not sent yet stays in its file.")
        except JournalBusy as error:
            if one.path not in self.busy:
                self.busy.add(one.path)
                self.stderr.write(f"{harmless(str(one.path))}: {error_text(error)}; waiting for it")
        except (ClientError, NotLines, NoZone, OSError) as error:
            self.progress.clear()
            self.stderr.write(f"{harmless(str(one.path))}: {error_text(error)}; {summary(one.tally)}")
            one.close()
            return False
        return True

    def ship_pipe(self) -> Tally:
        self.progress = Progress("-", 0)
        label = Label(self.options["service"] or "ship", socket.gethostname(), self.zone)
        return shipment.ship_pipe(
            sys.stdin.buffer, self.sender, f"pipe-{uuid.uuid4().hex}", label, self.report
        )

    def report(self, chunk: Chunk, answer: Answer, name: str = "") -> None:
        for complaint in shipment.complaints(name or self.progress.name, chunk, answer):
            self.progress.clear()
            self.stderr.write(harmless(complaint))
        done = self.progress.done + chunk.end.offset - chunk.start.offset if name else chunk.end.offset
        self.progress.move(done, len(chunk.lines))

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
