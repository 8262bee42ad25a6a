"""`./logboom demo`: tell the demo's story, unless it is there, and name the searches that find it.
`./logboom demo clear`: remove every line of it again.

Clearing first switches off the tokens that send to the source "demo", then waits until nothing of it is under
way, and then erases: so nothing of it comes back by itself. Both may be repeated, and killed anywhere.
"""

import os
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from ingest import directory, story_telling
from ingest.client import Answer, ClientError, Sender, find_target
from ingest.errors import IngestError
from ingest.journal import JournalBusy
from ingest.story import SOURCE
from ingest.terminal import Progress, harmless
from webapp import under_way
from webapp.access.models import Source, Token
from webapp.access.scope import ALL
from webapp.local import installation
from webapp.logs import demo, erase, store

NOTICED_SECONDS = directory.CHECK_SECONDS + 0.5  # until every ingest knows that a token changed


class Command(BaseCommand):
    help = "Tell the demo's story and print the searches that find it; `demo clear` removes it."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", nargs="?", choices=["tell", "clear"], default="tell")
        parser.add_argument("--url", help="ingest address (else LOGBOOM_URL, else the one started here)")
        parser.add_argument("--token", help="an ingest token of the source demo (else the one made here)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["verb"] == "clear":
                self.clear()
            else:
                self.tell(options["url"], options["token"])
        except OperationalError as error:
            raise CommandError("The database does not answer: is Logboom up (`make status`)?") from error
        except (store.StoreError, IngestError) as error:
            raise CommandError(f"{harmless(str(error))}. Run it again.") from error
        except (ClientError, JournalBusy) as error:
            raise CommandError(harmless(str(error))) from error
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        except OSError as error:  # the journal's place: the file system of a container may be read-only
            raise CommandError(f"VAR_DIR must be writable, to note what was told: {error}") from error

    # ---- telling ----

    def tell(self, url: str | None, token: str | None) -> None:
        if not demo.offers(ALL):
            sender = Sender(find_target("ingest", url, token or kept_token()))
            self.send(sender, self.switch_on(sender.target.token))
        found = list(searches())
        if not found:
            raise CommandError("The story is not to be found: it has expired. `demo clear` makes way for it.")
        self.stdout.write('The demo\'s story is in source "demo". Three searches that find it:')
        for line in found:
            self.stdout.write(line)
        self.stdout.write("Remove it: ./logboom demo clear")

    def switch_on(self, value: str) -> Source:
        """The token's source, which can only be the demo's: it is the one that `clear` empties."""
        token = Token.objects.filter(digest=directory.digest(value)).select_related("source").first()
        if token is None or token.source is None or token.source.name != SOURCE:
            raise CommandError(
                'The story goes to source "demo" only: --token wants a token that sends there.'
            )
        if token.disabled:
            token.disabled = False
            token.save()
            time.sleep(NOTICED_SECONDS)
        return token.source

    def send(self, sender: Sender, source: Source) -> None:
        under_way.rows_left(source)
        there = demo.standing(source.pk)
        journal = story_telling.journal_path(installation.VAR, there.telling)
        if there.told_ns is None:
            story_telling.forget(journal)
        progress = Progress("demo", 0)

        def sent(body: bytes, answer: Answer) -> None:
            progress.move(progress.done + len(body), answer.accepted)

        story_telling.tell(sender, journal, there.telling, sent)
        progress.clear()
        self.stdout.write(f"{progress.lines:,} lines sent.")
        if waiting := under_way.rows_left(source):
            raise CommandError(f"{waiting:,} lines are not stored yet: is a worker running?")

    # ---- removing ----

    def clear(self) -> None:
        source = Source.objects.filter(name=SOURCE).first()
        if source is None:
            self.stdout.write('There is no source "demo": nothing to remove.')
            return
        self.switch_off(source)
        waiting = under_way.rows_left(source)
        with store.connect(settings.DATABASE_URL) as conn:
            erased = erase.erase(conn, source.pk)
        self.stdout.write(result(erased))
        if waiting:
            raise CommandError(
                f"{waiting:,} lines of it are not stored yet (is a worker running?): run it again."
            )

    def switch_off(self, source: Source) -> None:
        sending = list(Token.objects.filter(source=source, disabled=False))
        for token in sending:
            token.disabled = True
            token.save()
            self.stdout.write(f'Token "{token.name}", which sends to source "demo", is switched off.')
        if sending:
            time.sleep(NOTICED_SECONDS)


def kept_token() -> str | None:
    return os.environ.get("LOGBOOM_TOKEN") or installation.read(installation.SECRETS).get("demo_token")


def result(erased: erase.Erased) -> str:
    if erased == erase.Erased(0, 0):
        return 'Source "demo" is empty: nothing to remove. `./logboom demo` tells the story anew.'
    entries = "1 entry" if erased.quarantined == 1 else f"{erased.quarantined:,} entries"
    return (
        f'Removed from source "demo": {erased.lines:,} lines and {entries} of the quarantine. '
        "`./logboom demo` tells the story anew."
    )


def searches() -> Iterator[str]:
    for offer in demo.offers(ALL):
        yield f"  {offer.title}"
        yield f"    ./logboom search '{offer.q}' --start {offer.start} --end {offer.end}"
