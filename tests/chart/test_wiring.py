"""What names something else names something that is there, and the policies are the table of edges."""

import itertools
from collections.abc import Collection

import pytest

from tests.chart import charts, diagram

sets = pytest.mark.parametrize("values", charts.VALUE_SETS.values(), ids=charts.VALUE_SETS)
Edge = tuple[str, str, int]


@sets
def test_every_service_leads_to_one_workload_and_a_port_of_it(values: charts.Object) -> None:
    found = charts.objects(values)
    for service in charts.of_kind("Service", found):
        behind = [
            pod for pod in charts.pods(found) if service["spec"]["selector"].items() <= pod.labels.items()
        ]
        assert len(behind) == 1, service["metadata"]["name"]
        names = {port["name"] for container in behind[0].containers for port in container.get("ports", [])}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names


@sets
def test_budgets_and_scalers_hold_on_to_a_workload(values: charts.Object) -> None:
    found = charts.objects(values)
    for budget in charts.of_kind("PodDisruptionBudget", found):
        assert [
            1 for pod in charts.pods(found) if charts.matches(budget["spec"]["selector"], pod.labels)
        ] == [1]
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    for scaler in charts.of_kind("HorizontalPodAutoscaler", found):
        assert charts.named("Deployment", scaler["spec"]["scaleTargetRef"]["name"], found)


def test_workers_keep_two_and_the_front_keeps_one() -> None:
    budgets = charts.of_kind("PodDisruptionBudget", charts.objects())
    kept = {each["metadata"]["name"]: each["spec"]["minAvailable"] for each in budgets}
    assert kept == {"logboom-worker": 2, "logboom-web": 1, "logboom-ingest": 1}


def test_a_budget_never_holds_the_last_pods_on_their_node() -> None:
    alone = {"replicas": 1, "autoscaling": {"enabled": False}}
    few = charts.objects({"worker": {"replicas": 2}, "web": alone, "ingest": alone})
    for budget in charts.of_kind("PodDisruptionBudget", few):
        assert budget["spec"]["maxUnavailable"] == 1 and "minAvailable" not in budget["spec"]


@sets
def test_every_volume_is_there_and_every_mount_has_one(values: charts.Object) -> None:
    found = charts.objects(values)
    maps = {each["metadata"]["name"] for each in charts.of_kind("ConfigMap", found)} | {"kube-root-ca.crt"}
    for pod in charts.pods(found):
        claims = {claim["metadata"]["name"] for claim in pod.workload["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in pod.spec["volumes"]} | claims
        for container in pod.containers:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        used = {volume["configMap"]["name"] for volume in pod.spec["volumes"] if "configMap" in volume}
        assert used <= maps


@sets
def test_every_door_of_the_entry_leads_to_a_service(values: charts.Object) -> None:
    found = charts.objects(values)
    services = {each["metadata"]["name"] for each in charts.of_kind("Service", found)}
    for ingress in charts.of_kind("Ingress", found):
        paths = [path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
        assert {path["backend"]["service"]["name"] for path in paths} <= services
        assert [path["path"] for path in paths] == ["/api/v1/logs", "/logs", "/"]
    for route in charts.of_kind("HTTPRoute", found):
        assert {back["name"] for rule in route["spec"]["rules"] for back in rule["backendRefs"]} <= services
        assert route["spec"]["hostnames"] == ["logs.example.org"]


def test_the_senders_door_is_one_that_ingest_opens() -> None:
    from ingest.urls import urlpatterns

    assert {path.lstrip("/") for path in charts.default_values()["ingestPaths"]} <= {
        str(each.pattern) for each in urlpatterns
    }


@sets
def test_a_replaced_claim_is_never_deleted_with_its_set(values: charts.Object) -> None:
    for each in charts.of_kind("StatefulSet", charts.objects(values)):
        kept = each["spec"]["persistentVolumeClaimRetentionPolicy"]
        assert kept == {"whenDeleted": "Retain", "whenScaled": "Retain"}
        assert "maxUnavailable" not in each["spec"]["updateStrategy"].get("rollingUpdate", {})


# ---- network policies ----


@sets
def test_the_policies_allow_the_edges_of_the_table_and_no_other(values: charts.Object) -> None:
    found = charts.objects(values)
    running = {pod.component: pod for pod in charts.pods(found)}
    ports = {name: set(own.values()) for name, own in charts.edges()["ports"].items()}
    allowed = {
        (source, target, port)
        for source, target in itertools.permutations(running, 2)
        for port in set().union(*ports.values())
        if leaves(found, running[source], running[target], port)
        and enters(found, running[source], running[target], port)
    }
    assert allowed == table(running.keys())


def table(running: Collection[str]) -> set[Edge]:
    known = charts.edges()
    return {
        (edge["from"], edge["to"], known["ports"][edge["to"]][edge["port"]])
        for edge in known["edges"]
        if edge["from"] in running and edge["to"] in running
    }


def policies(found: list[charts.Object], pod: charts.Pod, direction: str) -> list[charts.Object]:
    return [
        each["spec"]
        for each in charts.of_kind("NetworkPolicy", found)
        if charts.matches(each["spec"]["podSelector"], pod.labels)
        and direction in each["spec"]["policyTypes"]
    ]


def enters(found: list[charts.Object], source: charts.Pod, target: charts.Pod, port: int) -> bool:
    rules = [rule for each in policies(found, target, "Ingress") for rule in each.get("ingress") or []]
    return any(covers(rule, "from", source, port) for rule in rules)


def leaves(found: list[charts.Object], source: charts.Pod, target: charts.Pod, port: int) -> bool:
    rules = [rule for each in policies(found, source, "Egress") for rule in each.get("egress") or []]
    return any(covers(rule, "to", target, port) for rule in rules)


def covers(rule: charts.Object, side: str, pod: charts.Pod, port: int) -> bool:
    """Pods of our own namespace; a peer without podSelector is another namespace or an address."""
    ports = {each["port"] for each in rule.get("ports", []) if each.get("protocol", "TCP") == "TCP"}
    if ports and port not in ports:
        return False
    if side not in rule:
        return True
    return any(
        "namespaceSelector" not in peer
        and "podSelector" in peer
        and charts.matches(peer["podSelector"], pod.labels)
        for peer in rule[side]
    )


def test_every_pod_is_cut_off_in_both_directions_first() -> None:
    found = charts.objects()
    deny = charts.named("NetworkPolicy", "logboom-default-deny", found)["spec"]
    assert deny["policyTypes"] == ["Ingress", "Egress"] and not deny.get("ingress") and not deny.get("egress")
    assert all(charts.matches(deny["podSelector"], pod.labels) for pod in charts.pods(found))


def test_every_pod_may_ask_for_names_on_the_node_too() -> None:
    found = charts.objects()
    dns = charts.named("NetworkPolicy", "logboom-dns", found)["spec"]
    assert all(charts.matches(dns["podSelector"], pod.labels) for pod in charts.pods(found))
    [rule] = dns["egress"]
    assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in rule["to"]
    assert {(port["protocol"], port["port"]) for port in rule["ports"]} == {("UDP", 53), ("TCP", 53)}


def test_the_database_takes_connections_from_those_who_store_and_search_alone() -> None:
    database = charts.named("NetworkPolicy", "logboom-timescaledb", charts.objects())["spec"]
    callers = {
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for rule in database["ingress"]
        for peer in rule["from"]
    }
    assert callers == {"web", "worker", "migrate"}
    assert database["egress"] == []


def test_the_doors_are_open_to_everybody_or_to_whom_the_values_name() -> None:
    def callers(values: charts.Object) -> list[object]:
        policy = charts.named("NetworkPolicy", "logboom-ingest", charts.objects(values))
        return [rule.get("from", "everybody") for rule in policy["spec"]["ingress"]]

    gateway = [{"namespaceSelector": {"matchLabels": {"team": "edge"}}}]
    assert callers({}) == ["everybody"]
    assert callers({"networkPolicy": {"doors": gateway}}) == [gateway]


def test_a_database_elsewhere_is_reached_at_its_port_alone() -> None:
    values = {"timescaledb": {"mode": "external", "external": {"existingSecret": "logs-app", "port": 6432}}}
    worker = charts.named("NetworkPolicy", "logboom-worker", charts.objects(values))["spec"]
    assert {"ports": [{"port": 6432}]} in worker["egress"]


def test_the_picture_in_the_documentation_is_the_table() -> None:
    assert diagram.written() == diagram.drawn(), "python -m tests.chart.diagram"
