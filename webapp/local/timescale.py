"""A root directory with PostgreSQL 18 and the Apache edition of TimescaleDB, from Debian's own packages.

No wheel carries TimescaleDB and Debian 12 does not package it, so the packages of Debian forky are unpacked
into a directory of their own, beside the system and without touching it: apt resolves and verifies them by
Debian's keyring, nothing is installed, no script of theirs runs, and no root is needed. The programs want a
newer C library than the machine's; each is wrapped to run under the one unpacked beside it.

    python -m webapp.local.timescale [DIRECTORY]      about 15 seconds, 65 MB to fetch, 200 MB on disk

It is built under another name and renamed when whole: an interrupted build is begun again.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from webapp import env
from webapp.local import servers
from webapp.local.installation import VAR

SUITE = "forky"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PACKAGES = ("postgresql-18", "postgresql-18-timescaledb")
UNPACKED = ("lib", "zlib", "postgresql-18", "postgresql-client-18")  # the rest is for maintainer scripts
PROGRAMS = (
    "postgres",
    "initdb",
    "psql",
    "pg_dump",
    "pg_restore",
    "pg_basebackup",
    "pg_controldata",
    "pg_ctl",
)
BIN = Path("usr/lib/postgresql/18/bin")
SETTINGS = {"shared_preload_libraries": "timescaledb", "timescaledb.telemetry_level": "off"}
# forky's Release file lives a week; a machine whose clock runs ahead of the mirror would refuse it.
APT_CONF = """\
Dir::State "{work}";
Dir::State::status "/dev/null";
Dir::Cache "{work}";
Dir::Etc::sourcelist "{work}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
APT::Install-Recommends "false";
APT::Sandbox::User "";
"""
WRAPPER = """\
#!/bin/sh
# Runs the program of this name under the C library unpacked beside it: the machine's is older.
here=$(dirname "$0")
lib="$here/../../../x86_64-linux-gnu"
exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib" --argv0 "$0" "$here/../elf/$(basename "$0")" "$@"
"""


class TimescaleError(RuntimeError):
    """The root cannot be built here; the sentence says what is missing."""


def root() -> Path:
    """Where the root is, or will be; tests may name another."""
    return Path(env.text("TEST_TIMESCALE_ROOT", str(VAR / "timescale")))


def made(where: Path | None = None) -> bool:
    return ((where or root()) / BIN / "postgres").exists()


def launch(
    directory: Path,
    port: int,
    *,
    where: Path | None = None,
    settings: Mapping[str, str] | None = None,
    password: str = "",
) -> servers.Launch:
    return servers.postgres_launch(
        directory,
        port,
        bin_dir=(where or root()) / BIN,
        settings={**SETTINGS, **(settings or {})},
        password=password,
    )


def server(directory: Path, port: int, *, settings: Mapping[str, str] | None = None) -> servers.Server:
    """A running cluster on the root's PostgreSQL; the extension is made by whoever migrates a database."""
    return servers.start(launch(directory, port, settings=settings))


def build(where: Path) -> None:
    """Idempotent; what stands under the final name is whole."""
    if made(where):
        return
    check_machine()
    work, fresh = where.with_name(where.name + ".work"), where.with_name(where.name + ".new")
    for leftover in (work, fresh):
        shutil.rmtree(leftover, ignore_errors=True)
    fetch(work)
    unpack(work / "archives", fresh)
    wrap(fresh / BIN)
    answer = run([str(fresh / BIN / "postgres"), "--version"])
    shutil.rmtree(work)
    fresh.rename(where)
    print(f"  {answer.strip()} with TimescaleDB (Apache edition) is in {where}", flush=True)


def check_machine() -> None:
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            raise TimescaleError(
                f"{program} is missing: TimescaleDB comes from Debian's packages (try Debian 12)."
            )
    if not KEYRING.exists():
        raise TimescaleError(f"{KEYRING} is missing: apt-get install debian-archive-keyring.")
    if os.uname().machine != "x86_64":
        raise TimescaleError(f"only x86_64 is provided for, this machine is {os.uname().machine}.")
    if not Path("/usr/share/zoneinfo/UTC").exists():
        raise TimescaleError("/usr/share/zoneinfo is missing: apt-get install tzdata.")


def fetch(work: Path) -> None:
    """Packages into work/archives, resolved as if nothing were installed."""
    (work / "lists" / "partial").mkdir(parents=True)
    (work / "archives" / "partial").mkdir(parents=True)
    (work / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {SUITE} main\n")
    (work / "apt.conf").write_text(APT_CONF.format(work=work))
    configured = {**os.environ, "APT_CONFIG": str(work / "apt.conf"), "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "-q", "update"], configured)
    run(["apt-get", "-q", "-y", "--download-only", "install", *PACKAGES], configured)


def mirror() -> str:
    """The machine's own Debian mirror, unless told otherwise."""
    sites = run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]).split()
    for site in [env.text("DEBIAN_MIRROR"), *sites]:
        if site.rstrip("/").endswith("/debian"):
            return site
    raise TimescaleError("apt knows no Debian mirror: set DEBIAN_MIRROR to one, a URL that ends in /debian.")


def unpack(archives: Path, where: Path) -> None:
    where.mkdir(parents=True)
    for package in sorted(archives.glob("*.deb")):
        if package.name.startswith(UNPACKED):
            run(["dpkg-deb", "-x", str(package), str(where)])


def wrap(programs: Path) -> None:
    """A program finds its share directory from the path it was called by, so the wrapper keeps the place."""
    elf = programs.with_name("elf")
    elf.mkdir()
    for name in PROGRAMS:
        (programs / name).rename(elf / name)
        (programs / name).write_text(WRAPPER)
        (programs / name).chmod(0o755)


def run(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["(it said nothing)"]
        raise TimescaleError(f"`{' '.join(command[:3])}` failed: {said[0]}")
    return done.stdout


def main(arguments: list[str]) -> int:
    where = Path(arguments[0]).absolute() if arguments else root()
    began = time.monotonic()
    try:
        build(where)
    except TimescaleError as error:
        print(f"No TimescaleDB: {error}", file=sys.stderr)
        return 1
    print(f"  TimescaleDB root ready ({time.monotonic() - began:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
