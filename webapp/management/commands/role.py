"""`manage.py role NAME`: become one of Logboom's processes. Containers start them all like this."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from webapp import roles


class Command(BaseCommand):
    help = "Become one of Logboom's processes."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", choices=sorted(roles.ROLES))

    def handle(self, *args: Any, **options: Any) -> None:
        roles.become(options["name"])
