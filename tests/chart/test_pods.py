"""Every pod may run where Pod Security is `restricted`, and is told only what its process understands."""

import functools
import runpy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.chart import charts
from webapp import health, roles
from webapp.local import configuration

ALLOWED_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
PLATFORM = {"HOME", "PYTHONUNBUFFERED"}
LIBPQ = {"PGSSLMODE", "PGSSLROOTCERT"}  # TLS to a database: psycopg's library reads them itself
TERMINAL = {"LOGBOOM_URL", "LOGBOOM_TOKEN"}
ROLES_OF = {"migrate": "manage"}
SECRETS = {
    "secret-key": "k" * 48,
    "uri": "postgresql://app:secret@logs-rw:5432/app",
    "url": "redis://:secret@elsewhere:6379/0",
}
PORT_VARIABLES = ("WEB_PORT", "INGEST_PORT", "FLOWER_PORT", "HEALTH_PORT", "PORT", "PGPORT")
SIZES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
sets = pytest.mark.parametrize("values", charts.VALUE_SETS.values(), ids=charts.VALUE_SETS)


def containers(values: charts.Object) -> Iterator[tuple[charts.Pod, charts.Object]]:
    for pod in charts.pods(charts.objects(values)):
        for container in pod.containers:
            yield pod, container


def app_containers(values: charts.Object) -> Iterator[tuple[charts.Pod, charts.Object]]:
    """Those that become a role."""
    for pod, container in containers(values):
        if container.get("args", [""])[0] == "role":
            yield pod, container


def environment(container: charts.Object) -> dict[str, str]:
    """What the process would find, $(NAME) put in as the kubelet does: from what stands before it."""
    found: dict[str, str] = {}
    for entry in container.get("env", []):
        value = entry.get("value")
        if value is None:
            source = entry["valueFrom"]
            key = source.get("secretKeyRef", {}).get("key", "")
            value = SECRETS.get(key, f"secret-{key}") if key else "logboom-worker-0"
        for name, known in found.items():
            value = value.replace(f"$({name})", known)
        found[entry["name"]] = value
    return found


# ---- security ----


@sets
def test_every_pod_passes_restricted_pod_security(values: charts.Object) -> None:
    for pod in charts.pods(charts.objects(values)):
        context = pod.spec["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context.get("runAsUser", 1) > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys()
        for volume in pod.spec["volumes"]:
            assert len(volume.keys() & ALLOWED_VOLUMES) == 1
        for container in pod.containers:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert own["readOnlyRootFilesystem"] is True
            assert not any("hostPort" in port for port in container.get("ports", []))


@sets
def test_no_pod_is_handed_a_token_but_the_one_that_makes_the_secret(values: charts.Object) -> None:
    for pod in charts.pods(charts.objects(values)):
        assert pod.spec["automountServiceAccountToken"] is False
        assert pod.spec["enableServiceLinks"] is False
        tokens = [
            source
            for volume in pod.spec["volumes"]
            for source in volume.get("projected", {}).get("sources", [])
        ]
        assert bool(tokens) == (pod.component == "secrets")


@sets
def test_every_pod_has_an_account_of_its_own(values: charts.Object) -> None:
    found = charts.objects(values)
    accounts = [pod.spec["serviceAccountName"] for pod in charts.pods(found)]
    assert len(accounts) == len(set(accounts))
    assert set(accounts) == {each["metadata"]["name"] for each in charts.of_kind("ServiceAccount", found)}


def test_the_role_that_makes_the_secret_can_read_no_other() -> None:
    [role] = charts.of_kind("Role", charts.objects())
    assert [(rule["verbs"], rule.get("resourceNames")) for rule in role["rules"]] == [
        (["create"], None),
        (["get", "patch"], ["logboom-secrets"]),
    ]


@sets
def test_a_volume_keeps_its_modes_when_it_is_mounted_again(values: charts.Object) -> None:
    for pod in charts.pods(charts.objects(values)):
        context = pod.spec["securityContext"]
        assert context.get("fsGroupChangePolicy", "none") == (
            "OnRootMismatch" if "fsGroup" in context else "none"
        )


# ---- what a process is told ----


@functools.cache
def variables() -> frozenset[str]:
    """Every one that the code reads anywhere."""
    return frozenset(configuration.variables())


@sets
def test_every_role_that_is_started_exists(values: charts.Object) -> None:
    started = set()
    for _, container in app_containers(values):
        assert container["command"] == ["python", "manage.py"]
        [_, role] = container["args"]
        assert role in roles.ROLES
        started.add(role)
    assert started >= {"web", "ingest", "worker", "beat", "migrate"}


@sets
def test_every_variable_is_one_that_the_code_reads(values: charts.Object) -> None:
    known = variables() | PLATFORM | LIBPQ
    for pod, container in app_containers(values):
        told = {entry["name"] for entry in container["env"]}
        parts = {
            name for name in told if any(f"$({name})" in entry.get("value", "") for entry in container["env"])
        }
        unknown = told - parts - known - (TERMINAL if pod.component == "producer" else set())
        assert not unknown, f"{pod.component} is told {unknown}"


@sets
def test_the_settings_take_what_each_role_is_told(
    values: charts.Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pod, container in app_containers(values):
        if pod.component == "producer":  # it reads no settings
            continue
        settings = settings_under(environment(container), pod.component, monkeypatch)
        assert settings["ROLE"] == ROLES_OF.get(pod.component, pod.component)
        assert bool(settings["DATABASES"]) == (pod.component in ("web", "worker", "migrate"))


def settings_under(told: dict[str, str], role: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    with monkeypatch.context() as patch:
        for name in variables():
            patch.delenv(name, raising=False)
        for name, value in {**told, **roles.environment(role)}.items():
            patch.setenv(name, value)
        return runpy.run_path(str(charts.ROOT / "webapp" / "settings.py"))


def settings_of(component: str, values: charts.Object, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    [container] = [each for pod, each in app_containers(values) if pod.component == component]
    return settings_under(environment(container), component, monkeypatch)


def test_one_public_address_sets_cookies_hosts_and_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    public = settings_of("web", {"publicURL": "https://logs.example.org/"}, monkeypatch)
    assert public["CSRF_TRUSTED_ORIGINS"] == ["https://logs.example.org"]
    assert public["INGEST_PUBLIC_URL"] == "https://logs.example.org"
    assert public["SESSION_COOKIE_SECURE"] is True
    assert public["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")
    assert public["ALLOWED_HOSTS"][0] == "logs.example.org"


def test_without_a_public_address_it_works_over_port_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    local = settings_of("web", {}, monkeypatch)
    assert local["PUBLIC_URL"] == "http://127.0.0.1:8000"
    assert local["SESSION_COOKIE_SECURE"] is False
    assert local["SECURE_PROXY_SSL_HEADER"] is None


def test_a_worker_fills_its_volume_to_four_fifths(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = settings_of("worker", {"worker": {"storage": {"size": "1Gi"}}}, monkeypatch)
    assert worker["SPILL_BYTES"] == 2**30 * 4 // 5
    assert worker["WORKER_NAME"] == "logboom-worker-0"


def test_the_spill_directory_is_the_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    [container] = [each for pod, each in app_containers({}) if pod.component == "worker"]
    told = settings_of("worker", {}, monkeypatch)["SPILL_DIR"]
    assert {"name": "spill", "mountPath": str(told)} in container["volumeMounts"]


# ---- ports and probes ----


@sets
def test_a_container_listens_where_its_port_says(values: charts.Object) -> None:
    for pod, container in containers(values):
        told = environment(container)
        listening = {int(told[name]) for name in PORT_VARIABLES if name in told}
        declared = {port["containerPort"] for port in container.get("ports", [])}
        assert declared == listening, pod.component


@sets
def test_every_probe_asks_a_port_and_a_path_that_answer(values: charts.Object) -> None:
    for _, container in containers(values):
        ports = {port["name"] for port in container.get("ports", [])}
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = container.get(kind, {})
            if "httpGet" in probe:
                assert probe["httpGet"]["port"] in ports
                assert answers(probe["httpGet"]["path"])
            if "tcpSocket" in probe:
                assert probe["tcpSocket"]["port"] in ports


def answers(path: str) -> bool:
    if path.startswith("/flower/"):
        from flower.urls import handlers

        return path.removeprefix("/flower") in {each[0] for each in handlers if isinstance(each, tuple)}
    return health.answer(path) is not None


@sets
def test_whatever_serves_is_probed_for_its_start_its_life_and_its_readiness(values: charts.Object) -> None:
    for pod, container in containers(values):
        if container.get("ports"):
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), pod.component


# ---- sizes ----


def quantity(text: str) -> Decimal:
    """CPUs or bytes."""
    if text.endswith("m"):
        return Decimal(text[:-1]) / 1000
    return Decimal(text[:-2]) * SIZES[text[-2:]] if text[-2:] in SIZES else Decimal(text)


def replicas(pod: charts.Pod, among: list[charts.Object]) -> int:
    for scaler in charts.of_kind("HorizontalPodAutoscaler", among):
        if scaler["spec"]["scaleTargetRef"]["name"] == pod.workload["metadata"]["name"]:
            return int(scaler["spec"]["minReplicas"])
    return int(pod.workload["spec"].get("replicas", 1))


def test_the_default_installation_asks_for_no_more_than_a_small_node_has() -> None:
    found = charts.objects()
    cpu = memory = Decimal(0)
    for pod in charts.pods(found):
        asked = [container["resources"]["requests"] for container in pod.containers]
        cpu += replicas(pod, found) * max(quantity(each["cpu"]) for each in asked)
        memory += replicas(pod, found) * max(quantity(each["memory"]) for each in asked)
    assert cpu <= Decimal("0.95")
    assert memory <= Decimal("2.2") * 2**30


@sets
def test_every_container_has_a_request_and_a_memory_limit(values: charts.Object) -> None:
    for _, container in containers(values):
        given = container["resources"]
        assert {"cpu", "memory"} <= given["requests"].keys()
        assert quantity(given["limits"]["memory"]) >= quantity(given["requests"]["memory"])


def test_production_guarantees_database_and_broker_what_they_use() -> None:
    for pod, container in containers(charts.EXAMPLES["production"]):
        if pod.component in ("timescaledb", "broker"):
            assert container["resources"]["requests"] == container["resources"]["limits"]


def test_an_autoscaler_alone_says_how_many() -> None:
    found = charts.objects(charts.EVERYTHING)
    scaled = {
        each["spec"]["scaleTargetRef"]["name"] for each in charts.of_kind("HorizontalPodAutoscaler", found)
    }
    assert scaled == {"logboom-web", "logboom-ingest", "logboom-producer"}
    for name in scaled:
        assert "replicas" not in charts.named("Deployment", name, found)["spec"]


def test_workers_have_longer_to_end_than_their_drain_takes() -> None:
    worker = charts.named("StatefulSet", "logboom-worker", charts.objects())["spec"]["template"]["spec"]
    assert worker["terminationGracePeriodSeconds"] > 30
