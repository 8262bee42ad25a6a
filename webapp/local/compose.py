"""What Compose's `init` does before anything else starts: it makes each secret once, into volumes.

Each volume is mounted by its readers alone: `app` by the roles that know the database, `edge` by those that
do not, `database`, `broker` and `cache` by that server. Files are readable by whoever sees the volume, for a
server's image brings its own UID. What is there is kept, so a later start is silent; deleting these volumes
and not the database's leaves it with a password that nobody knows. What a person needs is printed at the
first start, and again until it was printed whole.
"""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from ingest import directory
from webapp import env
from webapp.local.prepare import new_password

ROOT = Path(env.text("SECRETS_DIR", "/secrets"))
DATABASE_URL = "postgresql://logboom:{}@database:5432/logboom"
SERVER_URL = "redis://:{}@{}:6379/0"
EDGE = ("broker_url", "secret_key", "demo_token")  # what ingest, beat, Flower and the producer are given
FACE = """
Logboom: the first three minutes, once `docker compose ps` calls web and ingest healthy

  Dashboard   {public}
              user admin, password {password}   (shown once)
  First line  curl {ingest}/api/v1/logs -H "Authorization: Bearer {token}" \\
                -d '{{"message": "my first line", "service": "hello"}}'
  Then search for it: {public}/?q=service:hello
"""


def main() -> None:
    app, database, broker, cache = ROOT / "app", server("database"), server("broker"), server("cache")
    keep(app / "database_url", lambda: DATABASE_URL.format(database))
    keep(app / "cache_url", lambda: SERVER_URL.format(cache, "cache"))
    keep(app / "broker_url", lambda: SERVER_URL.format(broker, "broker"))
    keep(app / "secret_key", lambda: secrets.token_urlsafe(50))
    keep(app / "admin_password", new_password)
    for source in ("ingest", "demo"):
        keep(app / f"{source}_token", lambda: directory.make_token("ingest"))
    for name in EDGE:
        keep(ROOT / "edge" / name, (app / name).read_text)
    if not (app / "shown").exists():
        print(face(app), flush=True)
        keep(app / "shown", lambda: "yes")


def server(name: str) -> str:
    """The password of a server of ours; Valkey takes it from a file of its own form."""
    password = keep(ROOT / name / "password", lambda: secrets.token_urlsafe(24))
    if name != "database":
        keep(ROOT / name / "valkey.conf", lambda: f"requirepass {password}")
    return password


def keep(path: Path, make: Callable[[], str]) -> str:
    """What the file holds, made now if it never was: under another name and synced, so never half of it."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().strip()
    value, fresh = make(), path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444), "w") as sink:
        sink.write(value.strip() + "\n")
        sink.flush()
        os.fsync(sink.fileno())
    fresh.rename(path)
    return value.strip()


def face(app: Path) -> str:
    return FACE.format(
        public=env.text("PUBLIC_URL", "http://127.0.0.1:8000"),
        ingest=env.text("INGEST_PUBLIC_URL", "http://127.0.0.1:8001"),
        password=(app / "admin_password").read_text().strip(),
        token=(app / "ingest_token").read_text().strip(),
    )


if __name__ == "__main__":
    main()
