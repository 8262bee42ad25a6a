"""What every test shares: the real servers and databases, each started when it is first asked for."""

import os

import pytest
from django.conf import settings

from tests.books import at_once, booked
from tests.brokers import any_broker, any_broker_url, broker_binary, buffer, own_broker
from tests.database import (
    any_database_url,
    database_url,
    django_db_modify_db_settings,
    django_logs_url,
    pytest_terminal_summary,
    template_apache,
    template_community,
    template_plain_15,
    template_plain_18,
    timescale_url,
)
from tests.quarantined import boss, site
from tests.reading import plain_url, url
from tests.servers import broker, postgres_url, server_dir, valkey_url
from tests.shop import plain_static, root, shop

# Processes that tests start must not take the settings' stand-in (environment.py) for a real database.
os.environ.pop("DATABASE_URL", None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With SPILL_ALWAYS=1 lines go through spill files: what is not about that is left out."""
    if settings.SPILL_ALWAYS:
        direct = [item for item in items if item.get_closest_marker("direct")]
        config.hook.pytest_deselected(items=direct)
        items[:] = [item for item in items if item not in direct]


__all__ = [
    "any_broker",
    "any_broker_url",
    "any_database_url",
    "at_once",
    "booked",
    "boss",
    "broker",
    "broker_binary",
    "buffer",
    "database_url",
    "django_db_modify_db_settings",
    "django_logs_url",
    "own_broker",
    "plain_url",
    "plain_static",
    "postgres_url",
    "pytest_terminal_summary",
    "root",
    "server_dir",
    "shop",
    "site",
    "template_apache",
    "template_community",
    "template_plain_15",
    "template_plain_18",
    "timescale_url",
    "url",
    "valkey_url",
]
