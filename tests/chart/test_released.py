"""What the API server lets nobody change on a running release stays as it was released (released.json).

A change here means that every installation must be taken down by hand: it needs a reason and a way, in
docs/kubernetes.md, before the file is touched.
"""

import json

from tests.chart import charts

RELEASED = json.loads((charts.ROOT / "tests" / "chart" / "released.json").read_text())


def facts(each: charts.Object) -> charts.Object:
    spec = each["spec"]
    if each["kind"] == "Service":
        return {"selector": spec["selector"], "headless": spec.get("clusterIP") == "None"}
    found = {"selector": spec["selector"]["matchLabels"]}
    if each["kind"] == "StatefulSet":
        found |= {name: spec[name] for name in ("serviceName", "podManagementPolicy")}
        found["claims"] = {claim["metadata"]["name"]: claim["spec"] for claim in spec["volumeClaimTemplates"]}
    return found


def test_no_field_that_cannot_be_changed_has_changed() -> None:
    kinds = ("Deployment", "StatefulSet", "Service")
    now = {
        f"{each['kind']}/{each['metadata']['name']}": facts(each)
        for each in charts.objects(charts.EVERYTHING | {"worker": {}})
        if each["kind"] in kinds
    }
    assert now == RELEASED
