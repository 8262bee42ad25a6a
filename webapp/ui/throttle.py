"""How often a password may be guessed: a few times per account and address, more per address.

Counted in the cache, which may forget and may be away; then guessing is as slow as the password hash makes
it, and people can still log in. Per account *and* address, so that nobody can lock somebody else out.
"""

import hashlib
import logging

import redis
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

WINDOW_SECONDS = 300
PER_ACCOUNT = 5  # wrong passwords for one account from one address
PER_ADDRESS = 50  # wrong passwords from one address: an office shares one

log = logging.getLogger(__name__)


def address(request: HttpRequest) -> str:
    """The client's, as the trusted proxy saw it: the last entry is the only one it wrote itself."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if settings.SECURE_PROXY_SSL_HEADER and forwarded:
        return str(forwarded).rsplit(",", 1)[-1].strip()
    return str(request.META.get("REMOTE_ADDR", ""))


def limits(request: HttpRequest, username: str) -> dict[str, int]:
    """Cache key -> most wrong passwords. Hashed: what was typed as a name may be a password."""
    where = address(request)
    return {key("account", username.casefold(), where): PER_ACCOUNT, key("address", where): PER_ADDRESS}


def key(*parts: str) -> str:
    return "login:" + hashlib.sha256("\0".join(parts).encode()).hexdigest()


def exhausted(request: HttpRequest, username: str) -> bool:
    bounds = limits(request, username)
    try:
        counted = cache.get_many(bounds)
    except redis.RedisError as error:
        log.warning("log-in is not throttled, the cache is away: %s", error)
        return False
    return any(counted.get(name, 0) >= most for name, most in bounds.items())


def count(request: HttpRequest, username: str) -> None:
    """One more wrong password. The window begins with the first and is not prolonged."""
    try:
        for name in limits(request, username):
            if not cache.add(name, 1, WINDOW_SECONDS):
                cache.incr(name)
    except (redis.RedisError, ValueError) as error:  # ValueError: the window closed in between
        log.warning("a wrong password was not counted: %s", error)
