"""`manage.py spill list|verify|replay|drain|lost`: spill directories, for the person who is called at night.

list      what lies where, whether its worker runs, what was set aside and why. Reads the directories alone.
verify    every checksum; of what cannot be read, whether broker or ledger have it all the same.
drain     directories whose worker is gone: their files are stored, oldest first.
replay    FILE ...: what can be read of files that were set aside is stored, each batch once.
lost      BATCH ...: batches whose volume is gone for good are noted in quarantine, so that the books close.

Exit code 0: done, and nothing is wrong; 1: a person is needed, the output says for what; 2: a part that is
needed does not answer, nothing is lost, try again. A damaged file is deleted by nothing but `replay FILE
--discard`.
"""

import uuid
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ingest.buffer import Buffer, connect
from ingest.errors import IngestError
from webapp.logs.errors import StoreError
from webapp.pipeline.saying import counted, plain
from workers import draining, salvage, spill_words, verifying, volumes
from workers.database import Database

PERSON, AWAY = 1, 2
ACTIONS = ("list", "verify", "drain", "replay", "lost")


class Command(BaseCommand):
    requires_system_checks = ()  # it must work while the rest of the installation does not
    help = "Spill files: list, verify, drain, replay what was set aside, note what is lost."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument(
            "named", nargs="*", help="replay: files that were set aside; lost: ids of batches"
        )
        parser.add_argument(
            "--dir", type=Path, default=settings.SPILL_DIR, help="holds one directory a worker"
        )
        parser.add_argument("--json", action="store_true", help="one JSON value instead of text")
        parser.add_argument(
            "--accept-duplicates",
            action="store_true",
            help="replay: also a file that is older than the ledger remembers. A batch of it that was stored "
            "then is stored a second time.",
        )
        parser.add_argument(
            "--discard",
            action="store_true",
            help="replay: afterwards delete each named file, also where part of it cannot be read. That part "
            "goes into quarantine as far as the broker knows it.",
        )

    def handle(self, *args: Any, action: str, named: list[str] | None = None, **options: Any) -> None:
        self.options = {"json": False, "accept_duplicates": False, "discard": False, **options}
        self.root = Path(self.options["dir"])
        self.named = named or []
        self.check_words(action)
        act = {
            "list": self.show,
            "verify": self.verify,
            "drain": self.drain,
            "replay": self.replay,
            "lost": self.lost,
        }
        with self.answered():
            code = act[action]()
        if code:
            raise SystemExit(code)

    def check_words(self, action: str) -> None:
        if (action in ("replay", "lost")) != bool(self.named):
            what = {"replay": "the files to replay", "lost": "the batches that are lost"}
            wrong = f"{action} takes no names" if self.named else f"{action}: name {what[action]}"
            raise CommandError(f"{wrong}.", returncode=PERSON)
        for option in ("accept_duplicates", "discard"):
            if self.options[option] and action != "replay":
                raise CommandError(f"--{option.replace('_', '-')} goes with replay alone.", returncode=PERSON)

    # ---- the actions: each gives its exit code ----

    def show(self) -> int:
        found = volumes.volumes(self.root)
        self.tell(found, lambda: spill_words.listed(found))
        return 0

    def verify(self) -> int:
        with closing(self.database()) as database:
            verdict = verifying.verify(self.root, connect(settings.BROKER_URL), database)
        self.tell(verdict, lambda: spill_words.verified(verdict))
        return PERSON if verdict.damaged else 0

    def drain(self) -> int:
        found = []
        for directory in volumes.directories(self.root):
            with closing(self.database()) as database:
                found.append(draining.drain(directory, self.buffer(), database))
            if not self.options["json"]:
                self.write(spill_words.drained(found[-1]))
        if self.options["json"]:
            self.tell(found, lambda: [])
        return max((one.code for one in found), default=0)

    def replay(self) -> int:
        saved = []
        for name in self.named:
            with closing(self.database()) as database:
                one = salvage.replay(
                    Path(name),
                    self.buffer(),
                    database,
                    accept_duplicates=self.options["accept_duplicates"],
                    discard=self.options["discard"],
                )
            saved.append(one)
            if not self.options["json"]:
                self.write(spill_words.replayed(one))
        if self.options["json"]:
            self.tell(saved, lambda: [])
        return PERSON if any(one.file == "kept" for one in saved) else 0

    def lost(self) -> int:
        with closing(self.database()) as database:
            noted = salvage.lost(self.batches(), self.root, self.buffer(), database)
        self.tell({"noted": noted}, lambda: [f"{counted(noted, 'batch')} noted as lost, in quarantine."])
        return 0

    # ---- what they share ----

    def batches(self) -> list[uuid.UUID]:
        try:
            return [uuid.UUID(name) for name in self.named]
        except ValueError as error:
            raise CommandError(f"{' '.join(self.named)}: ids of batches are wanted.", returncode=1) from error

    @contextmanager
    def answered(self) -> Iterator[None]:
        try:
            yield
        except salvage.Refused as error:
            raise CommandError(str(error), returncode=PERSON) from error
        except FileNotFoundError as error:
            raise CommandError(f"{error.filename}: there is no such file.", returncode=PERSON) from error
        except (StoreError, IngestError, OSError) as error:
            raise CommandError(
                f"Not finished, nothing is lost, try again: {plain(error)}", returncode=AWAY
            ) from error

    def database(self) -> Database:
        return Database(settings.DATABASE_URL, seconds=settings.DEADLINE_SECONDS)

    def buffer(self) -> Buffer:
        return Buffer(connect(settings.BROKER_URL))

    def tell(self, value: Any, lines: Callable[[], list[str]]) -> None:
        if self.options["json"]:
            self.stdout.write(msgspec.json.encode(value, enc_hook=str).decode())
        else:
            self.write(lines())

    def write(self, lines: list[str]) -> None:
        for line in lines:
            self.stdout.write(line)
