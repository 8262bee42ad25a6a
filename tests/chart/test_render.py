"""Helm 3 and 4 take the chart, three versions of API servers the objects, the bytes are always the same."""

import functools
import re

import kubernetes_validate
import pytest
from kubernetes_validate import utils

from tests.chart import charts, helm3

VERSIONS = ("1.34", "1.36", "1.37")
sets = pytest.mark.parametrize("values", charts.VALUE_SETS.values(), ids=charts.VALUE_SETS)
# Their schemas are not Kubernetes' own.
CUSTOM = ("HTTPRoute", "PeerAuthentication", "AuthorizationPolicy", "DestinationRule", "VirtualService")


@pytest.fixture(scope="module", autouse=True)
def schemas_are_read_once() -> None:
    """The library reads megabytes for each object."""
    if not hasattr(utils.schema_contents, "cache_info"):
        utils.schema_contents = functools.cache(utils.schema_contents)


@sets
def test_every_object_passes_the_strict_schemas(values: charts.Object) -> None:
    for each in charts.objects(values):
        for version in VERSIONS:
            if each["kind"] not in CUSTOM:
                kubernetes_validate.validate(each, version, strict=True)


def test_the_strict_schemas_would_refuse_a_misspelt_field() -> None:
    web = charts.named("Deployment", "logboom-web", charts.objects())
    with pytest.raises(kubernetes_validate.ValidationError, match="strateggy"):
        kubernetes_validate.validate({**web, "spec": {**web["spec"], "strateggy": {}}}, "1.34", strict=True)


@sets
def test_two_renders_are_the_same_to_the_byte(values: charts.Object) -> None:
    assert charts.manifests(values) == charts.manifests(values)


@sets
def test_helm_3_renders_the_same_objects(values: charts.Object) -> None:
    def ordered(found: list[charts.Object]) -> list[charts.Object]:
        return sorted(found, key=lambda each: (each["kind"], each["metadata"]["name"]))

    assert ordered(helm3.objects(values)) == ordered(charts.objects(values))


@sets
def test_helm_lint_has_nothing_to_say(values: charts.Object) -> None:
    assert charts.lint(values) == []


@sets
def test_names_are_given_once_and_every_object_is_in_the_namespace(values: charts.Object) -> None:
    found = [(each["kind"], each["metadata"]["name"]) for each in charts.objects(values)]
    assert len(found) == len(set(found))
    for each in charts.objects(values):
        assert each["kind"] == "StorageClass" or each["metadata"]["namespace"] == "log-system"


def test_nothing_of_the_whole_cluster_and_no_custom_kind_comes_unasked() -> None:
    kinds = {each["kind"] for each in charts.objects()}
    assert kinds == {
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Job",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Role",
        "RoleBinding",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    }


def test_no_hook_waits_for_what_waits_for_it() -> None:
    for each in charts.objects(charts.EVERYTHING):
        assert "helm.sh/hook" not in each["metadata"].get("annotations", {})


def test_the_longest_release_name_makes_names_that_kubernetes_takes() -> None:
    for text in charts.manifests(charts.EVERYTHING, release="r" * 53).values():
        for name in re.findall(r"^  name: (\S+)$", text, re.MULTILINE):
            assert len(name) <= 63


def test_notes_tell_the_first_log_in_and_a_line_to_send() -> None:
    local, public = charts.notes(), charts.notes(charts.EVERYTHING)
    assert "port-forward service/logboom-web 8000:80" in local
    assert "get secret logboom-secrets -o jsonpath='{.data.admin-password}'" in local
    assert "curl http://127.0.0.1:8001/api/v1/logs" in local
    assert "port-forward" not in public
    assert "curl https://logs.example.org/api/v1/logs" in public


def test_the_migration_job_is_named_by_what_it_does() -> None:
    def job(values: charts.Object) -> str:
        [name] = [
            each["metadata"]["name"]
            for each in charts.of_kind("Job", charts.objects(values))
            if "migrate" in each["metadata"]["name"]
        ]
        return name

    assert job({}) == job({"web": {"replicas": 3}})
    assert job({}) != job({"image": {"tag": "0.2.0"}})
