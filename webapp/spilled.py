"""What the workers' spill directories hold, as each counted it in its own files and told the broker.

The broker knows which batches were spilled; only who can read a volume knows whether they are there. So the
two are held against each other (webapp/logs/ledger.py). A worker that is gone leaves its last word: nobody
changes its volume meanwhile but `manage.py spill`, which tells anew.

Two kinds of keys. `volumes`: worker -> when it told this, by the broker's clock, and the sum as JSON.
`volume:<worker>`: file -> its least and greatest acceptance, and msgpack of every acceptance, each as its
distance from the one before, with its rows: about three bytes a batch. A file is in there from at most a few
seconds after the broker was told that its batches are spilled, until it is gone. A worker that is killed in
these seconds tells at its next start; until then its batches are of no volume.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

import msgspec
import redis

from ingest.broker import Script, speaking

TELL = Script("volume")
TOLD_BYTES = 1024**2  # of one call, unless a single file is larger
LATELY = 64  # files that are kept unpacked: neighbours in time are asked for together
SCANNED = 50  # files a call

_bounds = struct.Struct("<QQ")
_decoder = msgspec.msgpack.Decoder(tuple[list[int], list[int]])


class Volume(msgspec.Struct, frozen=True):
    """The sum of one spill directory."""

    host: str = ""
    directory: str = ""
    files: int = 0  # that wait to be stored
    batches: int = 0
    rows: int = 0
    bytes: int = 0
    oldest_us: int = 0  # when the oldest of them was written; 0: there is none
    aside: int = 0  # files that need a person
    uncounted: int = 0  # files that could not be read, or not yet
    at_ms: int = 0  # given by `tell`


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """One file; equal to nothing but itself."""

    first: int
    last: int
    body: bytes


def pack(rows: Mapping[int, int]) -> bytes:
    """Rows by acceptance, of one file."""
    numbers = sorted(rows)
    if not numbers:
        return _bounds.pack(1, 0)
    steps = [after - before for before, after in zip([0, *numbers], numbers, strict=False)]
    return _bounds.pack(numbers[0], numbers[-1]) + msgspec.msgpack.encode((steps, [rows[n] for n in numbers]))


def unpack(body: bytes) -> dict[int, int]:
    steps, rows = _decoder.decode(body)
    return dict(zip(accumulate(steps), rows, strict=True))


def tell(
    client: redis.Redis, worker: str, volume: Volume, new: Mapping[str, bytes], gone: Iterable[str] = ()
) -> None:
    """Raises IngestError. What was told before stays, but for the files that are gone."""
    said = msgspec.json.encode(volume)
    gone = list(gone)
    TELL.run(client, worker, said, len(gone), *gone)
    parcel: list[str | bytes] = []
    for name, content in new.items():
        parcel += [name, content]
        if sum(map(len, parcel)) > TOLD_BYTES:
            TELL.run(client, worker, said, 0, *parcel)
            parcel = []
    if parcel:
        TELL.run(client, worker, said, 0, *parcel)


def told(client: redis.Redis, worker: str) -> set[str]:
    """The files that the broker has heard of."""
    with speaking():
        return {name.decode() for name in cast(list[bytes], client.hkeys(f"volume:{worker}"))}


def read(client: redis.Redis) -> dict[str, Volume]:
    """By worker."""
    with speaking():
        found = cast(dict[bytes, bytes], client.hgetall("volumes"))
    return {name.decode(): volume for name, said in found.items() if (volume := decoded(said))}


def decoded(said: bytes) -> Volume | None:
    """None for one that a version to come has written in another way."""
    at, _, text = said.partition(b" ")
    try:
        return msgspec.structs.replace(msgspec.json.decode(text, type=Volume), at_ms=int(at))
    except (ValueError, msgspec.DecodeError):
        return None


class Files:
    """Every file of every volume, fetched when the first is asked for, and unpacked a few at a time."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._packed: list[Packed] | None = None
        self._lately: dict[Packed, dict[int, int]] = {}

    def rows(self, acceptance: int) -> int | None:
        """How many rows of it a volume holds; None: none does."""
        for lately in self._lately.values():
            if acceptance in lately:
                return lately[acceptance]
        for packed in self._all():
            if packed.first <= acceptance <= packed.last and packed not in self._lately:
                rows = self._unpacked(packed)
                if acceptance in rows:
                    return rows[acceptance]
        return None

    def _unpacked(self, packed: Packed) -> dict[int, int]:
        while len(self._lately) >= LATELY:
            del self._lately[next(iter(self._lately))]
        self._lately[packed] = unpack(packed.body)
        return self._lately[packed]

    def _all(self) -> list[Packed]:
        if self._packed is None:
            self._packed = [packed for worker in read(self._client) for packed in self._of(worker)]
        return self._packed

    def _of(self, worker: str) -> Iterable[Packed]:
        with speaking():
            for _, content in self._client.hscan_iter(f"volume:{worker}", count=SCANNED):
                first, last = _bounds.unpack_from(content)
                yield Packed(first, last, content[_bounds.size :])
