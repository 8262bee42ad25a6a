"""Values that are wrong are refused in a sentence, before anything reaches the cluster."""

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings

from tests.chart import charts, random_values

WRONG: dict[str, charts.Object] = {
    "webb": {"webb": {}},
    "replicaz": {"worker": {"replicaz": 3}},
    "got string, want integer": {"worker": {"replicas": "three"}},
    "rate_per_second": {"producer": {"rate_per_second": 10}},
    "publicURL": {"publicURL": "logs.example.org"},
    "accessMode": {"worker": {"storage": {"size": "1Gi", "accessMode": "ReadWriteMany"}}},
    "flavor": {"timescaledb": {"flavor": "mysql"}},
    "'retention' does not match pattern": {"settings": {"retention": 30}},
    "defaults": {"defaults": {"replicas": 2}},
}
SENTENCES: dict[str, charts.Object] = {
    "broker.maxmemory is 300mb and the memory limit 512Mi": {"broker": {"maxmemory": "300mb"}},
    "three times maxmemory": {"broker": {"storage": {"size": "700Mi"}}},
    "three quarters of cache.resources.limits.memory": {"cache": {"maxmemory": "500mb"}},
    "2 x (worker.deadlineSeconds + 2)": {"worker": {"deadlineSeconds": 60}},
    "timescaledb.external.existingSecret": {"timescaledb": {"mode": "external"}},
    "storageClass.provisioner": {"storageClass": {"create": True}},
    "publicURL is empty": {"ingress": {"enabled": True}},
    "enable one": {
        "publicURL": "https://logs.example.org",
        "ingress": {"enabled": True},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "g"}]},
    },
    "httpRoute.parentRefs": {"publicURL": "https://logs.example.org", "httpRoute": {"enabled": True}},
}


@pytest.mark.parametrize(("complaint", "values"), WRONG.items(), ids=WRONG)
def test_the_schema_refuses(complaint: str, values: charts.Object) -> None:
    with pytest.raises(charts.RefusedValues) as refusal:
        charts.manifests(values)
    assert complaint in str(refusal.value)


@pytest.mark.parametrize(("sentence", "values"), SENTENCES.items(), ids=SENTENCES)
def test_values_that_do_not_go_together_are_told_so(sentence: str, values: charts.Object) -> None:
    with pytest.raises(charts.RefusedValues) as refusal:
        charts.manifests(values)
    assert sentence in str(refusal.value)


# Not shrunk: what is made is small, and each try is a render.
@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(random_values.values())
def test_whatever_the_schema_allows_is_rendered_or_refused_in_a_sentence(values: charts.Object) -> None:
    try:
        files = charts.manifests(values)
    except charts.RefusedValues as refusal:
        (_, sentence) = str(refusal).split(":4): ", 1)  # where the template fails on purpose
        assert sentence.endswith(".")
        return
    for name, text in files.items():
        if name.endswith(".yaml"):
            for each in yaml.safe_load_all(text):
                assert each is None or {"apiVersion", "kind", "metadata"} <= each.keys()


def test_an_umbrella_chart_may_hand_down_its_globals() -> None:
    assert (
        charts.manifests({"global": {"imageRegistry": "example.org", "any": {"thing": 1}}})
        == charts.manifests()
    )


def test_the_values_file_is_one_that_a_person_reads_through() -> None:
    assert len((charts.CHART / "values.yaml").read_text().splitlines()) < 700


def test_the_schema_knows_every_value_and_no_other() -> None:
    """A value without a schema entry is refused by the schema itself; this is the other way round."""
    import json

    schema = json.loads((charts.CHART / "values.schema.json").read_text())
    told = charts.default_values()
    assert schema["properties"].keys() - told.keys() == {"global"}
    for name, own in told.items():
        wanted = schema["properties"][name]
        if isinstance(own, dict) and "properties" in wanted:
            shared = schema["properties"]["defaults"]["properties"].keys()
            assert wanted["properties"].keys() - own.keys() - shared <= {"replicas"}, name


def test_what_a_component_says_counts_more_than_what_all_say() -> None:
    values = {"defaults": {"env": {"LOG_LEVEL": "ERROR"}}, "beat": {"env": {"LOG_LEVEL": "DEBUG"}}}
    levels = {
        pod.component: [entry["value"] for entry in pod.containers[0]["env"] if entry["name"] == "LOG_LEVEL"]
        for pod in charts.pods(charts.objects(values))
    }
    assert levels["beat"] == ["DEBUG"]
    assert levels["ingest"] == ["ERROR"]
