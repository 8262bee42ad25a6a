"""A pod's life as the kubelet leads it: volumes, init containers in order, containers, the end.

Each pod has a thread, and so has each of its containers (runner.py).
"""

import base64
import http.client
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from tests.chart.charts import Object
from tests.rig.container import Container, Place, expanded
from tests.rig.network import inside
from tests.rig.runner import BACKOFF, LONGEST, TICK, Runner, end, end_all
from tests.rig.volumes import NotYet, Volumes

if TYPE_CHECKING:
    from tests.rig.cluster import Cluster

RESOLV = """\
nameserver {dns}
search {namespace}.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
"""


class Phase(Enum):
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    GONE = "Gone"


@dataclass
class Pod:
    cluster: "Cluster"
    name: str
    namespace: str
    labels: Mapping[str, str]
    owner: str  # Kind/name
    revision: str  # of the template it was made from
    spec: Object
    claimed: Mapping[str, str] = field(default_factory=dict)
    phase: Phase = Phase.PENDING
    network: str = ""
    address: str = ""
    waiting: str = ""
    runners: list[Runner] = field(default_factory=list)
    sidecars: list[Runner] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    force: bool = False
    thread: threading.Thread | None = None
    volumes: Volumes = field(init=False)
    began: float = field(default_factory=time.monotonic)
    ready_after: float | None = None

    # ---- what others ask ----

    @property
    def component(self) -> str:
        return self.labels.get("app.kubernetes.io/component", self.name)

    @property
    def ready(self) -> bool:
        if self.phase is not Phase.RUNNING or self.stopping.is_set():
            return False
        found = all(each.ready for each in [*self.sidecars, *self.runners])
        if found and self.ready_after is None:
            self.ready_after = time.monotonic() - self.began
        return found

    @property
    def grace(self) -> float:
        return float(self.spec.get("terminationGracePeriodSeconds", 30))

    @property
    def restarts(self) -> int:
        return sum(each.restarts for each in self.runners)

    def tell(self, what: str) -> None:
        self.cluster.tell(f"{self.name}: {what}")

    def execute(self, *words: str, seconds: float = 60) -> str:
        """As `kubectl exec` does, in its first container."""
        container = self.runners[0].container
        assert container, f"{self.name} runs no container"
        done = container.execute(list(words), seconds)
        assert done.returncode == 0, f"{self.name}: {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def said(self) -> str:
        """The end of what its containers wrote."""
        found = sorted(self.cluster.logs.glob(f"{self.name}.*.log"))
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in found)

    # ---- its life ----

    def plug(self) -> None:
        self.network, self.address = self.cluster.hub.attach()

    def begin(self) -> None:
        self.thread = threading.Thread(target=self.live, name=self.name)
        self.thread.start()

    def live(self) -> None:
        try:
            self.prepare()
            if self.initialise():
                self.phase = Phase.RUNNING
                self.runners = [Runner(self, each) for each in self.spec["containers"]]
                for runner in self.runners:
                    runner.begin()
                self.outlive()
        except BaseException as fault:  # a thread's: whoever waits is shown it
            self.cluster.fault = fault
            raise
        finally:
            self.end()

    def prepare(self) -> None:
        where = self.cluster.where / "pods" / self.name
        where.mkdir(parents=True)
        dns = RESOLV.format(dns=self.cluster.dns, namespace=self.namespace)
        for name, text in (
            ("hosts", f"127.0.0.1 localhost\n{self.address} {self.name}\n"),
            ("resolv.conf", dns),
            ("hostname", f"{self.name}\n"),
        ):
            (where / name).write_text(text)
        self.volumes = Volumes(
            self.spec,
            where / "volumes",
            self.cluster.where / "claims",
            lambda kind, name: self.cluster.find(kind, name, self.namespace),
            self.cluster.token(self.spec["serviceAccountName"]),
            self.claimed,
        )
        self.patiently(self.volumes.make)

    def patiently(self, act: Callable[[], object]) -> None:
        """What is not there yet may come."""
        while not self.stopping.is_set():
            try:
                act()
            except NotYet as missing:
                self.waiting = str(missing)
                self.stopping.wait(4 * TICK)
            else:
                self.waiting = ""
                return

    def initialise(self) -> bool:
        """One after the other, each until it has ended well; one that is to go on running, until started."""
        for spec in self.spec.get("initContainers", []):
            if spec.get("restartPolicy") == "Always":
                self.sidecars.append(Runner(self, spec))
                self.sidecars[-1].begin()
                while not self.sidecars[-1].started and not self.stopping.wait(TICK):
                    pass
            else:
                self.run_once(spec)
            if self.stopping.is_set():
                return False
        return not self.stopping.is_set()

    def run_once(self, spec: Object) -> None:
        pause = BACKOFF
        while (container := self.container(spec)) is not None:
            container.start()
            while container.ended() is None:
                if self.stopping.wait(TICK):
                    end(container, spec, self, 0.0 if self.force else self.grace)
            if container.ended() == 0:
                return
            self.tell(f"init container {spec['name']} ended with {container.ended()}")
            if self.stopping.wait(pause):
                return
            pause = min(LONGEST, 2 * pause)

    def outlive(self) -> None:
        while not self.stopping.wait(TICK):
            if self.runners and all(each.finished for each in self.runners):
                good = all(each.ended_with[-1] == 0 for each in self.runners)
                self.phase = Phase.SUCCEEDED if good else Phase.FAILED
                return

    def container(self, spec: Object) -> Container | None:
        """None when the pod ends before everything the container wants is there."""
        made: list[Container] = []
        self.patiently(lambda: made.append(self.make(spec)))
        return made[0] if made else None

    def make(self, spec: Object) -> Container:
        image = self.cluster.image(spec["image"])
        environment = {**image.environment, "HOSTNAME": self.name, **self.cluster.own_environment()}
        for entry in spec.get("env", []):
            environment[entry["name"]] = self.value(entry, environment)
        where = self.cluster.where / "pods" / self.name
        place = Place(self.name, self.network, self.volumes.mounts(spec), where)
        log = self.cluster.logs / f"{self.name}.{spec['name']}.log"
        state = self.cluster.where / "containers"
        container = Container(spec, image, self.spec["securityContext"], environment, place, state, log)
        container.number = self.cluster.next_number()
        return container

    def value(self, entry: Object, known: Mapping[str, str]) -> str:
        source = entry.get("valueFrom")
        if source is None:
            return expanded(entry.get("value", ""), known)
        if reference := source.get("secretKeyRef"):
            return base64.b64decode(self.key(reference, "Secret")).decode()
        if reference := source.get("configMapKeyRef"):
            return self.key(reference, "ConfigMap")
        path = source["fieldRef"]["fieldPath"]
        fields = {
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "status.podIP": self.address,
        }
        return fields[path]

    def key(self, reference: Object, kind: str) -> str:
        found = self.volumes.found(kind, reference["name"])
        if reference["key"] not in found["data"]:
            raise NotYet(f"{kind} {reference['name']} has no {reference['key']}")
        return str(found["data"][reference["key"]])

    # ---- probes ----

    def asker(self, container: Container) -> Callable[[Object, float], bool]:
        def ask(spec: Object, seconds: float) -> bool:
            if command := spec.get("exec"):
                return container.execute(command["command"], seconds).returncode == 0
            if where := spec.get("httpGet"):
                return self.fetches(container.spec, where, seconds)
            return self.connects(self.port(container.spec, spec["tcpSocket"]["port"]), seconds)

        return ask

    def port(self, container: Object, named: str | int) -> int:
        if isinstance(named, int):
            return named
        [found] = [each["containerPort"] for each in container["ports"] if each["name"] == named]
        return int(found)

    def fetches(self, container: Object, where: Object, seconds: float) -> bool:
        """From the node, with the pod's address as Host."""
        assert not where.keys() - {"path", "port"}, "the chart's probes are plain"
        port = self.port(container, where["port"])
        connection = http.client.HTTPConnection(self.address, port, timeout=seconds)
        try:
            with inside(self.cluster.hub.name):
                connection.connect()
            connection.request("GET", where["path"], headers={"User-Agent": "kube-probe/1.34"})
            return 200 <= connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def connects(self, port: int, seconds: float) -> bool:
        try:
            with inside(self.cluster.hub.name):
                socket.create_connection((self.address, port), seconds).close()
        except OSError:
            return False
        return True

    # ---- the end ----

    def delete(self, *, force: bool = False) -> None:
        """Returns at once; forced, nothing is asked and nothing waited for."""
        self.force = force
        self.stopping.set()

    def kill(self) -> None:
        """SIGKILL to process 1 of its first container, as out of memory would; the pod starts it again."""
        container = self.runners[0].container
        assert container
        container.signal(signal.SIGKILL)

    def end(self) -> None:
        outcome = self.phase if self.phase in (Phase.SUCCEEDED, Phase.FAILED) else None
        self.phase = Phase.TERMINATING
        self.stopping.set()
        end_all(self.runners, self, 0.0 if self.force else self.grace)
        end_all(self.sidecars, self, 0.0 if self.force else self.grace)
        self.cluster.hub.detach(self.network)
        if hasattr(self, "volumes"):
            self.volumes.remove()
        shutil.rmtree(self.cluster.where / "pods" / self.name, ignore_errors=True)
        self.phase = outcome or Phase.GONE
