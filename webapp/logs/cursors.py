"""Cursors: where a page ended, for which question, under which token. Opaque and signed.

A cursor carries its range in instants, so that `now-15m` does not slide from page to page, and the total, so
that it is counted once. It is no capability: the scope is applied anew on every page.
"""

import base64
import binascii
import hashlib
import hmac

import msgspec
from django.conf import settings

from webapp.logs.asking import bad_value
from webapp.logs.lines import Place

SIGNATURE_BYTES = 12


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    digest: bytes  # of the question
    as_of: str
    start: int | None  # the range in nanoseconds
    end: int | None
    at: tuple[int, int, int, int]  # lines beyond this place, itself not among them
    back: bool  # towards the first page
    width: int  # nanoseconds of the first slice to scan: less after a slice that took too long
    total: int | None
    relation: str | None

    @property
    def place(self) -> Place:
        return Place(*self.at)


_decoder = msgspec.msgpack.Decoder(Cursor)


def encode(cursor: Cursor) -> str:
    plain = msgspec.msgpack.encode(cursor)
    return base64.urlsafe_b64encode(plain + sign(plain)).rstrip(b"=").decode()


def decode(text: str, digest: bytes, as_of: str) -> Cursor:
    """Raises Refused for what `encode` did not make, or made for another question."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        plain, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
        if not hmac.compare_digest(sign(plain), signature):
            raise bad_value("cursor", "This is no cursor of ours, or it was not copied whole.")
        cursor = _decoder.decode(plain)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise bad_value("cursor", "This is no cursor of ours, or it was not copied whole.") from error
    if cursor.digest != digest:
        raise bad_value("cursor", "This cursor is of another query: send the parameters of its first page.")
    if as_of and as_of != cursor.as_of:
        raise bad_value("as_of", "The cursor was given out under another as_of: leave this one out.")
    return cursor


def sign(plain: bytes) -> bytes:
    key = b"logboom cursor " + settings.SECRET_KEY.encode()
    return hmac.digest(key, plain, hashlib.sha256)[:SIGNATURE_BYTES]
