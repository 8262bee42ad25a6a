"""`manage.py wait database|migrations`: returns when the database answers, or has every table of this code.

What pods do before their role begins. One process that looks again and again: a new one for each look would
cost the node two seconds of CPU every time, of several pods at once, while the database is being made. And it
hears SIGTERM, which a shell as a container's first process does not: a pod that waits can be deleted.
"""

import signal
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor


class Command(BaseCommand):
    help = "Wait for the database, or for the tables that this version of the code wants."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("database", "migrations"))
        parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS")

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        said = ""
        while missing := lacking(options["what"]):
            if missing != said:
                print(f"waiting for the {options['what']}: {missing}", flush=True)
            said = missing
            time.sleep(options["every"])


def lacking(what: str) -> str:
    """In a sentence what is not there yet, or nothing. No connection is kept between two looks."""
    try:
        if what == "database":
            connection.ensure_connection()
            return ""
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except OperationalError as error:
        return str(error).strip()
    finally:
        connection.close()
    return f"{len(plan)} to come, the first is {plan[0][0]}" if plan else ""
