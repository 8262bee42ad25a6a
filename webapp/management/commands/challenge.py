"""`manage.py challenge`: numbered lines are sent while things break, and then every one is asked for.

    challenge [run]            load, faults if asked for, verdict
    challenge check JOURNAL    the verdict anew, from the journal of a run that was killed, or once more
    challenge clear            removes all lines of the source "challenge" (where the installation runs)

It talks HTTP alone: `./logboom challenge` needs no settings. Where `make up` runs, addresses and tokens are
known. Exit codes: 0 as promised, 1 not so, 2 nothing proved.
"""

import argparse
import getpass
import json
import os
import random
import secrets
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ingest.client import ClientError
from ingest.journal import Journal, JournalBusy
from ingest.terminal import harmless
from webapp.challenge import campaign, faults, journal, lines, login, targets
from webapp.challenge.campaign import Campaign, Plan
from webapp.challenge.faults import Fault
from webapp.challenge.journal import Head
from webapp.challenge.posting import Load
from webapp.challenge.reading import Reader, Unreadable
from webapp.challenge.targets import Given, Targets
from webapp.challenge.verdict import GOOD, UNPROVED, Verdict
from webapp.local import installation

MOST_ACCEPTED = 10_000_000  # lines of one run


class NotErased(Exception):
    """Transient: something of it stays, or will come back."""


TROUBLE = (ClientError, Unreadable, campaign.WrongSource, campaign.NotAccepted, faults.NotHere,
           journal.BadJournal, JournalBusy, NotErased)  # fmt: skip


class Command(BaseCommand):
    help = "Send numbered lines while things break, then prove that none is lost, twice, partial or altered."
    requires_system_checks = []
    suppressed_base_arguments = {"--version", "--settings", "--pythonpath", "--no-color", "--force-color"}

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("verb", nargs="?", choices=["run", "check", "clear"], default="run")
        parser.add_argument("file", nargs="?", metavar="JOURNAL", help="check: the journal of a run")
        where = parser.add_argument_group("where (else the environment, else the installation here)")
        where.add_argument("--ingest-url", help="where lines are sent (LOGBOOM_INGEST_URL)")
        where.add_argument("--ingest-token", help="an ingest token of a source of its own")
        where.add_argument("--web-url", help="where they are read (LOGBOOM_WEB_URL)")
        where.add_argument("--read-token", help="a token that may read that source")
        where.add_argument(
            "--login", metavar="USER", help="read as a person (LOGBOOM_PASSWORD, or asked for)"
        )
        where.add_argument("--source", default=lines.SOURCE, help="the source's name (challenge)")
        add_load(parser.add_argument_group("load"))
        broken = parser.add_argument_group("faults")
        broken.add_argument(
            "--faults", action="append", metavar="none|local|COMMAND",
            help="none: load alone; local: kill processes of `make up`; else a command; repeatable",
        )  # fmt: skip
        broken.add_argument("--every", type=positive, default=10.0, help="seconds between faults (10)")
        broken.add_argument("--yes", action="store_true", help="do not ask before local processes are killed")
        parser.add_argument("--journal", type=Path, help="its file (else VAR_DIR/challenge/RUN.ndjson)")
        parser.add_argument("--drain", type=positive, default=300.0, help="seconds until all is stored (300)")
        parser.add_argument("--keep", action="store_true", help="leave the lines where they could be removed")
        parser.add_argument("--json", action="store_true", help="the verdict as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        verbs = {"run": self.run, "check": self.check_again, "clear": self.clear}
        try:
            sys.exit(verbs[options["verb"]](options))
        except KeyboardInterrupt:
            self.stderr.write("Broken off: `challenge check JOURNAL` judges what was sent.")
            sys.exit(130)
        except TROUBLE as error:
            raise CommandError(harmless(str(error)), returncode=UNPROVED) from error
        except OSError as error:
            raise CommandError(f"the journal cannot be written: {error}", returncode=UNPROVED) from error

    # ---- run ----

    def run(self, options: dict[str, Any]) -> int:
        if options["file"]:
            raise CommandError("a journal goes with `check`.", returncode=UNPROVED)
        plan, where = plan_of(options), self.targets(options)
        wanted = self.wanted_faults(options, where)
        stop = threading.Event()
        one = Campaign(where.ingest, lambda run: reader(where, run, plan.source), plan, self.say, stop)
        head = one.begin(one.reader("").place())
        path = options["journal"] or journal_directory() / f"{head.run}.ndjson"
        self.announce(plan, where, wanted, path)
        kinds = made(wanted, head)
        with Journal(path) as book:
            if book.entries:
                raise journal.BadJournal(f"{path} is of another run: `challenge check` reads it.")
            stop_on_signal(stop)
            found = one.run(book, head, kinds)
        self.show(found, options)
        if found.code == GOOD:
            self.tidy(found, options, where, path)
        return found.code

    def wanted_faults(self, options: dict[str, Any], where: Targets) -> list[str]:
        """Raises CommandError where nobody agreed to them."""
        wanted = [word for word in options["faults"] or () if word != "none"]
        if "local" in wanted:
            if not targets.is_local(addresses(where)):
                raise faults.NotHere("local faults are for the installation that `make up` runs here.")
            if not options["yes"] and not agreed():
                raise CommandError("nothing was done: --yes says that processes may be killed.", returncode=2)
        return wanted

    def announce(self, plan: Plan, where: Targets, wanted: list[str], path: Path) -> None:
        most = int(plan.seconds * plan.load.rate)
        self.stderr.write(
            f"For {plan.seconds:.0f} s up to {plan.load.rate:,.0f} lines a second ({most:,} in all) go to "
            f"the source {plan.source} of {where.ingest.url}; then they are read back from {where.web.url}."
        )
        if wanted:
            self.stderr.write(f"About every {plan.every:.0f} s: {', '.join(map(harmless, wanted))}.")
        self.stderr.write(f"Seed {plan.load.seed}, journal {path}")

    def tidy(self, found: Verdict, options: dict[str, Any], where: Targets, path: Path) -> None:
        """Only what is this run's alone, and only where the database at hand is the challenged one."""
        if options["keep"] or not at_home(addresses(where)):
            self.stderr.write("The lines stay: `manage.py challenge clear` removes them where Logboom runs.")
            return
        head = found.account.head
        try:
            with_others = reader(where, head.run, head.source).count()
            if with_others != found.figures["lines read back"]:
                self.stderr.write("There are lines of other runs too: `challenge clear` removes all of them.")
                return
            self.stderr.write(erased(head.source))
            path.unlink()
        except (NotErased, Unreadable) as reason:  # the verdict stands all the same
            self.stderr.write(f"The lines stay, run `challenge clear`: {harmless(str(reason))}")

    # ---- check and clear ----

    def check_again(self, options: dict[str, Any]) -> int:
        if not options["file"]:
            raise CommandError("check wants the journal of a run.", returncode=UNPROVED)
        account = journal.read(Path(options["file"]))
        given = targets.find(given_in(options))
        where = self.readable(given, options)
        plan = plan_of(options)
        one = Reader(where.web, account.head.run, account.head.source, headers=where.headers)
        found = campaign.judge(account, one, plan, self.say)
        self.show(found, options)
        return found.code

    def clear(self, options: dict[str, Any]) -> int:
        if not settings.configured:
            raise CommandError(
                "lines are removed where Logboom runs: manage.py challenge clear.", returncode=2
            )
        self.stdout.write(erased(options["source"]))
        return GOOD

    # ---- where ----

    def targets(self, options: dict[str, Any]) -> Targets:
        found = targets.find(given_in(options))
        where = self.readable(found, options)
        token = found.ingest_token
        if token is None and options["source"] == lines.SOURCE and at_home(found):
            from webapp.challenge import clearing

            token = clearing.own_token()
        return Targets(targets.target("ingest", found.ingest_url, token), where.web, where.headers)

    def readable(self, found: Given, options: dict[str, Any]) -> Targets:
        if not options["login"]:
            web = targets.target("read", found.web_url, found.read_token)
            return Targets(web, web, {})
        web = targets.target("read", found.web_url, "")
        password = os.environ.get("LOGBOOM_PASSWORD") or getpass.getpass(f"Password of {options['login']}: ")
        return Targets(web, web, login.session(web.url, options["login"], password))

    # ---- saying ----

    def say(self, sentence: str) -> None:
        self.stderr.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {harmless(sentence)}")

    def show(self, found: Verdict, options: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(found.document()) if options["json"] else found.text())


def erased(source: str) -> str:
    from webapp.challenge import clearing  # which wants settings and models

    try:
        return clearing.clear(source)
    except clearing.NotCleared as reason:
        raise NotErased(f"{reason} Run it again.") from reason


def add_load(load: Any) -> None:
    load.add_argument("--duration", type=positive, default=30.0, help="seconds of load (30)")
    load.add_argument("--rate", type=positive, default=500.0, help="lines a second offered (500)")
    load.add_argument("--batch", type=batch_size, default=100, help="lines of one POST (100)")
    load.add_argument("--threads", type=thread_count, default=4, help="senders (4)")
    load.add_argument("--patience", type=positive, default=120.0, help="seconds to go on trying a body (120)")
    load.add_argument("--seed", type=int, help="the same ways of sending and faults as last time")


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("wants more than 0")
    return value


def batch_size(text: str) -> int:
    return between(text, 1, lines.MOST_LINES)


def thread_count(text: str) -> int:
    return between(text, 1, 64)


def between(text: str, least: int, most: int) -> int:
    value = int(text)
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"wants {least} to {most:,}")
    return value


def plan_of(options: dict[str, Any]) -> Plan:
    if options["duration"] * options["rate"] > MOST_ACCEPTED:
        raise CommandError(f"one run sends at most {MOST_ACCEPTED:,} lines.", returncode=UNPROVED)
    seed = secrets.randbelow(2**31) if options["seed"] is None else options["seed"]
    load = Load(seed, options["rate"], options["batch"], options["threads"], options["patience"])
    return Plan(load, options["duration"], options["every"], options["drain"], source=options["source"])


def given_in(options: dict[str, Any]) -> Given:
    return Given(*(options[name] for name in ("ingest_url", "ingest_token", "web_url", "read_token")))


def reader(where: Targets, run: str, source: str) -> Reader:
    return Reader(where.web, run, source, headers=where.headers)


def made(wanted: list[str], head: Head) -> list[Fault]:
    chance = random.Random(head.seed)
    return [
        faults.Local(chance) if word == "local" else faults.Command(word, head.run, head.seed)
        for word in wanted
    ]


def addresses(where: Targets) -> Given:
    return Given(ingest_url=where.ingest.url, web_url=where.web.url)


def at_home(where: Given) -> bool:
    """Whether this process has the settings of the very installation that is challenged."""
    return bool(settings.configured) and targets.is_local(where)


def agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"Processes of the installation in {installation.VAR} will be killed. Go on? [y/N] ") in (
        "y",
        "yes",
    )


def journal_directory() -> Path:
    """Where this installation keeps its own things, or where anything may be written."""
    if os.access(installation.VAR, os.W_OK):
        return installation.VAR / "challenge"
    return Path(tempfile.gettempdir()) / "logboom-challenge"


def stop_on_signal(stop: threading.Event) -> None:
    """The first ends the load, and what was sent is judged; the second ends the command."""

    def asked(number: int, frame: Any) -> None:
        stop.set()
        signal.signal(number, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)
