"""Cleans up after a cluster whose process died: `python warden.py DIRECTORY PREFIX`, input a pipe from it.

Containers are children of runc and would live on. When the pipe ends, whatever is left is ended: containers,
mounts, namespaces, the directory. After an orderly end nothing is.
"""

import shutil
import subprocess
import sys
from pathlib import Path


def said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True).stdout


def main(where: Path, prefix: str) -> None:
    sys.stdin.read()
    runc = ("runc", "--root", str(where / "containers" / "runc"))
    for name in said(*runc, "list", "--quiet").split():
        said(*runc, "kill", name, "KILL")
    for line in Path("/proc/mounts").read_text().splitlines():
        if (place := line.split()[1]).startswith(f"{where}/"):
            said("umount", "--lazy", place)
    for line in said("ip", "netns", "list").splitlines():
        if line.startswith(f"{prefix}-"):
            said("ip", "netns", "del", line.split()[0])
    shutil.rmtree(where, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
