"""The cluster: objects, the loop that brings pods in line with them, and the network that follows.

`apply` and `remove` are what Helm does with a release; claims, and Secrets made by Jobs, are beside every
release and stay. Network policies hold from a pod's first packet. Endpoints follow LAG seconds behind, as
they do on real nodes: that is why HTTP pods sleep before they stop.
"""

import itertools
import json
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.chart.charts import Object, matches
from tests.rig import controllers, images, names, warden
from tests.rig.apiserver import ApiServer, certificate
from tests.rig.controllers import Steps, Wanted
from tests.rig.images import Image
from tests.rig.network import Hub, Packet
from tests.rig.pod import Phase, Pod
from tests.rig.policies import Firewall, Peer, Service

LAG = 0.6  # seconds from a change of readiness until every proxy has heard
TICK = 0.1
PATIENCE = 600.0  # for a machine that does much else besides
API, DNS = "10.96.0.1", "10.96.0.10"
SYSTEM = "kube-system"
Key = tuple[str, str, str]  # kind, namespace, name


@dataclass(frozen=True)
class Stranger:
    """An address with nothing behind it but whoever opens sockets there: a client, a neighbour, a thief."""

    namespace: str
    labels: dict[str, str]
    network: str
    address: str


@dataclass
class Cluster:
    where: Path
    build: Callable[[Path], dict[str, Image]] = images.all_of_them
    hub: Hub = field(default_factory=Hub)
    dns: str = DNS
    objects: dict[Key, Object] = field(default_factory=dict)
    outside: dict[Key, Object] = field(default_factory=dict)  # beside every release
    pods: list[Pod] = field(default_factory=list)
    history: dict[str, Pod | Stranger] = field(default_factory=dict)  # by address; none is given twice
    strangers: list[Stranger] = field(default_factory=list)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)  # of Services
    tokens: dict[str, str] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    overdue: list[str] = field(default_factory=list)  # containers that outlived their grace period
    finished: set[str] = field(default_factory=set)  # Jobs
    failures: dict[str, int] = field(default_factory=dict)  # of Jobs whose pods are not to start again
    lock: threading.RLock = field(default_factory=threading.RLock)
    over: threading.Event = field(default_factory=threading.Event)
    fault: BaseException | None = None

    def __post_init__(self) -> None:
        self.logs = self.where / "logs"
        self.logs.mkdir()
        self.began = time.monotonic()
        self.numbers = itertools.count(1)
        self.pending: deque[tuple[float, dict[str, tuple[str, ...]]]] = deque()
        self.seen: dict[str, tuple[str, ...]] = {}  # endpoints as they are
        self.told: dict[str, tuple[str, ...]] = {}  # as the proxies know them
        self.loaded, self.published = "", ""
        self.programmed: object = None
        self.fixed: tuple[Service, ...] = ()

    # ---- up and down ----

    def up(self) -> None:
        words = [sys.executable, warden.__file__, str(self.where), self.hub.prefix]
        self.warden = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True)
        self.images = self.build(self.where / "images")
        self.hub.up()
        control, resolver = self.stranger(SYSTEM), self.stranger(SYSTEM, **{"k8s-app": "kube-dns"})
        self.authority, key = certificate(self.where, API)
        self.api = ApiServer(self, self.authority, key)
        self.api.serve(control.network, control.address, 6443)
        self.fixed = (
            Service(API, "tcp", 443, 6443, (control.address,)),
            *(Service(DNS, each, 53, 53, (resolver.address,)) for each in ("udp", "tcp")),
        )
        self.program()
        words = [sys.executable, names.__file__, resolver.address, str(self.where / "records.json")]
        self.resolver = subprocess.Popen(["ip", "netns", "exec", resolver.network, *words])
        self.loop = threading.Thread(target=self.reconcile, name="controllers")
        self.loop.start()

    def down(self) -> None:
        self.over.set()
        if hasattr(self, "loop"):
            self.loop.join()
        for pod in self.pods:
            pod.delete(force=True)
        for pod in self.pods:
            if pod.thread:
                pod.thread.join()
        if hasattr(self, "resolver"):
            self.resolver.send_signal(signal.SIGTERM)
            self.resolver.wait()
        if hasattr(self, "api"):
            self.api.close()
        self.hub.down()
        self.warden.communicate()

    def tell(self, what: str) -> None:
        self.events.append(f"{time.monotonic() - self.began:7.2f}  {what}")

    def next_number(self) -> int:
        return next(self.numbers)

    # ---- objects ----

    def apply(self, release: list[Object]) -> None:
        """What Helm does with a rendered release: make, change, and remove what is no longer rendered."""
        fresh = {key_of(each): each for each in release}
        with self.lock:
            for key in fresh.keys() & self.objects.keys():
                if key[0] in ("Deployment", "StatefulSet", "Job"):
                    controllers.check_change(self.objects[key], fresh[key])
            for _, namespace, _ in fresh:
                self.namespaces.setdefault(namespace, {"kubernetes.io/metadata.name": namespace})
                self.beside(namespace, self.root_certificates(namespace))
            self.objects = fresh

    def root_certificates(self, namespace: str) -> Object:
        metadata = {"name": "kube-root-ca.crt", "namespace": namespace}
        return {"kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": self.authority.read_text()}}

    def remove(self) -> None:
        """`helm uninstall`: everything of the release; returns when the last pod is gone."""
        with self.lock:
            self.objects = {}
            self.finished.clear()
        self.until(lambda: not self.pods, "every pod gone")

    def trigger(self, cronjob: str, namespace: str) -> str:
        """A CronJob's Job, now, as `kubectl create job --from` makes it: its name."""
        found = self.find("CronJob", cronjob, namespace)
        assert found, f"no CronJob {cronjob}"
        name = f"{cronjob}-{secrets.token_hex(2)}"
        metadata = {"name": name, "namespace": namespace}
        made = {**found["spec"]["jobTemplate"], "kind": "Job", "metadata": metadata}
        with self.lock:
            self.objects = {**self.objects, ("Job", namespace, name): made}
        return name

    def beside(self, namespace: str, each: Object) -> None:
        self.outside[(each["kind"], namespace, each["metadata"]["name"])] = each

    def find(self, kind: str, name: str, namespace: str) -> Object | None:
        key = (kind, namespace, name)
        return self.objects.get(key) or self.outside.get(key)

    def of_kind(self, kind: str) -> list[Object]:
        return [each for key, each in list(self.objects.items()) if key[0] == kind]

    def image(self, name: str) -> Image:
        repository = name.partition("@")[0].rpartition(":")[0] or name
        assert repository in self.images, f"{name}: no such image"
        return self.images[repository]

    def token(self, account: str) -> str:
        return self.tokens.setdefault(account, secrets.token_urlsafe(24))

    def account(self, token: str) -> str | None:
        return next((account for account, known in self.tokens.items() if known == token), None)

    def own_environment(self) -> dict[str, str]:
        return {"KUBERNETES_SERVICE_HOST": API, "KUBERNETES_SERVICE_PORT": "443"}

    # ---- the loop ----

    def reconcile(self) -> None:
        try:
            while not self.over.wait(TICK):
                with self.lock:
                    self.step()
        except BaseException as fault:  # a thread's: whoever waits is shown it
            self.fault = fault
            raise

    def step(self) -> None:
        self.pods = [each for each in self.pods if each.phase is not Phase.GONE]
        scalers = self.of_kind("HorizontalPodAutoscaler")
        owners = {controllers.key(each): each for each in self.workloads()}
        for pod in self.pods:
            if pod.owner not in owners:
                pod.delete()
                if pod.phase is Phase.SUCCEEDED:
                    pod.phase = Phase.GONE
        for name, owner in owners.items():
            own = [each for each in self.pods if each.owner == name]
            steps = self.steps(owner, own, scalers)
            for pod in steps.end:
                self.tell(f"{pod.name} is asked to end")
                pod.delete()
            for wanted in steps.make:
                self.make(wanted)
        self.notice()
        self.program()

    def workloads(self) -> Iterator[Object]:
        for kind in ("Job", "StatefulSet", "Deployment"):
            yield from self.of_kind(kind)

    def steps(self, owner: Object, own: list[Pod], scalers: list[Object]) -> Steps:
        if owner["kind"] == "Job":
            name = owner["metadata"]["name"]
            if controllers.finished(own):
                self.finished.add(name)
            for pod in own:
                if pod.phase is Phase.FAILED:
                    self.failures[name] = self.failures.get(name, 0) + 1
                    pod.phase = Phase.GONE
            return controllers.job(owner, own, self.failures.get(name, 0))
        replicas = controllers.least(owner, scalers)
        if owner["kind"] == "StatefulSet":
            return controllers.statefulset(owner, own, replicas)
        return controllers.deployment(owner, own, replicas)

    def make(self, wanted: Wanted) -> None:
        owner, template = wanted.owner, wanted.owner["spec"]["template"]
        suffix = wanted.suffix or f"{wanted.revision[:5]}-{secrets.token_hex(2)}"
        pod = Pod(
            cluster=self,
            name=f"{owner['metadata']['name']}-{suffix}",
            namespace=owner["metadata"]["namespace"],
            labels=template["metadata"]["labels"],
            owner=controllers.key(owner),
            revision=wanted.revision,
            spec=template["spec"],
            claimed=wanted.claimed,
        )
        pod.plug()
        self.history[pod.address] = pod
        self.pods.append(pod)
        self.tell(f"{pod.name} is made at {pod.address}")
        self.program()  # policies hold before its first packet
        pod.begin()

    # ---- the network that follows ----

    def stranger(self, namespace: str, **labels: str) -> Stranger:
        """A pod of somebody else's."""
        network, address = self.hub.attach()
        made = Stranger(namespace, labels, network, address)
        with self.lock:
            self.namespaces.setdefault(namespace, {"kubernetes.io/metadata.name": namespace})
            self.strangers.append(made)
            self.history[address] = made
            self.program()
        return made

    def services(self) -> Iterator[tuple[str, Object]]:
        for each in self.of_kind("Service"):
            name = each["metadata"]["name"]
            if name not in self.addresses:
                self.addresses[name] = f"10.96.1.{len(self.addresses) + 1}"
            yield name, each

    def notice(self) -> None:
        """Endpoints: known to the proxies LAG later."""
        now = {
            name: tuple(
                pod.address
                for pod in self.pods
                if pod.ready and matches({"matchLabels": each["spec"]["selector"]}, pod.labels)
            )
            for name, each in self.services()
        }
        if now != self.seen:
            self.seen = now
            self.pending.append((time.monotonic() + LAG, now))
        while self.pending and self.pending[0][0] <= time.monotonic():
            self.told = self.pending.popleft()[1]

    def program(self) -> None:
        """Firewall and names, where they have changed."""
        peers = [*self.strangers, *self.pods]
        addresses = tuple(each.address for each in peers)
        now = (addresses, id(self.objects), tuple(self.told.items()), self.fixed)
        if now == self.programmed:
            return
        self.programmed = now
        found = Firewall(
            tuple(Peer(each.namespace, each.labels, each.address) for each in peers),
            tuple(self.of_kind("NetworkPolicy")),
            (*self.fixed, *self.translated()),
            self.namespaces,
        )
        rules, records = found.rules(), json.dumps(self.records())
        if rules != self.loaded:
            self.hub.load(rules)
        if records != self.published:
            fresh = self.where / "records.new"
            fresh.write_text(records)
            fresh.rename(self.where / "records.json")
        self.loaded, self.published = rules, records

    def translated(self) -> Iterator[Service]:
        for name, each in self.services():
            if each["spec"].get("clusterIP") == "None":
                continue
            for port in each["spec"]["ports"]:
                target = self.target(each, port["targetPort"])
                yield Service(self.addresses[name], "tcp", port["port"], target, self.told.get(name, ()))

    def target(self, service: Object, named: str | int) -> int:
        """The number that a port's name has in the pods."""
        if isinstance(named, int):
            return named
        for owner in self.workloads():
            template = owner["spec"]["template"]
            if matches({"matchLabels": service["spec"]["selector"]}, template["metadata"]["labels"]):
                for container in template["spec"]["containers"]:
                    for port in container.get("ports", []):
                        if port["name"] == named:
                            return int(port["containerPort"])
        raise AssertionError(f"Service {service['metadata']['name']}: no container has a port {named}")

    def records(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        by_address = {pod.address: pod for pod in self.pods}
        for name, each in self.services():
            full = f"{name}.{each['metadata']['namespace']}.svc.cluster.local"
            if each["spec"].get("clusterIP") != "None":
                found[full] = [self.addresses[name]]
                continue
            found[full] = list(self.told.get(name, ()))
            for address in self.told.get(name, ()):
                if pod := by_address.get(address):
                    found[f"{pod.name}.{full}"] = [address]
        return found

    # ---- what tests ask ----

    def of(self, component: str) -> list[Pod]:
        return [each for each in self.pods if each.component == component and not each.stopping.is_set()]

    def until(self, true: Callable[[], bool], what: str, seconds: float = PATIENCE) -> float:
        """Seconds it took; what was awaited and what every pod does, where it never came."""
        began = time.monotonic()
        while not true():
            if self.fault:
                raise AssertionError("the controllers stumbled") from self.fault
            assert time.monotonic() < began + seconds, f"never came: {what}\n{self.story()}"
            time.sleep(TICK)
        return time.monotonic() - began

    def settle(self, seconds: float = PATIENCE) -> float:
        """As `helm --wait` does: everything of the wanted revision, ready, and every Job done."""
        return self.until(self.settled, "everything ready", seconds)

    def settled(self) -> bool:
        with self.lock:
            scalers = self.of_kind("HorizontalPodAutoscaler")
            for owner in self.workloads():
                own = [each for each in self.pods if each.owner == controllers.key(owner)]
                if owner["kind"] == "Job":
                    if owner["metadata"]["name"] not in self.finished:
                        return False
                    continue
                now, wanted = controllers.revision(owner), controllers.least(owner, scalers)
                if [each.ready and each.revision == now for each in own] != [True] * wanted:
                    return False
            self.notice()
            return self.told == self.seen and not self.pending

    def story(self) -> str:
        lines = [
            f"{pod.name}: {pod.phase.value}, ready: {pod.ready}, {pod.restarts} restarts {pod.waiting}"
            for pod in self.pods
        ]
        ill = [pod.said() for pod in self.pods if not pod.ready and pod.phase is not Phase.SUCCEEDED]
        return "\n".join([*lines, *self.events[-30:], *ill])

    def packets(self, name: str) -> dict[Packet, int]:
        return self.hub.counted(name)


def key_of(each: Object) -> Key:
    return each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]
