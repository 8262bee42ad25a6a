"""Bodies are read and inflated within bounds."""

import gzip
import io
import random
import tracemalloc
import zlib
from typing import Any

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from ingest import bodies
from ingest.errors import BadBody, IngestError, TooLarge, UnsupportedMedia

MIB = 1024 * 1024
TEXT = b'{"message": "a line like any other"}\n' * 5000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    " GZip ": gzip.compress,
    "zstd": zstd.compress,
    "deflate": zlib.compress,
    "identity": bytes,
    "": bytes,
}


@pytest.mark.parametrize("encoding", PACKERS)
def test_what_was_packed_comes_back(encoding: str) -> None:
    assert bodies.inflate(PACKERS[encoding](TEXT), encoding, MIB) == TEXT


def test_deflate_without_its_header_is_read_too() -> None:
    assert bodies.inflate(raw_deflate(TEXT), "deflate", MIB) == TEXT


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_members_follow_one_another_and_zeros_are_padding(encoding: str) -> None:
    packed = PACKERS[encoding](b"one\n") + PACKERS[encoding](b"two\n") + bytes(512)
    assert bodies.inflate(packed, encoding, MIB) == b"one\ntwo\n"


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "deflate"])
def test_incompressible_bytes_cross_chunks_whole(encoding: str) -> None:
    noise = random.Random(5).randbytes(3 * MIB + 17)
    assert bodies.inflate(PACKERS[encoding](noise), encoding, 4 * MIB) == noise


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "deflate", "identity"])
@pytest.mark.parametrize("size", [MIB - 1, MIB, 2 * MIB])
def test_the_bound_itself_is_allowed_and_one_more_is_not(encoding: str, size: int) -> None:
    packed = PACKERS[encoding](bytes(size))
    assert len(bodies.inflate(packed, encoding, size)) == size
    with pytest.raises(TooLarge):
        bodies.inflate(packed, encoding, size - 1)


DAMAGED = {
    "cut gzip": (gzip.compress(TEXT)[:-1], "gzip"),
    "cut zstd": (zstd.compress(TEXT)[:-1], "zstd"),
    "cut deflate": (zlib.compress(TEXT)[:-1], "deflate"),
    "gzip cut in its header": (gzip.compress(TEXT)[:5], "gzip"),
    "not gzip": (TEXT, "gzip"),
    "not zstd": (TEXT, "zstd"),
    "gzip with a wrong checksum": (gzip.compress(TEXT)[:-8] + bytes(8), "gzip"),
    "gzip and then nonsense": (gzip.compress(TEXT) + b"nonsense", "gzip"),
    "zeros, then more": (gzip.compress(TEXT) + bytes(9) + b"x", "gzip"),
    "second member cut": (gzip.compress(TEXT) + gzip.compress(TEXT)[:-3], "gzip"),
    "zstd with a window beyond the bound": (
        zstd.compress(bytes(MIB), options={zstd.CompressionParameter.window_log: 27})[:4]
        + b"\x00\x88"  # no content size, a window of 128 MiB
        + bytes(20),
        "zstd",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_body_is_refused_as_a_whole(name: str) -> None:
    with pytest.raises(BadBody):
        bodies.inflate(*DAMAGED[name], 64 * MIB)


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "snappy", "x" * 500])
def test_an_unknown_encoding_names_the_known_ones(encoding: str) -> None:
    with pytest.raises(UnsupportedMedia, match="gzip, zstd, deflate"):
        bodies.inflate(b"", encoding, MIB)


def test_a_flood_of_tiny_members_is_refused() -> None:
    with pytest.raises(TooLarge, match="members"):
        bodies.inflate(gzip.compress(b"") * (bodies.MOST_MEMBERS + 1), "gzip", MIB)


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "deflate"])
def test_a_bomb_costs_little_more_than_its_bound(encoding: str) -> None:
    bound = 8 * MIB
    bomb = PACKERS[encoding](bytes(256 * MIB))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            bodies.inflate(bomb, encoding, bound)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * bound + 4 * bodies.PIECE


@given(st.binary(), st.sampled_from(["gzip", "zstd", "deflate"]))
def test_any_bytes_inflate_or_are_refused(body: bytes, encoding: str) -> None:
    try:
        bodies.inflate(body, encoding, MIB)
    except IngestError as error:
        assert error.status in (400, 413)


@given(st.binary(max_size=5 * bodies.CHUNK), st.booleans())
def test_read_gives_all_there_is(body: bytes, announced: bool) -> None:
    length = len(body) if announced else None
    assert bodies.read(io.BytesIO(body), length, len(body)) == body


def test_read_takes_no_more_than_was_announced() -> None:
    stream = io.BytesIO(b"one request, and the next")
    assert bodies.read(stream, 11, MIB) == b"one request"
    assert stream.read() == b", and the next"


def test_a_body_shorter_than_announced_is_refused() -> None:
    with pytest.raises(BadBody, match="3 of 10"):
        bodies.read(io.BytesIO(b"abc"), 10, MIB)


def test_an_announced_excess_is_refused_unread() -> None:
    stream = io.BytesIO(bytes(100))
    with pytest.raises(TooLarge):
        bodies.read(stream, 100, 99)
    assert stream.tell() == 0


def test_an_endless_body_is_refused_at_the_bound() -> None:
    class Endless:
        given = 0

        def read(self, size: int) -> bytes:
            self.given += size
            return bytes(size)

    stream = Endless()
    with pytest.raises(TooLarge):
        bodies.read(stream, None, MIB)
    assert stream.given <= MIB + bodies.CHUNK


def test_draining_stops_at_its_bound() -> None:
    stream = io.BytesIO(bytes(10 * MIB))
    bodies.drain(stream, None, MIB)
    assert MIB <= stream.tell() <= MIB + bodies.CHUNK
    bodies.drain(stream, 10 * MIB, MIB)
    assert stream.tell() <= MIB + bodies.CHUNK


def environ_seen(environ: dict[str, Any]) -> dict[str, Any]:
    bodies.dechunked(lambda given, _: [])(environ, None)
    return environ


def test_a_chunked_body_is_shown_to_django() -> None:
    seen = environ_seen({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True})
    assert int(seen["CONTENT_LENGTH"]) > 2**40 and seen[bodies.UNANNOUNCED]


def test_an_announced_length_is_left_alone() -> None:
    seen = environ_seen({"CONTENT_LENGTH": "5", "wsgi.input_terminated": True})
    assert seen["CONTENT_LENGTH"] == "5" and bodies.UNANNOUNCED not in seen


def test_a_server_that_does_not_end_its_streams_is_not_trusted() -> None:
    assert "CONTENT_LENGTH" not in environ_seen({"HTTP_TRANSFER_ENCODING": "chunked"})
