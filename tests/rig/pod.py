"""A pod's life as the kubelet leads it: volumes, init containers in order, probes, restarts, the end.

Each pod has a thread, and so has each of its containers. Periods are shortened by PACE; what a probe may take
and what a startup may last in all are not, for this machine is slower than a node. A container that ends is
started again in the same pod (same address, same emptyDirs), after a pause that doubles.
"""

import base64
import http.client
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from tests.chart.charts import Object
from tests.rig.container import Container, Place, expanded
from tests.rig.network import inside
from tests.rig.volumes import NotYet, Volumes

if TYPE_CHECKING:
    from tests.rig.cluster import Cluster

PACE = 0.4  # of every period, pause and preStop sleep
TICK = 0.1
BACKOFF, LONGEST = 1.0, 10.0  # seconds until a container that ended again is started again
DEFAULTS = {"periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3, "successThreshold": 1}
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
class Probe:
    """One probe of a container and its last answers."""

    spec: Object
    ask: Callable[[Object, float], bool]
    due: float = 0.0
    failures: int = 0

    def __getitem__(self, key: str) -> float:
        return float(self.spec.get(key, DEFAULTS[key]))

    def now(self) -> bool | None:
        """What it found; None when it is not due yet."""
        if time.monotonic() < self.due:
            return None
        good = self.ask(self.spec, self["timeoutSeconds"])
        self.due = time.monotonic() + self["periodSeconds"] * PACE
        self.failures = 0 if good else self.failures + 1
        return good

    @property
    def failed(self) -> bool:
        return self.failures >= self["failureThreshold"]


@dataclass
class Runner:
    """One container of a pod, started again whenever it ends, until the pod ends."""

    pod: "Pod"
    spec: Object
    ready: bool = False
    started: bool = False
    restarts: int = 0
    finished: bool = False  # ended well and is not to run again
    ended_with: list[int] = field(default_factory=list)
    thread: threading.Thread | None = None
    container: Container | None = None

    def begin(self) -> None:
        self.thread = threading.Thread(target=self.live, name=f"{self.pod.name}/{self.spec['name']}")
        self.thread.start()

    def live(self) -> None:
        pause = BACKOFF
        while not self.pod.stopping.is_set():
            self.container = self.pod.container(self.spec)
            if self.container is None:
                return
            self.container.start()
            self.watch(self.container)
            self.ready = self.started = False
            code = self.container.ended()
            self.ended_with.append(-1 if code is None else code)
            policy = self.spec.get("restartPolicy") or self.pod.spec.get("restartPolicy", "Always")
            if policy == "Never" or (policy == "OnFailure" and code == 0):
                self.finished = True
                return
            self.restarts += 1
            if self.pod.stopping.wait(pause if self.restarts > 1 else TICK):
                return
            pause = min(LONGEST, 2 * pause)

    def watch(self, container: Container) -> None:
        """Until the process has ended."""
        probes = {
            kind: Probe(self.spec[kind], self.pod.asker(container))
            for kind in ("startupProbe", "livenessProbe", "readinessProbe")
            if kind in self.spec
        }
        startup = probes.pop("startupProbe", None)
        until = time.monotonic() + (startup["periodSeconds"] * startup["failureThreshold"] if startup else 0)
        while container.ended() is None:
            if not self.started:
                self.started = startup is None or startup.now() is True
                if not self.started and time.monotonic() > until:
                    self.replace(container, "its startup probe never succeeded")
            elif not self.pod.stopping.is_set():
                self.look(container, probes)
            time.sleep(TICK)

    def look(self, container: Container, probes: Mapping[str, Probe]) -> None:
        liveness, readiness = probes.get("livenessProbe"), probes.get("readinessProbe")
        if liveness and liveness.now() is False and liveness.failed:
            self.replace(container, f"its liveness probe failed {liveness.failures} times")
        if readiness is None:
            self.ready = True
        elif (found := readiness.now()) is not None:
            self.ready = found or (self.ready and not readiness.failed)

    def replace(self, container: Container, why: str) -> None:
        self.pod.tell(f"{self.spec['name']}: {why}")
        end(container, self.spec, self.pod, self.pod.grace)


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


def end_all(runners: Iterable[Runner], pod: Pod, grace: float) -> None:
    threads = [
        threading.Thread(target=end, args=(each.container, each.spec, pod, grace))
        for each in runners
        if each.container and each.container.process and each.container.ended() is None
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for runner in runners:
        if runner.thread and runner.thread is not threading.current_thread():
            runner.thread.join()


def end(container: Container, spec: Object, pod: Pod, grace: float) -> None:
    """preStop, then SIGTERM to process 1, then SIGKILL: all within the grace period."""
    began = time.monotonic()
    if grace:
        before_stop(container, spec.get("lifecycle", {}).get("preStop"), pod, grace)
        container.signal(signal.SIGTERM)
        if container.wait(max(1.0, began + grace - time.monotonic())):
            pod.tell(f"{spec['name']} ended after {time.monotonic() - began:.1f} s with {container.ended()}")
            return
        pod.tell(f"{spec['name']} did not end within {grace:.0f} s and was killed")
        pod.cluster.overdue.append(f"{pod.name}/{spec['name']}")
    container.signal(signal.SIGKILL)
    container.wait(30)


def before_stop(container: Container, hook: Object | None, pod: Pod, grace: float) -> None:
    if hook is None:
        return
    if sleep := hook.get("sleep"):
        time.sleep(min(grace, sleep["seconds"] * PACE))
        return
    done = container.execute(hook["exec"]["command"], grace)
    if done.returncode and container.ended() is None:
        pod.tell(f"preStop of {container.spec['name']} failed: {done.stdout}{done.stderr}")
