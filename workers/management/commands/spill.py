"""`manage.py spill list|verify|drain`: look at spill directories, or empty those whose worker is gone.

Exit status: list 0; verify 0 if every file is whole; drain 0 only if nothing is left to store.
"""

import os
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ingest.buffer import Buffer, connect
from ingest.errors import BrokerGone
from webapp.logs.errors import StoreError
from workers import flusher, spill, spool
from workers.breaker import Breaker
from workers.database import Database
from workers.errors import Damaged, DirectoryTaken


class Command(BaseCommand):
    requires_system_checks = ()  # it must work while the rest of the installation does not
    help = "Spill files: list them, verify their checksums, or drain what a removed worker left behind."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=("list", "verify", "drain"))
        parser.add_argument(
            "--dir", type=Path, default=settings.SPILL_DIR, help="holds one directory a worker"
        )

    def handle(self, *args: Any, action: str, dir: Path, **options: Any) -> None:
        left = {"list": self.list, "verify": self.verify, "drain": self.drain}[action](dir)
        if left:
            raise CommandError(left)

    def list(self, root: Path) -> str:
        for path in files(root):
            self.stdout.write(f"{path}  {path.stat().st_size} bytes  {described(path)}")
        return ""

    def verify(self, root: Path) -> str:
        damaged = [path for path in files(root) if not whole(path)]
        for path in damaged:
            self.stdout.write(f"{path}  {described(path)}")
        return f"{len(damaged)} damaged" if damaged else ""

    def drain(self, root: Path) -> str:
        problems = [problem for directory in directories(root) if (problem := self.drain_one(directory))]
        return "; ".join(problems)

    def drain_one(self, directory: Path) -> str:
        try:
            owned = spool.Spool(directory, most_bytes=settings.SPILL_BYTES)
        except DirectoryTaken:
            self.stdout.write(f"{directory}: its worker is running and drains it")
            return ""
        try:
            return self.flush_all(owned)
        finally:
            owned.close()

    def flush_all(self, owned: spool.Spool) -> str:
        database = Database(settings.DATABASE_URL, seconds=settings.DEADLINE_SECONDS)
        flushing = flusher.of_settings(
            spool=owned, buffer=Buffer(connect(settings.BROKER_URL)), database=database, breaker=Breaker()
        )
        with closing(database):
            for path in owned.waiting():
                try:
                    flushing.flush(path)
                except (StoreError, BrokerGone, OSError) as error:
                    return f"{path}: {error}"
                self.stdout.write(f"{path}: done")
        aside = len(owned.aside())
        return f"{owned.directory}: {aside} files set aside need a person" if aside else ""


def directories(root: Path) -> Iterator[Path]:
    """The root itself may be one worker's volume."""
    if (root / ".lock").exists():
        yield root
    for child in sorted(root.iterdir()) if root.is_dir() else []:
        if child.is_dir() and (child / ".lock").exists() and os.access(child, os.R_OK):
            yield child


def files(root: Path) -> Iterator[Path]:
    for directory in directories(root):
        yield from sorted(path for path in directory.iterdir() if spill.SUFFIX in path.suffixes)


def described(path: Path) -> str:
    try:
        contents = spill.decode(path.read_bytes())
    except Damaged as error:
        return f"damaged: {error}"
    rows = sum(batch.rows for batch in contents.batches)
    damage = f", damaged: {contents.damage}" if contents.damage else ""
    return f"{len(contents.batches)} batches, {rows} rows{damage}"


def whole(path: Path) -> bool:
    try:
        return spill.decode(path.read_bytes()).damage is None
    except Damaged:
        return False
