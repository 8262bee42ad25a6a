"""`manage.py status`: what runs here, and whether it is ready. Exit code 0 when everything is, else 1."""

from typing import Any

from django.core.management.base import BaseCommand

from webapp.local import installation, status


class Command(BaseCommand):
    help = "Say which of Logboom's processes run here and whether they are ready."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        pid = installation.holder()
        if pid is None:
            self.stdout.write(f"  Logboom is not up in {installation.VAR}: `make up` starts it.")
            raise SystemExit(1)
        known = installation.read(installation.UP)
        states = status.states(known.get("pids", {}))
        self.stdout.write(f"  Logboom runs under pid {pid} ({known.get('edition', 'starting')})")
        for state in states:
            self.stdout.write(f"  {state.name:<9} {state.word:<9} {' '.join(map(str, state.pids))}")
        raise SystemExit(0 if states and all(state.word == "ready" for state in states) else 1)
