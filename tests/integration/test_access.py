"""Sources, tokens and grants: who may see what, and how ingest hears of it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.core.exceptions import ValidationError
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from ingest import directory
from webapp.access import publish
from webapp.access.bearer import BearerAuthentication, known
from webapp.access.models import Grant, Source, Token, create_token
from webapp.access.scope import ALL, NOTHING, AuthToken, Scope, for_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Source:
    return Source.objects.create(name="shop", weight=3, retention_days=7)


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ann", password="a long enough one")


@pytest.fixture
def directory_of(broker: redis.Redis, valkey_url: str, settings: Any) -> Iterator[Any]:
    """What ingest would read now."""
    settings.BROKER_URL = valkey_url
    yield lambda: directory.fetch(broker, None)


# ---- scope ----


def test_a_user_without_grants_sees_nothing(user: User, shop: Source) -> None:
    assert for_user(user) == NOTHING
    assert for_user(AnonymousUser()) == NOTHING


def test_a_user_sees_what_was_granted_to_him_and_to_his_groups(user: User, shop: Source) -> None:
    group = Group.objects.create(name="ops")
    user.groups.add(group)
    bank = Source.objects.create(name="bank")
    Source.objects.create(name="secret")
    Grant.objects.create(user=user, source=shop)
    Grant.objects.create(group=group, source=bank)
    assert for_user(user) == Scope(frozenset({shop.pk, bank.pk}))


def test_a_superuser_sees_all_until_switched_off(user: User) -> None:
    user.is_superuser = True
    assert for_user(user) == ALL
    user.is_active = False
    assert for_user(user) == NOTHING


def test_the_permission_to_read_every_source_is_enough(user: User) -> None:
    user.user_permissions.add(Permission.objects.get(codename="read_all_sources"))
    assert for_user(User.objects.get(pk=user.pk)) == ALL


# ---- tokens ----


def test_a_token_is_kept_as_a_hash_and_a_harmless_beginning(shop: Source) -> None:
    token, value = create_token("till", "ingest", source=shop)
    kept = Token.objects.filter(pk=token.pk).values_list().get()
    assert directory.well_formed(value)
    assert value not in map(str, kept)
    assert not any(value[20:] in str(field) for field in kept)
    assert value.startswith(token.prefix)


@pytest.mark.parametrize(("scope", "with_source"), [("ingest", False), ("read", True), ("admin", True)])
def test_only_an_ingest_token_has_a_source(scope: str, with_source: bool, shop: Source) -> None:
    with pytest.raises(ValidationError, match="source"):
        create_token("wrong", scope, source=shop if with_source else None)


def test_a_token_says_who_it_is_and_what_it_reads(shop: Source) -> None:
    _, value = create_token("reader", "read", sources=[shop])
    request = Request(APIRequestFactory().get("/", headers={"authorization": f"Bearer {value}"}))
    answer = BearerAuthentication().authenticate(request)
    assert answer is not None
    program, token = answer
    assert program.is_authenticated
    assert token == AuthToken(token.id, "reader", "read", None, frozenset({shop.pk}), False)


def test_a_request_without_a_token_is_left_to_the_session() -> None:
    assert BearerAuthentication().authenticate(Request(APIRequestFactory().get("/"))) is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"disabled": True}, "disabled"),
        ({"expires": timezone.now() - timedelta(seconds=1)}, "expired"),
        ({"digest": "0" * 64}, "unknown"),
    ],
)
def test_a_token_that_is_no_longer_good_is_refused_with_the_reason(
    change: dict[str, Any], sentence: str
) -> None:
    token, value = create_token("old", "admin")
    Token.objects.filter(pk=token.pk).update(**change)
    with pytest.raises(AuthenticationFailed, match=sentence):
        known(value)


def test_a_token_cut_short_is_refused_without_a_look_up(django_assert_num_queries: Any) -> None:
    _, value = create_token("whole", "admin")
    with django_assert_num_queries(0), pytest.raises(AuthenticationFailed, match="not copied whole"):
        known(value[:-1])


def test_use_is_noted_once_in_a_while(django_assert_num_queries: Any) -> None:
    token, value = create_token("busy", "admin")
    known(value)
    first = Token.objects.get(pk=token.pk).last_used
    assert first is not None
    with django_assert_num_queries(1):
        known(value)
    assert Token.objects.get(pk=token.pk).last_used == first


# ---- the directory ----


def test_a_new_token_is_in_the_directory_as_soon_as_it_is_committed(
    shop: Source, directory_of: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        token, value = create_token("till", "ingest", source=shop)
    published = directory_of()
    assert published.tokens[directory.digest(value)] == directory.TokenEntry(shop.pk, "ingest", "till", False)
    assert published.sources[shop.pk] == directory.SourceEntry("shop", 3, 7, False)


def test_disabling_and_deleting_reach_the_directory(
    shop: Source, directory_of: Any, django_capture_on_commit_callbacks: Any
) -> None:
    token, value = create_token("till", "ingest", source=shop)
    token.disabled = True
    with django_capture_on_commit_callbacks(execute=True):
        token.save()
    assert directory_of().tokens[directory.digest(value)].disabled
    with django_capture_on_commit_callbacks(execute=True):
        token.delete()
    assert directory.digest(value) not in directory_of().tokens


def test_an_expired_token_is_published_as_disabled(directory_of: Any) -> None:
    token, value = create_token("brief", "admin")
    publish.publish()
    Token.objects.filter(pk=token.pk).update(expires=timezone.now())
    assert publish.publish_if_missing()
    assert directory_of().tokens[directory.digest(value)].disabled


def test_a_broker_that_came_back_empty_is_filled_once(directory_of: Any, broker: redis.Redis) -> None:
    create_token("lasting", "admin")
    publish.publish()
    assert not publish.publish_if_missing()
    broker.flushall()
    assert publish.publish_if_missing()
    assert not publish.publish_if_missing()


def test_a_change_is_kept_while_the_broker_is_away(
    settings: Any, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    with django_capture_on_commit_callbacks(execute=True):
        Source.objects.create(name="lonely")
    assert Source.objects.filter(name="lonely").exists()
    assert "beat publishes it" in caplog.text
