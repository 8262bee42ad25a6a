"""What an installation needs between its servers and its roles: tables, static files, an admin, tokens.

Run by `make up` in a process of its own (`python -m webapp.local.prepare`), once the servers are there and
before anything else is started; every step may be repeated. Secrets that were made once are kept and checked
against the database, so a new database gets the old tokens' successors and an old one keeps its own.
"""

import hashlib
import os
import secrets
import string
from pathlib import Path
from typing import TYPE_CHECKING

import django

from webapp.local import installation
from webapp.local.steps import step

if TYPE_CHECKING:
    from webapp.access.models import Source

RESULT = installation.VAR / "prepared.json"
ADMIN = "admin"
DEFAULT, DEMO = "default", "demo"  # the sources of an installation that was told nothing
LETTERS = string.ascii_letters + string.digits


def main() -> None:
    django.setup()
    with step("Tables migrated"):
        migrate()
    with step("Static files collected"):
        collect_static()
    with step("Admin, sources and tokens ready, directory published"):
        fits = admin()
        tokens()
        publish()
        demo, story = state_of_demo()
    installation.write(
        RESULT,
        {
            "demo": demo,
            "story": story,
            "edition": edition(),
            "server": server(),
            "password_fits": fits,
            "password_shown": not fits or shown(),
        },
    )


def migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)


def collect_static() -> None:
    """Only when something changed: compressing what the packages bring takes seconds."""
    from django.conf import settings
    from django.core.management import call_command

    stamp = settings.STATIC_ROOT / ".made-from"
    made_from = fingerprint([Path(settings.BASE_DIR / "requirements.txt"), *settings.STATICFILES_DIRS])
    if stamp.exists() and stamp.read_text() == made_from:
        return
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    stamp.write_text(made_from)


def fingerprint(paths: list[Path]) -> str:
    found = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            found.update(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}\n".encode())
    return found.hexdigest()


def edition() -> str:
    from django.db import connection

    from webapp.logs import editions

    connection.ensure_connection()
    return str(editions.kept(connection.connection))


def server() -> str:
    """What a person wants to know about the database, in a few words."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        version = cursor.fetchone()[0].split()[0]
        cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
        extension = cursor.fetchone()
    return f"PostgreSQL {version}" + (f" with TimescaleDB {extension[0]}" if extension else "")


def admin() -> bool:
    """Whether the password that is kept here is still the admin's."""
    from django.contrib.auth.models import User

    password = installation.keep_secret("admin_password", new_password())
    user = User.objects.filter(username=ADMIN).first()
    if user is None:
        User.objects.create_superuser(ADMIN, password=password)
        return True
    return user.check_password(password)


def shown() -> bool:
    """Whether a start before this one came far enough to show the password."""
    return "password_shown" in installation.read(installation.SECRETS)


def new_password() -> str:
    """About 95 bits, in pieces that can be read aloud."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))


def tokens() -> None:
    from webapp.access.models import Source

    default, _ = Source.objects.get_or_create(name=DEFAULT)
    demo, _ = Source.objects.get_or_create(
        name=DEMO, defaults={"description": "What the demo producer sends."}
    )
    keep_token("ingest_token", "ingest", default)
    keep_token("demo_token", "ingest", demo)
    keep_token("read_token", "read", None)
    keep_token("admin_token", "admin", None)


def keep_token(secret: str, scope: str, source: "Source | None") -> None:
    """The token of this installation: the one that is kept if this database knows it, else a fresh value."""
    from ingest import directory
    from webapp.access import models

    kept = installation.read(installation.SECRETS).get(secret, "")
    if kept and models.Token.objects.filter(digest=directory.digest(kept)).exists():
        return
    name = f"make up: {secret.removesuffix('_token')}"
    token = models.Token.objects.filter(name=name).first() or models.Token(name=name, scope=scope)
    token.source, token.all_sources, token.disabled = source, scope == "read", False
    value = models.token_value(token)
    token.save()
    installation.keep_secret(secret, value, replace=True)


def state_of_demo() -> tuple[bool, int]:
    """Whether its producer may send, and which telling of the story is to be begun or ended (0: none)."""
    from ingest import directory, story_telling
    from webapp.access.models import Source, Token
    from webapp.logs import demo

    kept = installation.read(installation.SECRETS)["demo_token"]
    if Token.objects.get(digest=directory.digest(kept)).disabled:  # by `demo clear`
        return False, 0
    found = demo.standing(Source.objects.get(name=DEMO).pk)
    begun_here = story_telling.journal_path(installation.VAR, found.telling).exists()
    return True, found.telling if found.told_ns is None or begun_here else 0


def publish() -> None:
    from webapp.access import publish

    publish.publish()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    main()
