"""The envelope: one batch as it lies in the broker and in a spill file.

Layout: one byte format version, then a zstd frame (level 1) of the msgpack of `Envelope`. A worker accepts
every version ever written, so that old and new code can run together. The envelope's bytes are never hashed:
the clock is in them. A batch's identity is `content_hash`, over the inflated body as received.
"""

import uuid

import msgspec
from backports import zstd

from ingest.record import LogRecord, Reject

VERSION = b"\x01"
LEVEL = 1  # level 3 costs twice the time for 4 % fewer bytes on log lines
# What one request may inflate to, twice over: records repeat per line what the body says once.
LARGEST = 256 * 1024 * 1024


class UnreadableEnvelope(ValueError):
    """Permanent: these bytes are not an envelope that this version can read."""


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    source: int  # who sent it; also the unit of permission
    dialect: str  # which front door: native, loki …
    received_us: int
    content_hash: bytes  # SHA-256 of the inflated body
    records: list[LogRecord]
    rejects: list[Reject]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Envelope)


def pack(envelope: Envelope) -> bytes:
    return VERSION + zstd.compress(_encoder.encode(envelope), LEVEL)


def unpack(payload: bytes) -> Envelope:
    """Raises UnreadableEnvelope for anything that `pack` did not make."""
    if payload[:1] != VERSION:
        raise UnreadableEnvelope(f"format version {payload[:1]!r} is unknown")
    decompressor = zstd.ZstdDecompressor()
    try:
        plain = decompressor.decompress(payload[1:], LARGEST)
        if not decompressor.eof or decompressor.unused_data:
            raise UnreadableEnvelope(
                "the compressed frame is cut short, too large or followed by other bytes"
            )
        return _decoder.decode(plain)
    except (zstd.ZstdError, msgspec.DecodeError) as error:
        raise UnreadableEnvelope(str(error)) from error


def keyed_id(source: int, key: bytes, content_hash: bytes) -> uuid.UUID:
    """The batch id of a retryable request: the same source, key and content always give the same id."""
    return uuid.uuid5(uuid.UUID(int=source), f"{key.hex()}:{content_hash.hex()}")
