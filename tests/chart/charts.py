"""The one door to Helm: its SDK comes in a wheel (`helm_python`), and nothing else here knows that.

A rendered object is a plain dictionary. Value sets are the chart's own examples and the defaults.
"""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import helm_python
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "logboom"
WORKLOADS = ("Deployment", "StatefulSet", "Job")
Object = dict[str, Any]

EXAMPLES = {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted((CHART / "examples").glob("*.yaml"))
}
EVERYTHING = {
    "publicURL": "https://logs.example.org",
    "producer": {"enabled": True},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]},
    "storageClass": {"create": True, "provisioner": "ebs.csi.aws.com", "parameters": {"type": "gp3"}},
    "networkPolicy": {
        "scrapers": [{"namespaceSelector": {}}],
        "egress": {"web": [{"ports": [{"port": 443}]}]},
    },
    "web": {
        "service": {"type": "LoadBalancer", "nodePort": 30080, "loadBalancerSourceRanges": ["10.0.0.0/8"]},
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "podAnnotations": {"a": "b"},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"operator": "Exists"}],
        "priorityClassName": "high",
        "env": {"QUERY_SECONDS": 20},
    },
    "imagePullSecrets": [{"name": "registry"}],
    "worker": {"storage": {"className": "fast-ssd", "volumeAttributesClassName": "quick"}},
    "timescaledb": {"flavor": "timescaledb-ha"},
}
VALUE_SETS: dict[str, Object] = {
    "default": {},
    "everything": EVERYTHING,
    "istio": {"mesh": {"mode": "istio"}},
    "ambient": {"mesh": {"mode": "ambient"}, "producer": {"enabled": True}},
    **EXAMPLES,
}


class RefusedValues(Exception):
    """Helm does not render these values; the text is what a person reads."""


@dataclass(frozen=True)
class Pod:
    """What a workload's pods are made from."""

    component: str
    workload: Object
    spec: Object
    labels: Mapping[str, str]

    @property
    def containers(self) -> list[Object]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


def manifests(values: Object | None = None, *, release: str = "logboom") -> dict[str, str]:
    """The rendered files by name, as Helm writes them."""
    try:
        with helm_python.Chart.load(CHART) as chart:
            return cast(dict[str, str], chart.render(values or {}, name=release, namespace="log-system"))
    except helm_python.HelmError as error:
        raise RefusedValues(str(error)) from error


def objects(values: Object | None = None) -> list[Object]:
    return list(_objects(json.dumps(values or {})))


@functools.cache
def _objects(values: str) -> tuple[Object, ...]:
    files = manifests(json.loads(values))
    texts = [text for name, text in sorted(files.items()) if name.endswith(".yaml")]
    return tuple(each for text in texts for each in yaml.safe_load_all(text) if each)


def notes(values: Object | None = None) -> str:
    return manifests(values)["logboom/templates/NOTES.txt"]


def lint(values: Object | None = None) -> list[Object]:
    """What `helm lint --strict` has to say, but for the icon."""
    found = helm_python.lint(CHART, values, strict=True)["messages"]
    return [each for each in found if "icon" not in each["error"]]


def default_values() -> Object:
    return cast(Object, yaml.safe_load((CHART / "values.yaml").read_text()))


def edges() -> Object:
    return cast(Object, yaml.safe_load((CHART / "files" / "edges.yaml").read_text()))


def of_kind(kind: str, among: list[Object]) -> list[Object]:
    return [each for each in among if each["kind"] == kind]


def named(kind: str, name: str, among: list[Object]) -> Object:
    [found] = [each for each in of_kind(kind, among) if each["metadata"]["name"] == name]
    return found


def pods(among: list[Object]) -> Iterator[Pod]:
    for each in among:
        if each["kind"] in WORKLOADS:
            template = each["spec"]["template"]
            labels = template["metadata"]["labels"]
            yield Pod(labels["app.kubernetes.io/component"], each, template["spec"], labels)


def matches(selector: Object, labels: Mapping[str, str]) -> bool:
    assert not selector.get("matchExpressions"), "the chart writes matchLabels only"
    return selector.get("matchLabels", {}).items() <= labels.items()
