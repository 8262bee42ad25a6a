"""The as_of token: an exact set of committed segments, in a few dozen characters.

A segment is a transaction, so PostgreSQL's own snapshot is the set: everything up to the highest segment
visible (`horizon`) but those still in progress then. (Not up to the snapshot's xmax: after a crash the ids of
aborted transactions that were never flushed are given out again; ids up to a flushed commit cannot be.)

Signed, so that nobody asks for sets we never gave out; opaque, so that it may change. It lives an hour.
"""

import base64
import binascii
import hashlib
import hmac
import time

import msgspec
from django.conf import settings

from webapp.logs.errors import BadToken, CursorExpired

SIGNATURE_BYTES = 12


class Token(msgspec.Struct, frozen=True, array_like=True):
    horizon: int  # the highest segment in the set
    in_progress: tuple[int, ...]  # segments below it that are not in the set
    system: str  # the cluster and
    timeline: int  # the timeline whose transactions these are,
    base: int  # and what is added to their ids
    time_us: int  # when it was given out, by the database's clock
    floor_us: int  # lines older than this are expired, and not in the set
    erasures: int = 0  # the last one that had begun: once there is a later one the set is no more
    hidden: tuple[tuple[int, int], ...] = ()  # of those not finished: source, and its last segment to go

    def encode(self) -> str:
        plain = msgspec.msgpack.encode(self)
        return base64.urlsafe_b64encode(plain + sign(plain)).rstrip(b"=").decode()

    def same_history(self, other: "Token") -> bool:
        return (self.system, self.timeline, self.base) == (other.system, other.timeline, other.base)


def sign(plain: bytes) -> bytes:
    key = b"logboom as_of " + settings.SECRET_KEY.encode()
    return hmac.digest(key, plain, hashlib.sha256)[:SIGNATURE_BYTES]


_decoder = msgspec.msgpack.Decoder(Token)


def decode(text: str) -> Token:
    """Raises BadToken for what `encode` did not make, CursorExpired for what is too old."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        plain, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
        if not hmac.compare_digest(sign(plain), signature):
            raise BadToken("as_of is not a token of this installation")
        token = _decoder.decode(plain)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise BadToken("as_of is not a token") from error
    age_us = time.time_ns() // 1000 - token.time_us
    if age_us > settings.TOKEN_SECONDS * 1_000_000:
        raise CursorExpired(f"as_of is {age_us // 1_000_000} s old and lived {settings.TOKEN_SECONDS} s")
    return token
