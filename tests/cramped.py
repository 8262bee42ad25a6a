"""A broker whose volume is a small file system of its own, for real: it meets the end of it at a write."""

import contextlib
import dataclasses
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from webapp.local import servers

NO_NAMESPACES = "A FULL VOLUME IS NOT TESTED: this kernel gives no mount namespace (unshare)"
WAYS = (("unshare", "-Urm"), ("unshare", "-m"))


class Cramped:
    """The file system lives as long as this object; a server on it may end and be started again."""

    def __init__(self, directory: Path, port: int, size: str) -> None:
        self.directory, self.port = directory, port
        self.volume = directory / "volume"
        self.volume.mkdir(parents=True)
        self._holder = subprocess.Popen(
            [*way(), "sh", "-c", f'mount -t tmpfs -o size={size} tmpfs "{self.volume}" && echo && read _'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout and self._holder.stdout.readline() == b"\n", "no tmpfs could be mounted"

    def start(self) -> servers.Server:
        launch = servers.valkey_launch(self.directory, self.port, broker=True)
        binary, config = launch.argv
        argv = (*self._inside(), binary, config, "--dir", str(self.volume))
        self.server = servers.start(dataclasses.replace(launch, argv=argv))
        return self.server

    def grow(self, size: str) -> None:
        command = [*self._inside(), "mount", "-o", f"remount,size={size}", str(self.volume)]
        subprocess.run(command, check=True)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.server.stop()
        self._holder.communicate(b"\n", timeout=10)

    def _inside(self) -> tuple[str, ...]:
        user = ("-U", "--preserve-credentials") if "-Urm" in way() else ()
        return "nsenter", "-t", str(self._holder.pid), *user, "-m"


def way() -> tuple[str, ...]:
    found = next((each for each in WAYS if servers.works(each)), None)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(NO_NAMESPACES)
    return found or pytest.skip(NO_NAMESPACES)


@contextlib.contextmanager
def cramped(directory: Path, port: int, size: str) -> Iterator[Cramped]:
    made = Cramped(directory, port, size)
    try:
        yield made
    finally:
        made.close()
