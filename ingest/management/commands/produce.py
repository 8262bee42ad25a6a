"""`logboom produce --rate N --services M`: realistic lines at a steady rate, to try things with.

`--story` is what the demo runs: first the story (story.py), unless it was told before, then the same shop's
lines as they come. Switched off by `logboom demo clear` it waits to be switched on again.

It honours Retry-After like any well-behaved sender, with the same key on each try, and does not make up for
the time it was asked to wait: what is refused slows it down.
"""

import argparse
import os
import time
import uuid
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingest import story_telling
from ingest.client import ROOT, Answer, ClientError, Refused, Sender, find_target
from ingest.demo import NAMES, Town
from ingest.journal import JournalBusy
from ingest.story_lines import Shop
from ingest.terminal import Progress, harmless

TICK_SECONDS = 0.5
MOST_LINES = 1000
SWITCHED_OFF_SECONDS = 10.0


class Command(BaseCommand):
    help = "Send made-up lines of a small shop's services at a steady rate until stopped."
    requires_system_checks = []
    suppressed_base_arguments = {"--version", "--settings", "--pythonpath", "--no-color", "--force-color"}

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--url", help="ingest address (else LOGBOOM_URL, else the one started here)")
        parser.add_argument("--token", help="an ingest token (else LOGBOOM_TOKEN, else the one made here)")
        parser.add_argument("--rate", type=positive, default=20.0, help="lines per second (20)")
        parser.add_argument("--services", type=int, default=len(NAMES), help=f"how many ({len(NAMES)})")
        parser.add_argument("--for", type=positive, dest="seconds", help="stop after so many seconds")
        parser.add_argument("--seed", type=int, help="the same lines as last time")
        parser.add_argument(
            "--story", type=int, default=0, metavar="N", help="first tell the demo's story, for the Nth time"
        )
        parser.add_argument("--patience", type=float, default=300.0, help="seconds to go on trying a body")

    def handle(self, *args: Any, **options: Any) -> None:
        self.progress = Progress("produce", 0)
        try:
            target = find_target("ingest", options["url"], options["token"])
            sender = Sender(target, patience=options["patience"], on_wait=self.waiting)
            if options["story"]:
                self.demo(sender, options)
            else:
                self.produce(sender, Town(max(1, options["services"]), options["seed"]), options)
        except ClientError as error:
            raise CommandError(harmless(str(error)), returncode=2) from error
        except KeyboardInterrupt:
            pass
        self.progress.clear()
        self.stderr.write(f"{self.progress.lines:,} lines sent.")

    def demo(self, sender: Sender, options: dict[str, Any]) -> None:
        off = False
        while True:
            try:
                self.tell(sender, options["story"])
                return self.produce(sender, Shop(options["seed"]), options)
            except Refused as refused:
                if refused.status != story_telling.SWITCHED_OFF:
                    raise
                if not off:
                    self.stderr.write(f"{harmless(str(refused))} Waiting until that is taken back.")
                off = True
                time.sleep(SWITCHED_OFF_SECONDS)

    def tell(self, sender: Sender, telling: int) -> None:
        """Without a place for its journal the story is not told: it would be told at every start."""
        var = Path(os.environ.get("VAR_DIR", ROOT / "var"))
        try:
            if story_telling.tell(sender, story_telling.journal_path(var, telling), telling, self.sent):
                self.stderr.write(f"The story is told: {self.progress.lines:,} lines.")
        except (OSError, JournalBusy) as reason:
            self.stderr.write(f"The story is not told: {reason}")

    def sent(self, body: bytes, answer: Answer) -> None:
        self.progress.move(self.progress.done + len(body), answer.accepted)

    def produce(self, sender: Sender, town: Town | Shop, options: dict[str, Any]) -> None:
        begun = last = time.time_ns()
        ends = begun + int(options["seconds"] * 1e9) if options["seconds"] else None
        owed = 0.0
        while ends is None or last < ends:
            time.sleep(min(TICK_SECONDS, max(0.02, MOST_LINES / options["rate"])))
            now = min(time.time_ns(), ends or time.time_ns())
            owed += options["rate"] * (now - last) / 1e9
            count = min(int(owed), MOST_LINES)
            if count > 0:
                lines = town.lines(count, last, now)  # a shop's requests are whole: a few more than asked for
                self.post(sender, lines)
                owed = min(owed - len(lines), options["rate"])  # at most a second's worth is made up for
            last = now

    def post(self, sender: Sender, lines: list[bytes]) -> None:
        body = b"\n".join(lines) + b"\n"
        sender.post(body, f"produce:{uuid.uuid4().hex}")
        self.progress.move(self.progress.done + len(body), len(lines))

    def waiting(self, seconds: float, why: str) -> None:
        if self.progress.out.isatty():
            self.progress.draw(f"waiting {seconds:.0f} s: {harmless(why)}")
        else:
            self.stderr.write(f"waiting {seconds:.1f} s: {harmless(why)}")


def positive(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("wants more than 0")
    return value
