"""A spill volume that can be filled: a small tmpfs in a mount namespace of the run's own.

The run begins again inside that namespace (`enter`), so that the mount is gone with its last process, however
that ends. Where the kernel allows none, SPILL_BYTES bounds the directory instead and nothing fills it.
"""

import contextlib
import errno
import os
import subprocess
import sys
from pathlib import Path

INSIDE = "CHAOS_NAMESPACE"
NAMESPACE = ("unshare", "--mount", "--propagation", "private")
LEFT = 4096  # the least that a tmpfs gives


def enter(module: str) -> None:
    """Starts this program again in a namespace of its own, once, if it can be had. Never returns then."""
    if os.environ.get(INSIDE) or os.geteuid() != 0 or not allowed():
        return
    argv = [*NAMESPACE, sys.executable, "-m", module, *sys.argv[1:]]
    os.execvpe(argv[0], argv, {**os.environ, INSIDE: "1"})


def allowed() -> bool:
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0
    return False


class Volume:
    def __init__(self, directory: Path, megabytes: int) -> None:
        directory.mkdir(mode=0o700)
        self.directory, self.full = directory, False
        self.mounted = bool(os.environ.get(INSIDE)) and mounted(directory, megabytes)
        self.ballast = directory / "ballast"

    def fill(self) -> None:
        """Now, and with every call again: what is stored meanwhile makes room."""
        if not self.directory.is_mount():  # whoever removes the mount must not have the machine's disk filled
            raise RuntimeError(f"{self.directory} is no file system of its own any more")
        self.full = True
        step = 1024**2
        with self.ballast.open("ab", buffering=0) as sink:
            while step >= LEFT:
                try:
                    if sink.write(b"\0" * step) < step:
                        step //= 2
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    step //= 2

    def free(self) -> None:
        self.full = False
        with contextlib.suppress(FileNotFoundError):
            self.ballast.unlink()

    def close(self) -> None:
        """So that the directory under it can go; lazily, for whoever still stands in it."""
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.directory)], capture_output=True)


def mounted(directory: Path, megabytes: int) -> bool:
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(directory)]
    return subprocess.run(words, capture_output=True).returncode == 0
