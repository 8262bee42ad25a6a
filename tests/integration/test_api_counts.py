"""Facets and the summary over HTTP: parameters, the shape of answers, what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.rows import NOW_US, record, unit
from webapp.access.models import Source, create_token
from webapp.api import serializers
from webapp.logs import store

pytestmark = pytest.mark.django_db
FACETS, SUMMARY = "/api/v1/logs/facets", "/api/v1/logs/summary"
Put = Callable[..., None]


@pytest.fixture
def put(django_logs_url: str, settings: LazySettings) -> Put:
    settings.DATABASE_URL = settings.DATABASE_READ_URL = django_logs_url

    def stored(*services: str, source: int = 3) -> None:
        lines = [record(name, NOW_US + at, service=name) for at, name in enumerate(services)]
        with store.connect(django_logs_url) as conn:
            store.store(conn, [unit(*lines, source=source)])

    return stored


@pytest.fixture
def reader(put: Put) -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("reader"))
    return client


def test_answers_hold_what_the_description_says(put: Put, reader: APIClient) -> None:
    put("a", "a", "b")
    made = reader.get(SUMMARY, {"field": ["service", "a.b"], "limit": 1, "by": "service"}).json()
    assert made.keys() == serializers.Summary().fields.keys()
    assert made["histogram"].keys() == serializers.Histogram().fields.keys()
    assert [facet["field"] for facet in made["facets"]] == ["service", "a.b"]
    assert (made["total"], made["total_relation"], made["partial"]) == (3, "eq", False)
    counted = reader.get(FACETS, {"field": "service", "as_of": made["as_of"]}).json()
    assert counted.keys() == serializers.Facets().fields.keys()
    (facet,) = counted["facets"]
    assert facet.keys() == serializers.Facet().fields.keys()
    assert facet["values"] == [
        {"value": "a", "count": 2, "selected": False},
        {"value": "b", "count": 1, "selected": False},
    ]


def test_own_and_contains_are_parameters(put: Put, reader: APIClient) -> None:
    put("api", "web", "worker")
    asked = {"field": "service", "service": "web"}
    (excluded,) = reader.get(FACETS, asked).json()["facets"]
    (included,) = reader.get(FACETS, {**asked, "own": "include"}).json()["facets"]
    assert (excluded["total"], included["total"]) == (3, 1)
    (narrow,) = reader.get(FACETS, {"field": "service", "contains": "W"}).json()["facets"]
    assert [value["value"] for value in narrow["values"]] == ["web", "worker"]


def test_a_post_takes_the_same_names(put: Put, reader: APIClient) -> None:
    put("a", "b")
    for path in (FACETS, SUMMARY):
        asked = {"field": "service", "limit": 1}
        got, posted = reader.get(path, asked).json(), reader.post(path, asked, format="json").json()
        assert got["facets"] == posted["facets"]


@pytest.mark.parametrize("path", [FACETS, SUMMARY])
@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"feild": "service"}, "unknown_param", "feild"),
        ({"field": "message"}, "bad_value", "field"),
        ({"limit": "0"}, "bad_value", "limit"),
        ({"own": "maybe"}, "bad_value", "own"),
        ({"q": "(a"}, "query_syntax", "q"),
        ({"start": "yesterday"}, "bad_time", "start"),
        ({"as_of": "nonsense"}, "bad_value", "as_of"),
    ],
)
def test_a_mistake_is_refused_by_name(
    reader: APIClient, path: str, asked: dict[str, Any], code: str, param: str
) -> None:
    answer = reader.get(path, asked)
    document = answer.json()
    assert (answer.status_code, document["code"]) == (400, code)
    assert [error["param"] for error in document["errors"]] == [param]
    if code == "unknown_param":
        assert document["errors"][0]["fix"] == "field"


def test_an_old_as_of_is_gone(reader: APIClient, settings: LazySettings) -> None:
    as_of = reader.get(FACETS).json()["as_of"]
    settings.TOKEN_SECONDS = -1
    assert reader.get(SUMMARY, {"as_of": as_of}).status_code == 410


def test_a_token_counts_the_lines_of_its_sources_only(put: Put) -> None:
    shop = Source.objects.create(name="shop")
    put("ours", source=shop.pk)
    put("theirs", source=shop.pk + 1)
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {create_token('reader', 'read', sources=[shop])[1]}")
    made = client.get(SUMMARY, {"service": "theirs"}).json()
    assert made["total"] == 0
    (facet,) = [facet for facet in made["facets"] if facet["field"] == "service"]
    assert [value["value"] for value in facet["values"]] == ["ours"]
    assert APIClient().get(FACETS).status_code == 401
