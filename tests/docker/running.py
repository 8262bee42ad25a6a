"""docker-compose.yml without Docker: its services as containers of our images, wired as its networks say.

Each service gets a network namespace with an interface on each of its networks, and knows by name those it
shares one with: who shares none is out of reach for real. Commands, environments, mounts, users, limits and
health checks are the file's. Valkey and PostgreSQL run in our own images of them, the Dockerfile's targets
broker and database: no registry is asked.
"""

import contextlib
import json
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.docker.composed import Service, in_order
from tests.docker.images import Storage, run

APP, BROKER, DATABASE = "localhost/logboom", "localhost/logboom-broker", "localhost/logboom-database"
# What a machine without TimescaleDB's image sets.
OUR_DATABASE = {"DATABASE_IMAGE": f"{DATABASE}:latest", "DATABASE_USER": "999:999"}
TOKENS = {"m": 1024**2, "g": 1024**3}
PATIENCE = 90.0


@dataclass
class Composed:
    storage: Storage
    services: dict[str, Service]
    directory: Path
    prefix: str = field(default_factory=lambda: f"lb{uuid.uuid4().hex[:5]}")
    cold: dict[str, float] = field(default_factory=dict)  # seconds from start to healthy

    # ---- wires ----

    def namespace(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def address(self, service: str, network: str) -> str:
        networks = sorted({each for one in self.services.values() for each in one.networks})
        return f"10.88.{networks.index(network)}.{2 + sorted(self.services).index(service)}"

    def wire(self) -> None:
        """A hub with a bridge for each network, and for each service a cable to each of its networks."""
        hub = self.namespace("hub")
        run("ip", "netns", "add", hub)
        for network in sorted({each for one in self.services.values() for each in one.networks}):
            run("ip", "-n", hub, "link", "add", network, "type", "bridge")
            run("ip", "-n", hub, "link", "set", network, "up")
        for number, service in enumerate(self.services.values()):
            own = self.namespace(service.name)
            run("ip", "netns", "add", own)
            run("ip", "-n", own, "link", "set", "lo", "up")
            for index, network in enumerate(service.networks):
                cable, inside = f"c{number}-{index}", f"eth{index}"
                run("ip", "-n", hub, "link", "add", cable, "type", "veth", "peer", inside, "netns", own)
                run("ip", "-n", hub, "link", "set", cable, "master", network, "up")
                address = f"{self.address(service.name, network)}/24"
                run("ip", "-n", own, "address", "add", address, "dev", inside)
                run("ip", "-n", own, "link", "set", inside, "up")

    def names(self, service: Service) -> dict[str, str]:
        """Whom it knows, as Docker's name server would tell it."""
        return {
            other.name: self.address(other.name, shared[0])
            for other in self.services.values()
            if (shared := [network for network in other.networks if network in service.networks])
        }

    # ---- containers ----

    def up(self) -> None:
        self.wire()
        for service in in_order(self.services):
            began = time.monotonic()
            self.start(service)
            self.wait_for(service)
            self.cold[service.name] = time.monotonic() - began

    def start(self, service: Service) -> None:
        image = APP if service.ours else {"database": DATABASE}.get(service.name, BROKER)
        mode = ("--detach", "--name", self.namespace(service.name), "--pull", "never")
        self.storage.podman("run", *mode, *self.options(service), image, *service.command)

    def options(self, service: Service) -> list[str]:
        """Every line of the service that bounds it or gives it something."""
        limits, raw = service.limits, service.raw
        words = ["--network", f"ns:/run/netns/{self.namespace(service.name)}"]
        # The machine may forbid to raise these, and podman would try.
        words += ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"]
        words += ["--read-only", "--read-only-tmpfs=false"] if raw["read_only"] else []
        words += [f"--cap-drop={each}" for each in raw["cap_drop"]]
        words += ["--security-opt=no-new-privileges"]
        words += [f"--tmpfs={each.replace(':', ':rw,', 1)}" for each in raw["tmpfs"]]
        words += [
            f"--cpus={limits['cpus']}",
            f"--memory={limits['memory']}",
            f"--pids-limit={limits['pids']}",
        ]
        words += [f"--user={raw['user']}"] if "user" in raw else []
        words += [f"--stop-signal={raw['stop_signal']}"] if "stop_signal" in raw else []
        words += [f"--env={name}={value}" for name, value in service.environment.items()]
        words += [f"--add-host={name}:{address}" for name, address in self.names(service).items()]
        for place, (volume, writable) in service.mounts.items():
            words += ["--volume", f"{volume}:{place}" + ("" if writable else ":ro")]
        for place, path in service.files.items():
            words += ["--volume", f"{path}:{place}:ro"]
        words += [f"--entrypoint={json.dumps(raw['entrypoint'])}"] if "entrypoint" in raw else []
        words += [f"--shm-size={raw['shm_size']}"] if "shm_size" in raw else []
        return words

    def wait_for(self, service: Service) -> None:
        """Ended well, if it runs once; else healthy by its own check."""
        deadline = time.monotonic() + PATIENCE
        once = "healthcheck" not in service.raw
        while not (
            self.ended(service.name) if once and service.raw["restart"] == "no" else self.healthy(service)
        ):
            assert time.monotonic() < deadline, f"{service.name}: {self.logs(service.name)}"
            assert once or self.running(service.name), f"{service.name} died: {self.logs(service.name)}"
            time.sleep(0.1)

    def healthy(self, service: Service) -> bool:
        if "healthcheck" not in service.raw:
            return self.running(service.name)
        with contextlib.suppress(AssertionError):
            self.execute(service.name, *service.probe)
            return True
        return False

    def execute(self, name: str, *words: str) -> str:
        return self.storage.podman("exec", self.namespace(name), *words)

    def state(self, name: str) -> tuple[str, int]:
        template = "{{.State.Status}} {{.State.ExitCode}}"
        status, code = self.storage.podman("inspect", "--format", template, self.namespace(name)).split()
        return status, int(code)

    def running(self, name: str) -> bool:
        return self.state(name)[0] == "running"

    def ended(self, name: str) -> bool:
        status, code = self.state(name)
        if status != "exited":
            return False
        assert code == 0, f"{name} ended with {code}: {self.logs(name)}"
        return True

    def logs(self, name: str) -> str:
        argv = ["podman", *self.storage.place, "logs", self.namespace(name)]
        done = subprocess.run(argv, capture_output=True, text=True)
        return (done.stdout + done.stderr)[-3000:]

    def stop(self, name: str) -> tuple[float, int]:
        """(seconds it took, exit code) of a stop by the file's signal and grace."""
        service, began = self.services[name], time.monotonic()
        self.storage.podman("stop", "--time", f"{service.grace:.0f}", self.namespace(name))
        return time.monotonic() - began, self.state(name)[1]

    def again(self, name: str) -> None:
        """The same container once more, with the same volumes."""
        self.storage.podman("start", self.namespace(name))
        self.wait_for(self.services[name])

    def volume(self, name: str) -> Path:
        template = "{{.Mountpoint}}"
        return Path(self.storage.podman("volume", "inspect", "--format", template, name).strip())

    def curl(self, name: str, *words: str) -> str:
        """From inside a service's namespace, as a browser beyond its published port would."""
        return run("ip", "netns", "exec", self.namespace(name), "curl", "-sS", "--max-time", "20", *words)

    def reaches(self, caller: str, host: str, port: int) -> bool:
        """Whether a connection can be made from the caller's namespace to where the other one is."""
        for network in self.services[host].networks:
            script = f"exec 3<>/dev/tcp/{self.address(host, network)}/{port}"
            words = ["ip", "netns", "exec", self.namespace(caller), "timeout", "2", "bash", "-c", script]
            if subprocess.run(words, capture_output=True).returncode == 0:
                return True
        return False

    # ---- the end ----

    def down(self) -> None:
        self.storage.podman("rm", "--all", "--force", "--time", "0")
        self.storage.podman("volume", "rm", "--all", "--force")
        for line in run("ip", "netns", "list").splitlines():
            if re.match(rf"{self.prefix}-", line):
                run("ip", "netns", "del", line.split()[0])

    def memory(self, name: str) -> int:
        """Bytes that the container holds now."""
        said = self.storage.podman("stats", "--no-stream", "--format", "json", self.namespace(name))
        used = json.loads(said)[0]["mem_usage"].split("/")[0].strip()
        number, unit = re.match(r"([\d.]+)(\w+)", used).groups()  # type: ignore[union-attr]
        return int(float(number) * {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}[unit])


@contextlib.contextmanager
def composed(storage: Storage, services: dict[str, Service], directory: Path) -> Iterator[Composed]:
    made = Composed(storage, services, directory)
    try:
        made.up()
        yield made
    finally:
        made.down()
