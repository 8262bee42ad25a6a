"""A container of a pod as the kubelet keeps it: probed, started again when it ends, stopped in order.

Periods are shortened by PACE; what a probe may take and what a startup may last in all are not, for this
machine is slower than a node. A container that ends is started again in the same pod (same address, same
emptyDirs), after a pause that doubles.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.chart.charts import Object
from tests.rig.container import Container

if TYPE_CHECKING:
    from tests.rig.pod import Pod

PACE = 0.4  # of every period, pause and preStop sleep
TICK = 0.1
BACKOFF, LONGEST = 1.0, 10.0  # seconds until a container that ended again is started again
DEFAULTS = {"periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3, "successThreshold": 1}


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


def end_all(runners: Iterable[Runner], pod: "Pod", grace: float) -> None:
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


def end(container: Container, spec: Object, pod: "Pod", grace: float) -> None:
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


def before_stop(container: Container, hook: Object | None, pod: "Pod", grace: float) -> None:
    if hook is None:
        return
    if sleep := hook.get("sleep"):
        time.sleep(min(grace, sleep["seconds"] * PACE))
        return
    done = container.execute(hook["exec"]["command"], grace)
    if done.returncode and container.ended() is None:
        pod.tell(f"preStop of {container.spec['name']} failed: {done.stdout}{done.stderr}")
