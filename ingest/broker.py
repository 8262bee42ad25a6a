"""The connection to the broker: how it is opened, how a script is run, what its errors mean, what it must be.

No client of ours repeats a command by itself: a repeat that nobody decided on hides how long a thread waits.
Repeating is decided in `admission.py`, and is safe there since every script may be run twice.
"""

import functools
import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import redis
from redis import exceptions

from ingest.errors import BrokerFull, BrokerGone, WeakBroker

logger = logging.getLogger(__name__)

SCRIPTS = Path(__file__).with_name("lua")
# Error replies that a server gives while it cannot serve, rather than because the command was wrong.
NOT_NOW = ("MISCONF", "BUSY", "NOREPLICAS")
AWAY = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.MasterDownError,
)
WANTED = {
    "appendonly": ("yes", "every accepted batch would be lost when it restarts"),
    "appendfsync": ("always", "what was acknowledged could be lost when it is killed"),
    "no-appendfsync-on-rewrite": ("no", "what was acknowledged while it rewrites its file could be lost"),
    "maxmemory-policy": ("noeviction", "it would drop accepted batches when memory runs out"),
}
# What lies under our names in a broker that is ours; one that others share may hold anything there.
OURS = {
    "string": ("acceptance", "served", "minute", "directory", "directory:version"),
    "hash": ("held", "tags", "weights", "drain"),
    "zset": ("queued", "spilled", "ring", "leases", "minutes"),
}


def connect(
    url: str, *, timeout: float = 5.0, connected: Callable[[redis.Connection], None] | None = None
) -> redis.Redis:
    """A thread-safe client that gives up after `timeout` seconds and never repeats a command by itself.

    `connected` is called in the place of the client's own greeting, with each connection that it opens.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, 2.0),
        socket_keepalive=True,
        health_check_interval=15,
        retry=None,
        redis_connect_func=connected,
    )


@contextmanager
def speaking() -> Iterator[None]:
    """Turns the client library's errors into ours; what remains is a bug and passes through."""
    try:
        yield
    except exceptions.OutOfMemoryError as error:
        raise BrokerFull("The broker is full.", retry_after=5) from error
    except AWAY as error:
        raise BrokerGone(f"The broker does not answer: {error}") from error
    except exceptions.ResponseError as error:
        if not str(error).startswith(NOT_NOW):
            raise
        raise BrokerGone(f"The broker cannot serve now: {error}") from error


class Script:
    """One file of `lua/`, with `common.lua` put between its shebang and its body."""

    def __init__(self, name: str) -> None:
        shebang, body = (SCRIPTS / f"{name}.lua").read_text().split("\n", 1)
        self.text = "\n".join([shebang, (SCRIPTS / "common.lua").read_text(), body])
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def run(self, client: redis.Redis, *args: bytes | str | int) -> Any:
        with speaking():
            try:
                return client.evalsha(self.sha, 0, *args)
            except exceptions.NoScriptError:  # a fresh or restarted server: scripts are not in its file
                client.script_load(self.text)
                return client.evalsha(self.sha, 0, *args)


def memory(client: redis.Redis) -> tuple[int, int]:
    """(bytes that count against the bound, the bound; 0 = none set)"""
    with speaking():
        info = client.info("memory")
    return int(info["used_memory"]) - int(info.get("mem_not_counted_for_evict", 0)), int(info["maxmemory"])


def check_durable(client: redis.Redis) -> None:
    """Raises WeakBroker, one sentence with the cure, for a broker that could lose what it acknowledged."""
    check_ours(client)
    settings = configuration(client)
    for name, (wanted, otherwise) in WANTED.items():
        given = settings.get(name)
        if given is None:
            complain_of_silence(name, wanted)
        elif given != wanted:
            raise WeakBroker(
                f"The broker has {name} {given}, and {otherwise}: set {name} {wanted} in its configuration."
            )
    if settings.get("maxmemory") == "0":
        raise WeakBroker(
            "The broker has no maxmemory, and would take in batches until the machine kills it: "
            "set maxmemory to what it may use, and give its volume three times that."
        )


def check_ours(client: redis.Redis) -> None:
    """A script that meets another's key ends half-way, and what it had done stays done."""
    names = {name: kind for kind, found in OURS.items() for name in found}
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.type(name)
    with speaking():
        found = [as_text(kind) for kind in pipe.execute()]
    for (name, wanted), given in zip(names.items(), found, strict=True):
        if given not in (wanted, "none"):
            raise WeakBroker(
                f"The broker holds something else under the key {name!r}, so others use it too: "
                "give Logboom a server of its own, or a database number of its own on this one."
            )


@functools.cache
def complain_of_silence(name: str, wanted: str) -> None:
    """Once a process: a managed server says no more the next time."""
    logger.warning("the broker does not tell its %s: make sure that it is %s", name, wanted)


def check_rewritten(client: redis.Redis) -> None:
    """After `appendonly` was switched on, what is acknowledged lasts only from the first whole file on."""
    with speaking():
        info = client.info("persistence")
    if int(info.get("aof_rewrite_in_progress", 0)) or int(info.get("aof_rewrite_scheduled", 0)):
        raise WeakBroker(
            "The broker keeps what it acknowledges again once it has written its append-only file anew: "
            "nothing is to be done but to wait."
        )


def configuration(client: redis.Redis) -> Mapping[str, str]:
    """What CONFIG GET says; managed servers refuse it, and INFO then tells all but appendfsync."""
    with speaking():
        try:
            found = cast(dict[Any, Any], client.config_get(*WANTED, "maxmemory"))
        except (exceptions.NoPermissionError, exceptions.ResponseError) as refusal:
            if str(refusal).startswith(NOT_NOW):
                raise
            return from_info(client.info())
    return {as_text(name): as_text(value) for name, value in found.items()}


def from_info(info: Mapping[str, Any]) -> dict[str, str]:
    return {
        "appendonly": "yes" if info.get("aof_enabled") else "no",
        "maxmemory-policy": str(info.get("maxmemory_policy", "")),
        "maxmemory": str(info.get("maxmemory", "0")),
    }


def as_text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
