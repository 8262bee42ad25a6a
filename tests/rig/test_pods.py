"""That the rig leads a pod's life as the kubelet does, on pods of a few lines of shell."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chart.charts import Object
from tests.rig import controllers, images
from tests.rig.cluster import Cluster
from tests.rig.images import Image
from tests.rig.pod import Phase, Pod
from tests.rig.scene import standing

pytestmark = pytest.mark.acceptance
USER = 10001
LOOP = "trap 'echo stopped >>/keep/story; exit 0' TERM; echo began >>/keep/story; while sleep 0.1; do :; done"


def tiny(where: Path) -> dict[str, Image]:
    return {"tiny": Image(images.base(where / "tiny"), {"PATH": "/usr/bin:/bin"})}


@pytest.fixture(scope="module")
def machine() -> Iterator[Cluster]:
    with standing(tiny) as made:
        yield made


@pytest.fixture
def cluster(machine: Cluster) -> Iterator[Cluster]:
    """Emptied afterwards, claims too."""
    yield machine
    machine.remove()
    for claim in (machine.where / "claims").glob("*"):
        shutil.rmtree(claim)


def container(script: str, **more: Any) -> Object:
    return {
        "name": "main",
        "image": "tiny:1",
        "command": ["sh", "-c"],
        "args": [script],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "keep", "mountPath": "/keep"}],
        **more,
    }


def spec(main: Object, *before: Object, **more: Any) -> Object:
    return {
        "serviceAccountName": "nobody",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": list(before),
        "containers": [main],
        **more,
    }


def stateful(pod: Object, replicas: int = 1) -> Object:
    return {
        "kind": "StatefulSet",
        "metadata": {"name": "town", "namespace": "test"},
        "spec": {
            "replicas": replicas,
            "podManagementPolicy": "OrderedReady",
            "volumeClaimTemplates": [{"metadata": {"name": "keep"}}],
            "template": {"metadata": {"labels": {"app": "town"}}, "spec": pod},
        },
    }


def story(cluster: Cluster) -> list[str]:
    path = cluster.where / "claims" / "keep-town-0" / "story"
    return path.read_text().split() if path.exists() else []


def the_pod(cluster: Cluster) -> Pod:
    cluster.until(lambda: len(cluster.pods) == 1, "one pod")
    [pod] = cluster.pods
    return pod


def test_init_containers_come_first_in_order_and_the_claim_outlives_the_pod(cluster: Cluster) -> None:
    first, second = (
        {**container(f"echo {name} >>/keep/story"), "name": name} for name in ("first", "second")
    )
    cluster.apply([stateful(spec(container(LOOP), first, second))])
    cluster.settle()
    the_pod(cluster).execute("true")
    cluster.until(lambda: story(cluster) == ["first", "second", "began"], "its beginning")
    cluster.remove()
    assert story(cluster) == ["first", "second", "began", "stopped"]
    cluster.apply([stateful(spec(container(LOOP)))])
    cluster.settle()
    cluster.until(lambda: story(cluster)[4:] == ["began"], "its second life")


def test_before_the_signal_comes_what_the_pod_asked_for(cluster: Cluster) -> None:
    hook = {"exec": {"command": ["sh", "-c", "echo asked >>/keep/story"]}}
    cluster.apply([stateful(spec(container(LOOP, lifecycle={"preStop": hook})))])
    cluster.settle()
    cluster.until(lambda: story(cluster) == ["began"], "its beginning")
    cluster.remove()
    assert story(cluster) == ["began", "asked", "stopped"]


def test_whoever_does_not_hear_is_killed_when_the_grace_is_over(cluster: Cluster) -> None:
    """As a shell that is process 1 does not."""
    cluster.apply([stateful(spec(container("sleep 1000; :"), terminationGracePeriodSeconds=1))])
    cluster.settle()
    began = time.monotonic()
    cluster.remove()
    assert time.monotonic() - began >= 1
    assert cluster.overdue == ["town-0/main"]
    cluster.overdue.clear()


def test_a_failing_liveness_probe_restarts_the_container_in_its_place(cluster: Cluster) -> None:
    probe = {"exec": {"command": ["test", "!", "-e", "/keep/ill"]}, "periodSeconds": 1, "failureThreshold": 2}
    cluster.apply([stateful(spec(container(f"rm -f /keep/ill; {LOOP}", livenessProbe=probe)))])
    cluster.settle()
    pod, address = the_pod(cluster), the_pod(cluster).address
    pod.execute("touch", "/keep/ill")
    cluster.until(lambda: pod.restarts == 1 and pod.ready, "a second life")
    assert (pod.address, story(cluster)) == (address, ["began", "stopped", "began"])


def test_readiness_opens_the_service_and_shuts_it(cluster: Cluster) -> None:
    probe = {"exec": {"command": ["test", "-e", "/keep/well"]}, "periodSeconds": 1, "failureThreshold": 1}
    service = {
        "kind": "Service",
        "metadata": {"name": "door", "namespace": "test"},
        "spec": {"selector": {"app": "town"}, "ports": [{"port": 80, "targetPort": 8000}]},
    }
    cluster.apply([service, stateful(spec(container(LOOP, readinessProbe=probe)))])
    cluster.until(
        lambda: the_pod(cluster).phase is Phase.RUNNING and the_pod(cluster).runners != [], "a start"
    )
    assert not the_pod(cluster).ready and cluster.told.get("door", ()) == ()
    cluster.until(lambda: story(cluster) == ["began"], "its beginning")
    the_pod(cluster).execute("touch", "/keep/well")
    cluster.until(lambda: cluster.told.get("door", ()) == (the_pod(cluster).address,), "an open door")
    the_pod(cluster).execute("rm", "/keep/well")
    cluster.until(lambda: cluster.told.get("door", ()) == (), "a shut door")


def test_replicas_come_one_after_the_other_and_change_from_the_last_one_down(cluster: Cluster) -> None:
    cluster.apply([stateful(spec(container(LOOP)), 2)])
    cluster.settle()
    assert [pod.name for pod in cluster.pods] == ["town-0", "town-1"]
    began = len(cluster.events)
    cluster.apply([stateful(spec(container(f"{LOOP} # changed")), 2)])
    cluster.settle()
    steps = [line.split()[1:4] for line in cluster.events[began:] if "asked" in line or "made" in line]
    down_and_up = [["is", "asked"], ["is", "made"]]
    assert steps == [[name, *step] for name in ("town-1", "town-0") for step in down_and_up]


def test_a_pod_waits_for_a_secret_that_is_not_there_yet(cluster: Cluster) -> None:
    wanted = [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "words", "key": "word"}}}]
    composed = [*wanted, {"name": "LINE", "value": "say $(WORD), not $(NOTHING)"}]
    cluster.apply([stateful(spec(container(f'echo "$LINE" >/keep/line; {LOOP}', env=composed)))])
    cluster.until(lambda: the_pod(cluster).waiting == "Secret words is not there", "that it waits")
    data = {"word": "aGVsbG8="}
    cluster.beside("test", {"kind": "Secret", "metadata": {"name": "words"}, "data": data})
    cluster.settle()
    line = cluster.where / "claims" / "keep-town-0" / "line"
    cluster.until(line.exists, "the line")
    assert line.read_text() == "say hello, not $(NOTHING)\n"


def test_volumes_belong_to_the_group_and_the_root_is_read_only(cluster: Cluster) -> None:
    memory = {"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    mounts = [{"name": "keep", "mountPath": "/keep"}, {"name": "fast", "mountPath": "/fast"}]
    cluster.apply([stateful(spec(container(LOOP, volumeMounts=mounts), volumes=[memory]))])
    cluster.settle()
    pod = the_pod(cluster)
    assert pod.execute("stat", "-c", "%g %A", "/keep").split()[0] == str(USER)
    assert "tmpfs" in pod.execute("stat", "-f", "-c", "%T", "/fast")
    with pytest.raises(AssertionError, match="No space left"):
        pod.execute("dd", "if=/dev/zero", "of=/fast/much", "bs=1M", "count=2")
    with pytest.raises(AssertionError, match="Read-only file system"):
        pod.execute("touch", "/tmp/x")


def test_a_cronjob_runs_when_it_is_asked_to_and_a_failure_is_tried_again(cluster: Cluster) -> None:
    """With a sidecar beside it, which does not keep it from ending."""
    script = "echo tried >>/keep/story; test $(wc -l </keep/story) -ge 2"
    beside = {**container(LOOP.replace("/keep/story", "/keep/beside")), "name": "beside"}
    pod = spec(container(script), {**beside, "restartPolicy": "Always"}, restartPolicy="Never")
    pod["volumes"] = [{"name": "keep", "persistentVolumeClaim": {"claimName": "keep-town-0"}}]
    template = {"spec": {"template": {"metadata": {"labels": {}}, "spec": pod}}}
    metadata = {"name": "nightly", "namespace": "test"}
    cluster.apply([{"kind": "CronJob", "metadata": metadata, "spec": {"jobTemplate": template}}])
    assert cluster.pods == []
    name = cluster.trigger("nightly", "test")
    cluster.until(lambda: name in cluster.finished, "its end")
    assert story(cluster) == ["tried", "tried"]
    said = (cluster.where / "claims" / "keep-town-0" / "beside").read_text().split()
    assert said == ["began", "stopped", "began", "stopped"]


def test_what_the_api_server_would_refuse_is_refused(cluster: Cluster) -> None:
    before = stateful(spec(container(LOOP)))
    after = {**before, "spec": {**before["spec"], "podManagementPolicy": "Parallel"}}
    with pytest.raises(controllers.Immutable, match="StatefulSet/town: podManagementPolicy"):
        controllers.check_change(before, after)
