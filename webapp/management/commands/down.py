"""`manage.py down`: stop what `manage.py up` runs. Data and secrets stay."""

import os
import signal
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from webapp.local import installation


class Command(BaseCommand):
    help = "Stop Logboom on this machine; data and secrets stay."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seconds", type=float, default=120.0, help="how long to wait for it (120)")

    def handle(self, *args: Any, **options: Any) -> None:
        pid = installation.holder()
        if pid is None:
            self.stdout.write(f"  Logboom is not up in {installation.VAR}.")
            return
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        while installation.holder() == pid:
            if time.monotonic() - began > options["seconds"]:
                raise CommandError(f"pid {pid} has not ended yet; its logs are in {installation.LOGS}.")
            time.sleep(0.05)
        self.stdout.write(f"  Logboom is down ({time.monotonic() - began:.1f} s). Your data stays.")
