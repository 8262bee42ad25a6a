"""Each check names the setting and the cure."""

from typing import Any

import pytest

from webapp import checks


def test_a_missing_database_is_named(settings: Any) -> None:
    settings.DATABASE_URL = ""
    [found] = checks.database_is_named(None)
    assert "DATABASE_URL" in found.msg
    assert "postgresql://" in str(found.hint)


@pytest.mark.parametrize(
    "cache",
    [
        "redis://127.0.0.1:6390/0",
        "redis://127.0.0.1:6390/1",
        "redis://localhost:6390/0",
        "rediss://u:p@127.0.0.1:6390/0",
    ],
)
def test_a_cache_on_the_brokers_server_is_an_error(settings: Any, cache: str) -> None:
    settings.BROKER_URL, settings.CACHE_URL = "redis://127.0.0.1:6390/0", cache
    [found] = checks.broker_is_not_the_cache(None)
    assert "CACHE_URL" in str(found.hint)


def test_a_cache_of_its_own_is_fine(settings: Any) -> None:
    settings.BROKER_URL, settings.CACHE_URL = "redis://broker/0", "redis://cache/0"
    assert checks.broker_is_not_the_cache(None) == []


def test_clear_text_on_a_network_is_a_warning(settings: Any) -> None:
    settings.SECURE, settings.PUBLIC_URL = False, "http://logs.example.com"
    [found] = checks.public_url_is_safe(None)
    assert "PUBLIC_URL" in found.msg
    assert "TRUST_PROXY" in str(found.hint)


def test_clear_text_on_loopback_is_fine(settings: Any) -> None:
    settings.SECURE, settings.PUBLIC_URL = False, "http://127.0.0.1:8000"
    assert checks.public_url_is_safe(None) == []


def test_an_untrusted_proxy_is_a_warning(settings: Any) -> None:
    settings.SECURE, settings.SECURE_PROXY_SSL_HEADER = True, None
    [found] = checks.proxy_is_trusted(None)
    assert "TRUST_PROXY" in found.msg
