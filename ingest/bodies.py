"""A request's body, read and inflated within bounds: nothing here holds more than it was allowed to.

`read` takes the bytes off the wire, `inflate` undoes gzip, zstd or deflate. Both raise TooLarge as soon as
the bound is passed, so a bomb costs its bound and no more; a body that is seen to end early is BadBody. The
server hides the early end of a chunked one: `accept.py` says what is done about that.
"""

import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from backports import zstd

from ingest.errors import BadBody, TooLarge, UnsupportedMedia

CHUNK = 64 * 1024  # of compressed bytes
PIECE = 1024 * 1024  # of inflated ones
MOST_MEMBERS = 4096  # each costs a fresh window; bgzip makes one per 64 KiB
WINDOW_LOG = 23  # 8 MiB, what the format asks every decoder to hold; `zstd --long` and `--ultra` need more
ENCODINGS = "gzip, zstd, deflate"
UNANNOUNCED = "logboom.unannounced"

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def dechunked(application: Application) -> Application:
    """Lets Django see a body of unannounced length (chunked, HTTP/2): it would show an empty one, silently.

    The server ends such a stream by itself, so any length that is long enough will do; `read` has the bound.
    """

    def wrapped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
            environ["CONTENT_LENGTH"] = str(2**62)
            environ[UNANNOUNCED] = True
        answer = application(environ, start_response)
        try:
            return [b"".join(answer)]  # granian sends a list at once and with its length, else chunk by chunk
        finally:
            getattr(answer, "close", tuple)()

    return wrapped


def read(stream: Readable, length: int | None, most: int) -> bytes:
    """All of the body; `length` is what the sender announced, None if it did not."""
    if length is not None and length > most:
        raise TooLarge(f"{length} bytes in one request, at most {most} are taken")
    body = io.BytesIO()
    while part := stream.read(CHUNK if length is None else min(CHUNK, length - body.tell())):
        body.write(part)
        if body.tell() > most:
            raise TooLarge(f"more than {most} bytes in one request")
    if length is not None and body.tell() != length:
        raise BadBody(f"the body ended after {body.tell()} of {length} bytes")
    return body.getvalue()


def drain(stream: Readable, length: int | None, most: int) -> None:
    """Reads what a refused request still sends: many clients hear no answer before their last byte is out."""
    if length is not None and length > most:
        return
    while most > 0 and (part := stream.read(CHUNK)):
        most -= len(part)


def is_compressed(encoding: str) -> bool:
    return encoding.strip().lower() not in ("", "identity")


def inflate(body: bytes, encoding: str, most: int) -> bytes:
    """The body as its sender had it before compression."""
    if not is_compressed(encoding):
        if len(body) > most:
            raise too_large(most)
        return body
    name = encoding.strip().lower()
    if name in ("gzip", "x-gzip"):
        return members(body, lambda: Deflated(31), most)
    if name == "deflate":
        return members(body, lambda: Deflated(15 if has_zlib_header(body) else -15), most)
    if name == "zstd":
        return members(body, Zstandard, most)
    raise UnsupportedMedia(f"Content-Encoding {encoding[:80]!r} is not read here; {ENCODINGS} are")


class Member(Protocol):
    """One compressed member: `pieces` is called until `eof`, then `unused` is how much was not its own."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused(self) -> int: ...
    def pieces(self, data: memoryview) -> Iterator[bytes]: ...


def members(body: bytes, fresh: Callable[[], Member], most: int) -> bytes:
    """Members one after another, as gzip and zstd allow; zeros after the last are padding."""
    inflated, view, offset, count = io.BytesIO(), memoryview(body), 0, 0
    try:
        while offset < len(view) and not (count and only_zeros(view[offset:])):
            count += 1
            if count > MOST_MEMBERS:
                raise TooLarge(f"more than {MOST_MEMBERS} compressed members in one body")
            member = fresh()
            while not member.eof:
                data = view[offset : offset + CHUNK]
                if not data:
                    raise BadBody("the compressed body is cut short")
                for piece in member.pieces(data):
                    inflated.write(piece)
                    if inflated.tell() > most:
                        raise too_large(most)
                offset += len(data) - member.unused
    except (zlib.error, zstd.ZstdError) as error:
        raise BadBody(f"the compressed body is damaged: {error}") from error
    return inflated.getvalue()


class Deflated:
    def __init__(self, window_bits: int) -> None:
        self.inner = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        return self.inner.eof

    @property
    def unused(self) -> int:
        return len(self.inner.unused_data)

    def pieces(self, data: memoryview) -> Iterator[bytes]:
        waiting: memoryview | bytes = data
        while True:
            piece = self.inner.decompress(waiting, PIECE)
            yield piece
            waiting = self.inner.unconsumed_tail
            # A full piece may leave output inside zlib although all input was taken.
            if self.inner.eof or not (waiting or len(piece) == PIECE):
                return


class Zstandard:
    def __init__(self) -> None:
        self.inner = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG})

    @property
    def eof(self) -> bool:
        return self.inner.eof

    @property
    def unused(self) -> int:
        return len(self.inner.unused_data)

    def pieces(self, data: memoryview) -> Iterator[bytes]:
        yield self.inner.decompress(data, PIECE)
        while not (self.inner.eof or self.inner.needs_input):
            yield self.inner.decompress(b"", PIECE)


def has_zlib_header(body: bytes) -> bool:
    """Some senders of `deflate` leave the header out that HTTP asks for."""
    return len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def only_zeros(rest: memoryview) -> bool:
    return rest[0] == 0 and not any(rest)


def too_large(most: int) -> TooLarge:
    return TooLarge(f"more than {most} bytes once inflated")
