"""One container by runc: its own process 1, mounts, read-only root, user without capabilities, memory limit.

What Kubernetes asks of a runtime is written into an OCI bundle; a key of a container or a pod that nothing
here knows is an error, so that the chart cannot come to rely on what was never tried. Limits of CPU are left
out (two cores are shared by the whole cluster), and so is the seccomp filter.
"""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.chart.charts import Object
from tests.rig.images import Image

KNOWN = {
    *("name", "image", "imagePullPolicy", "command", "args", "env", "ports", "resources", "securityContext"),
    *("volumeMounts", "startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "restartPolicy"),
}
UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
REFERENCE = re.compile(r"\$\(([\w.-]+)\)")
HIDDEN = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]
DEVICES: list[Object] = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "dev", "options": ["nosuid", "mode=755", "size=64k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "ro"]},
]
SHM = {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "size=64m"]}


@dataclass(frozen=True)
class Mount:
    source: Path
    target: str
    writable: bool


@dataclass(frozen=True)
class Place:
    """Where a container runs: what it shares with the rest of its pod."""

    pod: str
    network: str
    mounts: tuple[Mount, ...]
    files: Path  # hosts, resolv.conf, hostname


def amount(quantity: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w*)", str(quantity)).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def expanded(text: str, known: Mapping[str, str]) -> str:
    """$(NAME) by what was said before; an unknown one stays as it is, as in Kubernetes."""
    return REFERENCE.sub(lambda found: known.get(found[1], found[0]), text)


@dataclass
class Container:
    spec: Object
    image: Image
    security: Object  # the pod's
    environment: dict[str, str]
    place: Place
    state: Path  # runc's, and the bundles'
    log: Path
    process: subprocess.Popen[bytes] | None = None
    number: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        unknown = self.spec.keys() - KNOWN
        assert not unknown, f"{self.spec['name']}: nothing here knows {unknown}"

    @property
    def name(self) -> str:
        return f"{self.place.pod}.{self.spec['name']}.{self.number}"

    @property
    def bundle(self) -> Path:
        return self.state / "bundles" / self.name

    def words(self) -> list[str]:
        """`command` takes the place of the image's entry point; without it nothing here is started."""
        words = [*self.spec["command"], *self.spec.get("args", [])]
        return [expanded(word, self.environment) for word in words]

    def start(self) -> None:
        self.number += 1
        self.bundle.mkdir(parents=True)
        (self.bundle / "config.json").write_text(json.dumps(self.configuration()))
        made = self.bundle / "pid"
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                [*self.runc, "run", "--bundle", str(self.bundle), "--pid-file", str(made), self.name],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        while not made.exists() and self.ended() is None:  # before that no signal would find it
            time.sleep(0.02)

    @property
    def runc(self) -> list[str]:
        return ["runc", "--root", str(self.state / "runc")]

    def ended(self) -> int | None:
        """Its exit code, 128 + N for a signal; None while it runs."""
        assert self.process
        return self.process.poll()

    def wait(self, seconds: float) -> bool:
        assert self.process
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def signal(self, which: signal.Signals) -> None:
        """To process 1; the kernel takes the rest of the container with it. Gone already is fine."""
        subprocess.run([*self.runc, "kill", self.name, which.name], capture_output=True)

    def execute(self, words: list[str], seconds: float = 30) -> subprocess.CompletedProcess[str]:
        """In the running container, as its own user, as `kubectl exec`, probes and preStop do."""
        argv = [*self.runc, "exec", self.name, *words]
        try:
            return subprocess.run(
                argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=seconds
            )
        except subprocess.TimeoutExpired as late:
            return subprocess.CompletedProcess(argv, 124, "", f"no end after {late.timeout} s")

    # ---- the bundle ----

    def configuration(self) -> Object:
        assert self.security["seccompProfile"] == {"type": "RuntimeDefault"}
        return {
            "ociVersion": "1.0.2",
            "process": self.process_part(),
            "root": {"path": str(self.image.root), "readonly": self.own("readOnlyRootFilesystem") is True},
            "hostname": self.place.pod,
            "mounts": self.mounts(),
            "linux": {
                "namespaces": [
                    *({"type": each} for each in ("pid", "ipc", "uts", "mount")),
                    {"type": "network", "path": f"/run/netns/{self.place.network}"},
                ],
                "maskedPaths": HIDDEN,
                "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
                "cgroupsPath": f"/logboom-rig/{os.getpid()}/{self.name}",
                "resources": self.limits(),
            },
        }

    def own(self, key: str) -> object:
        return self.spec["securityContext"].get(key)

    def process_part(self) -> Object:
        assert self.security["runAsNonRoot"] and self.security["runAsUser"] > 0
        assert self.own("capabilities") == {"drop": ["ALL"]} and self.own("allowPrivilegeEscalation") is False
        user, group = self.security["runAsUser"], self.security["runAsGroup"]
        return {
            "user": {"uid": user, "gid": group, "additionalGids": [self.security["fsGroup"]]},
            "args": self.words(),
            "env": [f"{name}={value}" for name, value in self.environment.items()],
            "cwd": self.image.working,
            "capabilities": {},
            "noNewPrivileges": True,
        }

    def mounts(self) -> list[Object]:
        given = sorted(self.place.mounts, key=lambda each: each.target)
        own = [] if any(each.target == "/dev/shm" for each in given) else [SHM]
        names = ("hosts", "resolv.conf", "hostname")
        files = [Mount(self.place.files / name, f"/etc/{name}", False) for name in names]
        machine = [Mount(Path(each), each, False) for each in self.image.shared]
        binds = [
            {
                "destination": each.target,
                "type": "bind",
                "source": str(each.source),
                "options": ["rbind", "rw" if each.writable else "ro", "nosuid", "nodev"],
            }
            for each in [*machine, *files, *given]
        ]
        return [*DEVICES, *own, *binds]

    def limits(self) -> Object:
        memory = self.spec.get("resources", {}).get("limits", {}).get("memory")
        # Without swap: past it the kernel kills, as in a cluster.
        return {"memory": {"limit": amount(memory), "swap": amount(memory)}} if memory else {}
