"""The source and the superuser that tests of pages ask for, and pages whose files nobody had to collect."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from webapp.access.models import Source


@pytest.fixture
def shop(django_logs_url: str) -> Source:
    return Source.objects.create(name="shop")


@pytest.fixture
def root(client: Client, shop: Source) -> Client:
    """A superuser's browser."""
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def plain_static(settings: Any) -> None:
    """Pages name their files as they are in the source tree."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
