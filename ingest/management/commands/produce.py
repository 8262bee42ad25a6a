"""`logboom produce --rate N --services M`: realistic lines at a steady rate, to try things with.

It honours Retry-After like any well-behaved sender, with the same key on each try, and does not make up for
the time it was asked to wait: what is refused slows it down.
"""

import argparse
import time
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingest.client import ClientError, Sender, find_target
from ingest.demo import NAMES, Town
from ingest.terminal import Progress, harmless

TICK_SECONDS = 0.5
MOST_LINES = 1000


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
        parser.add_argument("--patience", type=float, default=300.0, help="seconds to go on trying a body")

    def handle(self, *args: Any, **options: Any) -> None:
        self.progress = Progress("produce", 0)
        try:
            target = find_target("ingest", options["url"], options["token"])
            sender = Sender(target, patience=options["patience"], on_wait=self.waiting)
            self.produce(sender, Town(max(1, options["services"]), options["seed"]), options)
        except ClientError as error:
            raise CommandError(harmless(str(error)), returncode=2) from error
        except KeyboardInterrupt:
            pass
        self.progress.clear()
        self.stderr.write(f"{self.progress.lines:,} lines sent.")

    def produce(self, sender: Sender, town: Town, options: dict[str, Any]) -> None:
        begun = last = time.time_ns()
        ends = begun + int(options["seconds"] * 1e9) if options["seconds"] else None
        owed = 0.0
        while ends is None or last < ends:
            time.sleep(min(TICK_SECONDS, max(0.02, MOST_LINES / options["rate"])))
            now = min(time.time_ns(), ends or time.time_ns())
            owed += options["rate"] * (now - last) / 1e9
            count = min(int(owed), MOST_LINES)
            if count:
                self.post(sender, town.lines(count, last, now))
                owed = min(owed - count, options["rate"])  # at most a second's worth is made up for
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
