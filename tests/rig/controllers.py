"""What Deployments, StatefulSets and Jobs want next: from an object and its pods to pods to make and to end.

Pure but for the pods' own state. Revisions are hashes of templates, as pod-template-hash is. Each call looks
at what is there now and takes the steps allowed now; it is called again and again.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.chart.charts import Object
from tests.rig.pod import Phase, Pod

CHANGEABLE = {  # of a StatefulSet's spec; the API server refuses the rest
    *("replicas", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"),
    *("revisionHistoryLimit", "ordinals"),
}


class Immutable(Exception):
    """The API server would refuse this change."""


@dataclass(frozen=True)
class Wanted:
    """A pod to be made. `suffix` is an ordinal, or empty for a name that is never used twice."""

    owner: Object
    revision: str
    suffix: str = ""
    claimed: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Steps:
    make: list[Wanted] = field(default_factory=list)
    end: list[Pod] = field(default_factory=list)


def key(owner: Object) -> str:
    return f"{owner['kind']}/{owner['metadata']['name']}"


def revision(owner: Object) -> str:
    text = json.dumps(owner["spec"]["template"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def least(owner: Object, scalers: Iterable[Object]) -> int:
    """How many replicas: an autoscaler's least, where it owns the number."""
    for each in scalers:
        target = each["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == (owner["kind"], owner["metadata"]["name"]):
            assert "replicas" not in owner["spec"], f"{key(owner)}: the autoscaler and the chart disagree"
            return int(each["spec"]["minReplicas"])
    return int(owner["spec"].get("replicas", 1))


def deployment(owner: Object, pods: list[Pod], replicas: int) -> Steps:
    """pods: those of the owner that are there in any way."""
    strategy, now, steps = owner["spec"].get("strategy", {}), revision(owner), Steps()
    living = [each for each in pods if not each.stopping.is_set()]
    old, new = split(living, now)
    if strategy.get("type") == "Recreate":
        steps.end = old
        room = 0 if len(pods) > len(new) else replicas - len(new)
    else:
        rolling = strategy.get("rollingUpdate", {"maxUnavailable": 1, "maxSurge": 1})
        room = min(replicas - len(new), replicas + rolling["maxSurge"] - len(living))
        spare = sum(each.ready for each in living) - (replicas - rolling["maxUnavailable"])
        good = [each for each in old if each.ready]
        steps.end = [each for each in old if not each.ready] + good[: max(0, spare)]
    steps.make = [Wanted(owner, now) for _ in range(max(0, room))]
    if not old:
        steps.end += sorted(new, key=lambda each: each.ready)[: max(0, len(new) - replicas)]
    return steps


def split(pods: list[Pod], now: str) -> tuple[list[Pod], list[Pod]]:
    return [each for each in pods if each.revision != now], [each for each in pods if each.revision == now]


def statefulset(owner: Object, pods: list[Pod], replicas: int) -> Steps:
    """Up one after the other, each ready before the next; changed and ended from the last one down."""
    assert owner["spec"]["podManagementPolicy"] == "OrderedReady"
    there = {int(each.name.rpartition("-")[2]): each for each in pods}
    for ordinal in range(replicas):
        if ordinal not in there:
            return Steps(make=[numbered(owner, ordinal)])
        if not there[ordinal].ready and there[ordinal].revision == revision(owner):
            return Steps()
        if there[ordinal].stopping.is_set():
            return Steps()
    extra = [each for ordinal, each in sorted(there.items()) if ordinal >= replicas]
    if extra:
        return Steps(end=[] if extra[-1].stopping.is_set() else [extra[-1]])
    for _, each in sorted(there.items(), reverse=True):
        if each.revision != revision(owner):
            return Steps(end=[each])
    return Steps()


def numbered(owner: Object, ordinal: int) -> Wanted:
    name = f"{owner['metadata']['name']}-{ordinal}"
    claims = [each["metadata"]["name"] for each in owner["spec"].get("volumeClaimTemplates", [])]
    return Wanted(owner, revision(owner), str(ordinal), {each: f"{each}-{name}" for each in claims})


def job(owner: Object, pods: list[Pod], failures: int) -> Steps:
    if pods or failures > owner["spec"].get("backoffLimit", 6):
        return Steps()
    return Steps(make=[Wanted(owner, revision(owner))])


def finished(pods: list[Pod]) -> bool:
    return any(each.phase is Phase.SUCCEEDED for each in pods)


def check_change(before: Object, after: Object) -> None:
    """What the API server says to an update."""
    old, new, name = before["spec"], after["spec"], key(after)
    if after["kind"] == "Deployment" and old["selector"] != new["selector"]:
        raise Immutable(f"{name}: selector")
    if after["kind"] == "Job" and old["template"] != new["template"]:
        raise Immutable(f"{name}: template")
    if after["kind"] == "StatefulSet":
        changed = {each for each in old.keys() | new.keys() if old.get(each) != new.get(each)}
        if fixed := changed - CHANGEABLE:
            raise Immutable(f"{name}: {', '.join(sorted(fixed))}")
