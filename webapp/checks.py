"""System checks: what is wrong with this configuration, which setting it is, and the cure."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
Apps = Sequence[AppConfig] | None


@register(Tags.database)
def database_is_named(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if settings.DATABASE_URL:
        return []
    return [
        Error(
            "DATABASE_URL is not set.",
            hint="Set it, or DATABASE_URL_FILE, to postgresql://user:password@host:5432/name.",
            id="logboom.E001",
        )
    ]


@register()
def broker_is_not_the_cache(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Another database number on the same server does not help: memory policy belongs to the server."""
    if server(settings.BROKER_URL) != server(settings.CACHE_URL):
        return []
    return [
        Error(
            "BROKER_URL and CACHE_URL name one server: a cache that evicts would evict accepted batches.",
            hint="Give the cache a server of its own, with maxmemory-policy allkeys-lru, and set CACHE_URL.",
            id="logboom.E002",
        )
    ]


@register(Tags.security, deploy=True)
def public_url_is_safe(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if settings.SECURE or urlsplit(settings.PUBLIC_URL).hostname in LOOPBACK:
        return []
    return [
        Warning(
            f"PUBLIC_URL is {settings.PUBLIC_URL}: passwords and session cookies cross the network in clear.",
            hint="Put a TLS proxy in front, set PUBLIC_URL to its https:// address and TRUST_PROXY=1.",
            id="logboom.W003",
        )
    ]


@register(Tags.security, deploy=True)
def proxy_is_trusted(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    if not settings.SECURE or settings.SECURE_PROXY_SSL_HEADER:
        return []
    return [
        Warning(
            "PUBLIC_URL is https:// but TRUST_PROXY is off: a TLS proxy's requests are redirected for ever.",
            hint="Set TRUST_PROXY=1 if the proxy sets X-Forwarded-Proto itself and drops a client's own.",
            id="logboom.W004",
        )
    ]


def server(url: str) -> tuple[str, int | str]:
    """Where a redis:// or unix:// URL leads, without user and database number."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return "unix", parts.path
    host = parts.hostname or ""
    return ("127.0.0.1" if host in LOOPBACK else host), parts.port or 6379
