"""Fields, statistics and suggestions over HTTP: parameters, the shape of answers, what is refused."""

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.rows import record, unit
from webapp.access.models import Source, create_token
from webapp.api import fields, suggest
from webapp.logs import catalogue, store

pytestmark = pytest.mark.django_db
FIELDS, STATS, SUGGEST = (f"/api/v1/logs/{name}" for name in ("fields", "fields/a.b/stats", "suggest"))


@pytest.fixture
def reader(django_logs_url: str, settings: LazySettings) -> APIClient:
    """With one line stored and in the catalogue, of a source that a token may not read."""
    settings.DATABASE_URL = settings.DATABASE_READ_URL = django_logs_url
    with store.connect(django_logs_url) as conn:
        conn.execute("TRUNCATE log_field")
        conn.execute("UPDATE log_catalogue SET horizon = 0, in_progress = '{}'")
        store.store(conn, [unit(record("hello"), source=900)])
        catalogue.run(conn)
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("reader"))
    return client


def test_answers_hold_what_the_description_says(reader: APIClient) -> None:
    found = reader.get(FIELDS, {"contains": "a.b"}).json()
    assert found.keys() == fields.FieldsAnswer().get_fields().keys()
    [entry] = found["fields"]
    assert entry.keys() == fields.Known().fields.keys()
    assert (entry["name"], entry["types"], entry["count"], entry["builtin"]) == ("a.b", ["number"], 1, False)
    assert reader.post(FIELDS, {"exact": True}, "json").json()["exact"] is True
    made = reader.get(STATS, {"as_of": found["as_of"], "buckets": 3}).json()
    assert made.keys() == fields.StatsAnswer().fields.keys()
    assert made["series"][0].keys() == fields.Bucket().fields.keys()
    assert (made["field"], made["count"], made["max"]) == ("a.b", 1, 1)
    suggested = reader.get(SUGGEST, {"q": "service:chekout"}).json()
    assert suggested.keys() == suggest.Suggestion().fields.keys()
    (fix,) = suggested["fixes"]
    assert fix.keys() == suggest.Fix().fields.keys()
    assert (fix["q"], fix["lines"]) == ("service:checkout", 1)
    assert reader.get(SUGGEST, {"q": "hello"}).json()["newest"]["message"] == "hello"


def test_a_name_with_a_slash_has_statistics(reader: APIClient) -> None:
    assert reader.get("/api/v1/logs/fields/a/b/stats").json()["field"] == "a/b"


@pytest.mark.parametrize(
    ("address", "asked", "param"),
    [
        (FIELDS, {"contain": "x"}, "contain"),
        (FIELDS, {"exact": "perhaps"}, "exact"),
        (STATS, {"buckets": "0"}, "buckets"),
        ("/api/v1/logs/fields/message/stats", {}, "name"),
        (SUGGEST, {"q": "("}, "q"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(
    reader: APIClient, address: str, asked: dict[str, str], param: str
) -> None:
    answer = reader.get(address, asked)
    assert (answer.status_code, answer.json()["errors"][0]["param"]) == (400, param)


def test_a_token_sees_only_its_source(reader: APIClient) -> None:
    _, text = create_token("reads", "read", sources=[Source.objects.create(name="other")])
    client = APIClient(headers={"Authorization": f"Bearer {text}"})
    assert client.get(FIELDS).json()["fields"] == []
    assert client.get(STATS).json()["total"] == 0
    assert client.get(SUGGEST, {"q": "service:chekout"}).json()["fixes"] == []
    assert APIClient().get(FIELDS).status_code == 401
