"""What a page asks beside the lines: the pipeline's standing, who it is for, a token to send with, a query's
mistakes."""

from typing import Any

import pytest
import redis
from django.contrib.auth.models import Permission, User
from django.db import OperationalError
from django.test import Client

from ingest import broker as brokers
from ingest import directory
from ingest.buffer import Buffer, State
from tests.brokers import moves, offer
from tests.rows import NOW_US, record, unit
from webapp.access.models import Grant, Profile, Source, Token, create_token
from webapp.api import me, status
from webapp.logs import snapshot, store
from webapp.ui import shell

STATUS, ME, TOKENS, PARSE = "/api/v1/status", "/api/v1/me", "/api/v1/tokens", "/api/v1/logs/parse"
AWAY = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture(autouse=True)
def own_broker(broker: redis.Redis, valkey_url: str, settings: Any) -> None:
    settings.BROKER_URL = valkey_url


@pytest.fixture(autouse=True)
def unkept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "KEPT_SECONDS", 0.0)


@pytest.fixture
def shop(django_logs_url: str) -> Source:
    return Source.objects.create(name="shop")


@pytest.fixture
def ann(django_logs_url: str) -> User:
    return User.objects.create_user("ann")


@pytest.fixture
def boss(client: Client, django_logs_url: str) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def put(url: str, *messages: str, source: Source) -> None:
    lines = [record(text, NOW_US + at, nanos=0) for at, text in enumerate(messages)]
    with store.connect(url) as conn:
        store.store(conn, [unit(*lines, source=source.pk)])


def may(user: User, *names: str) -> None:
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(path, body, content_type="application/json")


def patch(client: Client, preferences: Any) -> Any:
    return client.patch(ME, {"preferences": preferences}, content_type="application/json")


# ---- status ----


def test_the_status_of_an_empty_installation(boss: Client) -> None:
    found = boss.get(STATUS).json()
    assert found.keys() == status.Status().fields.keys()
    assert (found["newest"], found["any_lines"], found["last_commit"]) == (None, False, None)
    assert found["queued"] == {"batches": 0, "rows": 0, "oldest_ms": None}
    assert found["spilled"] == {"batches": 0, "rows": 0}
    assert (found["broker"], found["edition"], found["demo"]) == ("ok", "plain", [])
    assert found["retention_days"] > 0 and found["version"]


def test_the_status_tells_what_is_stored_and_what_waits(
    boss: Client, shop: Source, django_logs_url: str, broker: redis.Redis
) -> None:
    put(django_logs_url, "one", "two", source=shop)
    buffer = Buffer(broker)
    for rows in (3, 4):
        buffer.accept(offer(shop.pk, rows))
    spilled = buffer.claim("worker").batches[:1]
    buffer.finish(moves(list(spilled), State.SPILLED))
    found = boss.get(STATUS).json()
    assert found["any_lines"] and found["newest"].endswith("T12:00:00.000001000Z")
    assert found["last_commit"] <= found["as_of_time"]
    assert (found["spilled"], found["queued"]["batches"]) == ({"batches": 1, "rows": 3}, 1)
    assert found["queued"]["rows"] == 4 and found["queued"]["oldest_ms"] >= 0
    assert (found["sources"], found["hidden_sources"]) == (1, 0)


def test_a_reader_is_told_of_the_lines_he_may_see(
    client: Client, ann: User, shop: Source, django_logs_url: str
) -> None:
    bank = Source.objects.create(name="bank")
    client.force_login(ann)
    put(django_logs_url, "one", source=shop)
    put(django_logs_url, "two", "three", source=bank)
    found = client.get(STATUS).json()
    assert (found["newest"], found["any_lines"]) == (None, False)
    assert (found["sources"], found["hidden_sources"]) == (0, 2)
    Grant.objects.create(user=ann, source=shop)
    found = client.get(STATUS).json()
    assert found["newest"].endswith("T12:00:00.000000000Z")
    assert (found["any_lines"], found["sources"], found["hidden_sources"]) == (True, 1, 1)


def test_a_line_too_deep_to_be_found_in_time_is_still_known_of(
    client: Client, ann: User, shop: Source, django_logs_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(ann)
    Grant.objects.create(user=ann, source=shop)
    put(django_logs_url, "one", source=shop)
    monkeypatch.setattr("webapp.logs.standing.newest_of", lambda scope: None)
    found = client.get(STATUS).json()
    assert (found["newest"], found["any_lines"]) == (None, True)


def test_a_full_broker_and_one_that_is_away_are_told(
    boss: Client, settings: Any, broker: redis.Redis
) -> None:
    settings.ADMISSION_SHARE = 0.0
    assert boss.get(STATUS).json()["broker"] == "full"
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    found = boss.get(STATUS).json()
    assert (found["broker"], found["queued"], found["spilled"]) == ("away", None, None)


def test_while_the_database_is_away_the_problem_tells_what_waits(
    boss: Client, shop: Source, settings: Any, broker: redis.Redis
) -> None:
    Buffer(broker).accept(offer(shop.pk, 2310))
    settings.DATABASE_URL = settings.DATABASE_READ_URL = AWAY
    answer = boss.get(STATUS)
    snapshot.pool(AWAY).close()
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
    found = answer.json()
    assert (found["code"], found["broker"]) == ("overloaded", "ok")
    assert (found["queued"]["rows"], found["spilled"]["rows"]) == (2310, 0)


def test_while_nobody_can_be_looked_up_who_brings_a_token_is_told_what_waits(
    client: Client, shop: Source, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(value: str) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("webapp.access.bearer.known", away)
    Buffer(broker).accept(offer(shop.pk, 7))
    answer = client.get(STATUS, headers={"authorization": "Bearer lb_read_x"})
    assert (answer.status_code, answer.json()["queued"]["rows"]) == (503, 7)
    assert client.get(STATUS).status_code == 401


def test_an_answer_is_kept_for_a_moment(
    boss: Client, shop: Source, django_logs_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "KEPT_SECONDS", 3600.0)
    status.KEPT.answers.clear()
    assert not boss.get(STATUS).json()["any_lines"]
    put(django_logs_url, "one", source=shop)
    assert not boss.get(STATUS).json()["any_lines"]
    status.KEPT.answers.clear()
    assert boss.get(STATUS).json()["any_lines"]


def test_the_status_is_for_readers(client: Client, shop: Source) -> None:
    assert client.get(STATUS).status_code == 401
    value = create_token("till", "ingest", source=shop)[1]
    assert client.get(STATUS, headers={"authorization": f"Bearer {value}"}).status_code == 403


# ---- me ----


def test_a_person_hears_who_he_is_and_what_he_may(client: Client, ann: User, shop: Source) -> None:
    client.force_login(ann)
    found = client.get(ME).json()
    assert found.keys() == me.Me().fields.keys()
    assert found == {
        "username": "ann",
        "staff": False,
        "may_make_tokens": False,
        "preferences": {},
        "sources": [],
    }
    Grant.objects.create(user=ann, source=shop)
    may(ann, "add_token")
    found = client.get(ME).json()
    assert (found["may_make_tokens"], found["sources"]) == (True, [{"name": "shop"}])


def test_a_token_has_a_name_and_no_preferences(client: Client, shop: Source) -> None:
    value = create_token("reader", "read", sources=[shop])[1]
    bearer = {"authorization": f"Bearer {value}"}
    found = client.get(ME, headers=bearer).json()
    assert (found["username"], found["sources"]) == ("token:reader", [{"name": "shop"}])
    assert (found["preferences"], found["may_make_tokens"]) == ({}, False)
    refused = client.patch(ME, {"preferences": {}}, content_type="application/json", headers=bearer)
    assert refused.status_code == 403


def test_preferences_are_merged_and_null_takes_one_back(client: Client, ann: User) -> None:
    client.force_login(ann)
    patch(client, {"theme": "dark", "wrap": True, "columns": ["service", "odd name"], "tz": "Europe/Zurich"})
    found = patch(client, {"theme": None, "density": "compact", "tz": "local", "single_keys": False}).json()
    assert found["preferences"] == client.get(ME).json()["preferences"]
    assert found["preferences"] == {
        "wrap": True,
        "columns": ["service", "odd name"],
        "tz": "local",
        "density": "compact",
        "single_keys": False,
    }
    ann.delete()
    assert not Profile.objects.exists()


@pytest.mark.parametrize(
    ("preferences", "code", "param"),
    [
        ({"teme": "dark"}, "unknown_param", "teme"),
        ({"theme": "red"}, "bad_value", "theme"),
        ({"columns": ["x"] * 21}, "bad_value", "columns"),
        ({"columns": "x"}, "bad_value", "columns"),
        ({"tz": "Mars"}, "bad_value", "tz"),
        ({"wrap": "perhaps"}, "bad_value", "wrap"),
        ({"facets_width": 9}, "bad_value", "facets_width"),
        ([], "bad_value", "preferences"),
    ],
)
def test_a_preference_that_is_none_is_refused_and_nothing_is_kept(
    client: Client, ann: User, preferences: Any, code: str, param: str
) -> None:
    client.force_login(ann)
    answer = patch(client, preferences)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert [error["param"] for error in answer.json()["errors"]] == [param]
    assert client.get(ME).json()["preferences"] == {}


def test_the_page_starts_with_the_preferences(client: Client, ann: User) -> None:
    client.force_login(ann)
    patch(client, {"theme": "dark"})
    request = client.get(ME).wsgi_request
    assert shell.preferences(request) == {"theme": "dark"}


# ---- tokens ----


def test_a_token_is_made_told_once_and_good_to_send_with(
    boss: Client, broker: redis.Redis, valkey_url: str
) -> None:
    answer = post(boss, TOKENS, {"name": "first line", "source": "hello"})
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    found = answer.json()
    value = found.pop("token")
    assert found == {"name": "first line", "source": "hello", "scope": "ingest"}
    made = Token.objects.get(digest=directory.digest(value))
    assert (made.scope, made.source and made.source.name) == ("ingest", "hello")
    assert made.created_by is not None and made.created_by.username == "boss"
    published = directory.fetch(brokers.connect(valkey_url), None)
    assert published is not None and directory.digest(value) in published.tokens
    assert value not in boss.get(ME).content.decode()


def test_who_may_not_make_a_token_or_its_source_gets_none(client: Client, ann: User, shop: Source) -> None:
    client.force_login(ann)
    wanted = {"name": "mine", "source": "shop"}
    assert post(client, TOKENS, wanted).status_code == 403
    may(ann, "add_token")
    assert "may not read shop" in post(client, TOKENS, wanted).json()["detail"]
    assert "may not make one" in post(client, TOKENS, {**wanted, "source": "new"}).json()["detail"]
    assert not Token.objects.exists() and not Source.objects.filter(name="new").exists()
    Grant.objects.create(user=ann, source=shop)
    assert post(client, TOKENS, wanted).status_code == 201


def test_who_makes_a_source_with_his_token_may_read_it(client: Client, ann: User) -> None:
    client.force_login(ann)
    may(ann, "add_token", "add_source")
    assert post(client, TOKENS, {"name": "mine", "source": "new"}).status_code == 201
    assert client.get(ME).json()["sources"] == [{"name": "new"}]


def test_a_token_makes_no_token(client: Client, shop: Source) -> None:
    value = create_token("boss", "admin")[1]
    answer = client.post(
        TOKENS,
        {"name": "x", "source": "shop"},
        content_type="application/json",
        headers={"authorization": f"Bearer {value}"},
    )
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        ({"name": "", "source": "shop"}, "name"),
        ({"source": "shop"}, "name"),
        ({"name": "taken", "source": "shop"}, "name"),
        ({"name": "x", "source": "no such name"}, "source"),
        ({"name": "x", "source": "shop", "scope": "admin"}, "scope"),
        ({"name": "x", "source": "shop", "sope": "ingest"}, "sope"),
    ],
)
def test_a_token_that_cannot_be_is_refused_by_name(
    boss: Client, shop: Source, wanted: dict[str, str], param: str
) -> None:
    create_token("taken", "ingest", source=shop)
    answer = post(boss, TOKENS, wanted)
    assert answer.status_code == 400
    assert [error["param"] for error in answer.json()["errors"]] == [param]
    assert Token.objects.count() == 1 and Source.objects.count() == 1


def test_where_a_name_is_taken_a_free_one_is_offered(boss: Client, shop: Source) -> None:
    for name in ("x", "x 2", "y" * 100):
        create_token(name, "ingest", source=shop)
    for name, free in (("x", "x 3"), ("y" * 100, "y" * 92 + " 2")):
        (error,) = post(boss, TOKENS, {"name": name, "source": "shop"}).json()["errors"]
        assert error["fix"] == free
        assert post(boss, TOKENS, {"name": free, "source": "shop"}).status_code == 201


def test_without_its_secret_a_foreign_page_changes_nothing(ann: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ann)
    assert patch(strict, {"theme": "dark"}).status_code == 403
    assert post(strict, TOKENS, {"name": "x", "source": "y"}).status_code == 403
    assert not Profile.objects.exists()


# ---- parse ----


def test_a_query_is_checked_without_being_run(boss: Client, settings: Any) -> None:
    settings.DATABASE_READ_URL = AWAY  # nothing is read
    good = boss.get(PARSE, {"q": " level:err  AND foo or bar"}).json()
    assert (good["errors"], good["canonical"]) == ([], "severity:err foo or bar")
    assert [warning["fix"] for warning in good["warnings"]] == [" level:err  AND foo OR bar"]
    bad = boss.get(PARSE, {"q": "service: api"}).json()
    assert (bad["canonical"], bad["warnings"]) == (None, [])
    (error,) = bad["errors"]
    assert (error["param"], error["offset"], error["fix"]) == ("q", 0, "service:api")
    assert boss.get(PARSE).json() == {"errors": [], "warnings": [], "canonical": ""}
    assert boss.get(PARSE, {"query": "x"}).status_code == 400
