"""In a mesh the table of edges holds too, and no POST is repeated that may have arrived."""

from typing import Any

import pytest

from tests.chart import charts

MESHES = {
    mode: {"mesh": {"mode": mode, "scraperNamespaces": ["monitoring"]}, "producer": {"enabled": True}}
    for mode in ("istio", "ambient", "linkerd")
}
ISTIO = pytest.mark.parametrize("mode", ["istio", "ambient"])


def policies(kind: str, mode: str) -> dict[str, Any]:
    found = charts.of_kind(kind, charts.objects(MESHES[mode]))
    return {each["metadata"]["name"].removeprefix("logboom-"): each["spec"] for each in found}


@ISTIO
def test_who_may_call_is_who_the_table_names(mode: str) -> None:
    table, allowed = charts.edges(), set()
    for target, spec in policies("AuthorizationPolicy", mode).items():
        assert spec["action"] == "ALLOW"
        for rule in spec["rules"]:
            (port,) = [port for to in rule["to"] for port in to["operation"]["ports"]]
            for caller in callers(rule):
                allowed.add((caller, target, int(port)))
    assert allowed == {
        (edge["from"], edge["to"], table["ports"][edge["to"]][edge["port"]])
        for edge in table["edges"]
        if edge["to"] != "apiserver"
    }


def callers(rule: charts.Object) -> list[str]:
    if "from" not in rule:
        return ["anyone"]
    (source,) = [each["source"] for each in rule["from"]]
    if source.get("namespaces") == ["monitoring"]:
        return ["scraper"]
    prefix = "cluster.local/ns/log-system/sa/logboom-"
    assert all(name.startswith(prefix) for name in source["principals"])
    return [name.removeprefix(prefix) for name in source["principals"]]


@ISTIO
def test_each_workload_has_one_policy_and_takes_nothing_in_clear_but_at_the_doors(mode: str) -> None:
    modes = {name: spec["mtls"]["mode"] for name, spec in policies("PeerAuthentication", mode).items()}
    assert modes.keys() == charts.edges()["tiers"].keys()
    assert {name for name, how in modes.items() if how != "STRICT"} == {"web", "ingest"}
    strict = charts.objects({"mesh": {"mode": mode, "strictDoors": True}})
    found = charts.of_kind("PeerAuthentication", strict)
    assert {each["spec"]["mtls"]["mode"] for each in found} == {"STRICT"}


def test_a_request_is_repeated_only_where_it_never_arrived_and_none_is_cut_off() -> None:
    for spec in policies("VirtualService", "istio").values():
        (route,) = spec["http"]
        assert route["retries"] == {"attempts": 2, "retryOn": "connect-failure"}
        assert route["timeout"] == "0s"


def test_a_pod_is_not_left_out_for_saying_that_it_is_full() -> None:
    rules = policies("DestinationRule", "istio")
    assert {"web", "ingest", "broker", "timescaledb"} <= rules.keys()
    outliers = rules["ingest"]["trafficPolicy"]["outlierDetection"]
    assert outliers["consecutive5xxErrors"] == outliers["consecutiveGatewayErrors"] == 0
    assert outliers["consecutiveLocalOriginFailures"] > 0


@pytest.mark.parametrize("mode", MESHES)
def test_every_pod_joins_the_mesh(mode: str) -> None:
    joined = {
        "istio": lambda pod: pod.labels.get("sidecar.istio.io/inject") == "true",
        "ambient": lambda pod: pod.labels.get("istio.io/dataplane-mode") == "ambient",
        "linkerd": lambda pod: annotations(pod).get("linkerd.io/inject") == "enabled",
    }[mode]
    assert all(joined(pod) for pod in charts.pods(charts.objects(MESHES[mode])))


def annotations(pod: charts.Pod) -> charts.Object:
    found: charts.Object = pod.workload["spec"]["template"]["metadata"].get("annotations", {})
    return found


@pytest.mark.parametrize(("mode", "port"), [("ambient", 15008), ("linkerd", 4143)])
def test_where_the_mesh_carries_connections_its_port_is_open_along_the_edges(mode: str, port: int) -> None:
    found = charts.objects(MESHES[mode])
    broker = charts.named("NetworkPolicy", "logboom-broker", found)["spec"]
    for rule in broker["ingress"]:
        assert [each["port"] for each in rule["ports"]] == [6379, port]
        assert rule["from"], "from whom is still said"


def test_without_one_there_is_nothing_of_it() -> None:
    text = "".join(charts.manifests().values())
    assert not any(word in text for word in ("istio", "linkerd", "15008", "4143"))
