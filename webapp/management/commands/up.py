"""`manage.py up`: start Logboom on this machine; `make up` makes the environment first."""

import functools
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from webapp import env
from webapp.local import detach, installation, up


class Command(BaseCommand):
    help = "Start Logboom on this machine and keep it running until Ctrl-C or `manage.py down`."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--detach", action="store_true", help="go to the background once it is up")
        parser.add_argument("--no-demo", action="store_true", help="start no demo producer")

    def handle(self, *args: Any, **options: Any) -> None:
        began = env.number("MAKE_BEGAN", time.time())  # make's own start, so that the installation counts
        run = functools.partial(up.up, demo=not options["no_demo"], began=began)
        if options["detach"]:
            raise SystemExit(detach.detached(installation.LOGS / "up.log", run))
        raise SystemExit(run(ready=up.foreground))
