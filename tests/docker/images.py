"""Building our images for real where no registry can be asked: Debian's buildah on a base by debootstrap.

The Dockerfile's `FROM debian:trixie-slim` finds an image of that name, made from the mirror that apt uses.
The base is kept for a month in the user's cache directory; everything else lives in a storage of its own that
goes with the tests. Package indexes, where this machine was given others, are handed to the build as files.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import database
from webapp.local import timescale

BASE = Path(__file__).resolve().parents[2]
SUITE = "trixie"
NAME = f"docker.io/library/debian:{SUITE}-slim"
TOOLS = ("buildah", "podman", "runc", "debootstrap", "ip", "curl")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
KEPT_SECONDS = 30 * 24 * 3600
database.LACKING["images"] = (
    "images cannot be built and run (root, buildah, podman, runc, debootstrap, netns)"
)


def able() -> bool:
    """Whether this machine lets us: root, the tools, network namespaces."""
    if os.geteuid() != 0 or not all(shutil.which(tool) for tool in TOOLS):
        return False
    return subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0


def run(*words: str | Path, timeout: float = 600, **more: object) -> str:
    """What it printed; a failure shows the end of what it said."""
    argv = [str(word) for word in words]
    done = subprocess.run(
        argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout, **more
    )  # type: ignore[call-overload]
    said = str(done.stdout)
    assert done.returncode == 0, f"{' '.join(argv[:12])} …: {(said + done.stderr)[-3000:]}"
    return said


@dataclass(frozen=True)
class Storage:
    """Images and containers under a directory of our own: nothing of the machine's is seen or touched."""

    where: Path

    @property
    def place(self) -> tuple[str, ...]:
        root, runroot = self.where / "storage", self.where / "run"
        return ("--root", str(root), "--runroot", str(runroot), "--storage-driver", "overlay")

    def buildah(self, *words: str | Path) -> str:
        return run("buildah", *self.place, *words)

    def podman(self, *words: str | Path, timeout: float = 600) -> str:
        quiet = ("--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none")
        return run("podman", *self.place, *quiet, *words, timeout=timeout)

    def build(self, tag: str, target: str) -> None:
        words = ["bud", "--pull-never", "--layers=false", "--isolation", "chroot", "--network", "host"]
        words += ["--ulimit", "nofile=4096:4096", *self.indexes(), "--file", "docker/Dockerfile"]
        self.buildah(*words, "--target", target, "--tag", tag, BASE)

    def indexes(self) -> list[str]:
        """Certificates and package indexes of this machine, as the files that pip and npm read."""
        pip, npm = self.where / "pip.conf", self.where / "npmrc"
        pip.write_text(settings({"cert": "/run/ca.crt", "index-url": "PIP_INDEX_URL"}, "[global]\n"))
        npm.write_text(settings({"cafile": "/run/ca.crt", "registry": "npm_config_registry"}, ""))
        mounts = {CERTIFICATES: "/run/ca.crt", pip: "/etc/pip.conf", npm: "/root/.npmrc"}
        there = {path: place for path, place in mounts.items() if path.exists()}
        return [word for path, place in there.items() for word in ("--volume", f"{path}:{place}:ro")]

    def take_base(self, archive: Path) -> None:
        container = self.buildah("from", "scratch").strip()
        self.buildah("add", "--quiet", container, archive, "/")
        self.buildah("config", "--cmd", "/bin/bash", container)
        self.buildah("commit", "--quiet", "--rm", container, NAME)

    def clear(self) -> None:
        """Containers first: they hold mounts."""
        self.podman("rm", "--all", "--force", "--time", "0")
        self.podman("volume", "rm", "--all", "--force")


def settings(wanted: Mapping[str, str], head: str) -> str:
    """Lines of an ini file: a path as it is, a variable's name by its value, if it has one."""
    given = {name: value if "/" in value else os.environ.get(value, "") for name, value in wanted.items()}
    if not CERTIFICATES.exists():
        given = {name: value for name, value in given.items() if value != "/run/ca.crt"}
    return head + "".join(f"{name} = {value}\n" for name, value in given.items() if value)


def base() -> Path:
    """The base's file system as one archive, made now if there is none or only an old one."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "logboom"
    archive = cache / f"debian-{SUITE}.tar"
    if archive.exists() and time.time() - archive.stat().st_mtime < KEPT_SECONDS:
        return archive
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as fresh:
        root = Path(fresh) / "root"
        run("debootstrap", "--variant=minbase", SUITE, root, timescale.mirror())
        for leftover in ("var/cache/apt/archives", "var/lib/apt/lists", "var/log"):
            shutil.rmtree(root / leftover)
            (root / leftover).mkdir()
        (root / "var/cache/apt/archives/partial").mkdir()
        run("tar", "-C", root, "-cf", Path(fresh) / "base.tar", ".")
        (Path(fresh) / "base.tar").rename(archive)
    return archive


@contextlib.contextmanager
def storage() -> Iterator[Storage]:
    """A new one, gone afterwards. Not below /tmp: that may be a small file system in memory."""
    where = Path(tempfile.mkdtemp(prefix="logboom-images-", dir="/var/tmp"))
    made = Storage(where)
    try:
        made.take_base(base())
        yield made
    finally:
        made.clear()
        shutil.rmtree(where)
