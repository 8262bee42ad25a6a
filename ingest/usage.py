"""When a token was last used to send: ingest has no database, so the broker holds it until beat has it moved.

`used` is a hash in the broker: token digest -> minutes since 1970. A process writes a token's minute once,
so a request costs a look into a dictionary. Only known tokens get here: the hash stays as small as the
directory.
"""

import logging
import time
from collections.abc import Callable
from typing import cast

import redis

from ingest.broker import speaking
from ingest.errors import Transient

logger = logging.getLogger(__name__)

USED = "used"


class Usage:
    """Thread-safe: two threads that write the same minute twice do no harm."""

    def __init__(self, client: redis.Redis, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock
        self._noted: dict[str, int] = {}

    def note(self, digest: str) -> None:
        """After the batch is accepted. A broker that fails just now is asked again a minute later."""
        minute = int(self._clock() // 60)
        if self._noted.get(digest) == minute:
            return
        self._noted[digest] = minute
        try:
            with speaking():
                self._client.hset(USED, digest, str(minute))
        except Transient as error:
            logger.warning("when a token was used was not noted: %s", error)


def read(client: redis.Redis) -> dict[str, int]:
    """Token digest -> the minute of its last use."""
    with speaking():
        found = cast(dict[bytes, bytes], client.hgetall(USED))
    return {digest.decode(): int(minute) for digest, minute in found.items()}


def forget(client: redis.Redis, digests: list[str]) -> None:
    """Of tokens that are gone."""
    if digests:
        with speaking():
            client.hdel(USED, *digests)
