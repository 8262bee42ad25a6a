"""Who may send: token digests and sources, published to the broker so that ingest needs no database.

The whole directory is one JSON document under `directory`; `directory:version` changes with every publication
and is all that a reader asks for, at most once a second. A reader goes on with what it has while the broker
is away. Where there has never been a directory the answer is NoDirectory (503), never 401: an agent that is
answered 401 throws its lines away. Tokens are known by their SHA-256 only; they have 160 random bits, so no
slow hash is needed.
"""

import base64
import binascii
import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, get_args

import msgspec
import redis

from ingest.broker import Script, speaking
from ingest.errors import BrokerGone, NoDirectory

Scope = Literal["ingest", "read", "admin"]

PUBLISH = Script("publish")
CHECK_SECONDS = 1.0
STRANGE_SECONDS = 10.0  # twice what beat takes to lay ours over another's
FIRST_SECONDS = 0.5  # the first directory is waited for so long, counted from when it was asked for
TOKEN = re.compile(rf"lb_({'|'.join(get_args(Scope))})_([a-z2-7]{{32}})([a-z2-7]{{6}})")


class TokenEntry(msgspec.Struct, frozen=True):
    source: int  # where an ingest token's lines go; 0 for a token without one
    scope: Scope
    name: str
    disabled: bool = False


class SourceEntry(msgspec.Struct, frozen=True):
    name: str
    weight: int = 1  # 1 to 100: its share of the workers while several sources wait
    retention_days: int = 30
    identical_is_retry: bool = False


class Directory(msgspec.Struct, frozen=True):
    version: int  # given by publish; what the document itself says is not looked at
    tokens: dict[str, TokenEntry]  # by digest
    sources: dict[int, SourceEntry]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Directory)


def encode(directory: Directory) -> bytes:
    return _encoder.encode(directory)


def publish(client: redis.Redis, directory: Directory) -> int:
    """Replaces the directory, and gives the version it got. Publishers take turns by themselves."""
    weights = [
        part
        for source, entry in directory.sources.items()
        if entry.weight > 1
        for part in (source, entry.weight)
    ]
    return int(PUBLISH.run(client, encode(directory), *weights))


class DirectoryReader:
    """Thread-safe. One thread asks for a new version while the others go on with the last one.

    The first directory is waited for, but not long: with a broker that hangs, every thread would.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        talking: Callable[[], AbstractContextManager[None]] = nullcontext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`talking` is entered to ask the broker, and raises BrokerGone where enough threads do already."""
        self._client = client
        self._talking = talking
        self._clock = clock
        self._asking = threading.Lock()
        self._asked: float | None = None  # since when somebody asks
        self._checked = float("-inf")
        self._last: Directory | None = None
        self._strange: float | None = None  # since when there is one that knows nobody of the last

    def get(self) -> Directory:
        if self._clock() - self._checked < CHECK_SECONDS and self._last is not None:
            return self._last
        if self._asking.acquire(timeout=self._patience()):
            self._asked = self._clock()
            try:
                self._refresh()
            finally:
                self._asked = None
                self._asking.release()
        if self._last is None:
            raise NoDirectory("The directory of tokens has not been published yet.", retry_after=5)
        return self._last

    def _patience(self) -> float:
        """How long to wait for another thread's answer."""
        if self._last is not None:
            return 0
        since = self._asked
        return FIRST_SECONDS if since is None else max(0, FIRST_SECONDS - (self._clock() - since))

    def _refresh(self) -> None:
        if self._clock() - self._checked < CHECK_SECONDS:
            return  # another thread has asked while this one waited for the lock
        try:
            with self._talking():
                self._last = self._believed(fetch(self._client, self._last))
        except BrokerGone as error:
            if self._last is None:
                raise NoDirectory(f"The directory cannot be read: {error.detail}", retry_after=5) from error
        finally:
            self._checked = self._clock()  # not before: what took long to fail is not asked again at once

    def _believed(self, found: Directory | None) -> Directory | None:
        """Not at once, if it knows none of the tokens that the last one did: it is somebody else's then.

        Good tokens would be answered 401, and their lines thrown away, until beat lays ours over it.
        """
        last = self._last
        if last is None or found is None or not last.tokens or last.tokens.keys() & found.tokens.keys():
            self._strange = None
            return found
        now = self._clock()
        self._strange = now if self._strange is None else self._strange
        return last if now - self._strange < STRANGE_SECONDS else found


def fetch(client: redis.Redis, last: Directory | None) -> Directory | None:
    """The directory if its version is another than the last one's, else the last one.

    A broker that came back empty has none: the last one stands until it is published again.
    """
    with speaking():
        version = int(client.get("directory:version") or 0)
        if not version or (last is not None and version == last.version):
            return last
        # Read after its version: at worst it is newer, and read once more a second later.
        document = client.get("directory")
    if document is None:
        return last
    return msgspec.structs.replace(_decoder.decode(document), version=version)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def make_token(scope: Scope) -> str:
    body = f"lb_{scope}_{base64.b32encode(secrets.token_bytes(20)).decode().lower()}"
    return body + checksum(body)


def well_formed(token: str) -> bool:
    """Whether it could be ours: a mistyped or cut one is told from an unknown one without a look-up."""
    return TOKEN.fullmatch(token) is not None and checksum(token[:-6]) == token[-6:]


def checksum(body: str) -> str:
    """Six base32 characters, the upper 30 bits of CRC32."""
    bits = (binascii.crc32(body.encode()) >> 2) << 10
    return base64.b32encode(bits.to_bytes(5, "big")).decode().lower()[:6]
