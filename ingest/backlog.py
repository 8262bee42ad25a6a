"""What waits in the broker, batch by batch, for the person who asks why: reads only, bounded, and no script.

The broker goes on meanwhile, so parts may be a moment apart: each is right by itself.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis

from ingest.broker import speaking

MOST_LOOKED_AT = 20_000  # leases and oldest batches, each: a batch that killed a worker is among the oldest
AT_ONCE = 1_000
FIELDS = ("f", "r", "n", "t", "o", "d", "a", "l", "s")


@dataclass(frozen=True, slots=True)
class Batch:
    batch: uuid.UUID
    source: int
    rows: int
    size: int
    accepted_ms: int
    owner: str  # "" = in nobody's hands
    deaths: int
    acceptance: int
    dialect: str
    spilled: bool
    lease_end_ms: int | None = None  # without an owner: when it is due again


@dataclass(frozen=True, slots=True)
class Lease:
    """All that one owner has in its hands."""

    owner: str  # "" = handed back, due again at the given times
    batches: int
    rows: int
    first_end_ms: int
    last_end_ms: int


@dataclass(frozen=True, slots=True)
class Backlog:
    now_ms: int  # by the broker's clock, like all times here
    oldest: Batch | None
    oldest_spilled: Batch | None
    leases: list[Lease]
    died_over: list[Batch]  # batches that were in the hands of a worker that died, most deaths first
    looked_at: int  # of the queued batches
    hints: int  # wake-ups that lie in Celery's queue
    hint_under_way: bool


def anything_due(client: redis.Redis) -> bool:
    with speaking():
        return bool(client.exists("ring"))


def look(client: redis.Redis, *, most: int = MOST_LOOKED_AT) -> Backlog:
    with speaking():
        seconds, micros = client.time()
        leased = cast(Any, client.zrange("leases", 0, most - 1, withscores=True))
        ends = {batch: int(end) for batch, end in leased}
        oldest = cast(list[bytes], client.zrange("queued", 0, most - 1))
        spilled = cast(list[bytes], client.zrange("spilled", 0, 0))
        found = {one.batch.bytes: one for one in batches(client, {**ends, **dict.fromkeys(oldest)}, ends)}
        return Backlog(
            now_ms=seconds * 1000 + micros // 1000,
            oldest=next((found[batch] for batch in oldest if batch in found), None),
            oldest_spilled=next(batches(client, spilled), None),
            leases=by_owner([found[batch] for batch in ends if batch in found]),
            died_over=sorted((one for one in found.values() if one.deaths), key=lambda one: -one.deaths),
            looked_at=len(found),
            hints=client.llen("ingest"),
            hint_under_way=bool(client.exists("hinted")),
        )


def spilled(client: redis.Redis) -> list[uuid.UUID]:
    """Every batch that the broker knows to be in a spill file, oldest first."""
    with speaking():
        names = cast(list[bytes], client.zrange("spilled", 0, -1))
    return [uuid.UUID(bytes=name) for name in names]


def known(client: redis.Redis, wanted: Iterable[uuid.UUID]) -> dict[uuid.UUID, Batch]:
    """Those of them that are queued or spilled."""
    with speaking():
        return {one.batch: one for one in batches(client, (batch.bytes for batch in wanted))}


def batches(
    client: redis.Redis, names: Iterable[bytes], ends: dict[bytes, int] | None = None
) -> Iterator[Batch]:
    """Without those that were settled meanwhile."""
    for some in slices(list(names)):
        pipe = client.pipeline(transaction=False)
        for name in some:
            pipe.hmget(b"m:" + name, FIELDS)
        for name, values in zip(some, pipe.execute(), strict=True):
            if values[0] is not None and values[8] in (b"q", b"p"):
                yield batch_of(name, values, (ends or {}).get(name))


def slices(names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(names), AT_ONCE):
        yield names[start : start + AT_ONCE]


def batch_of(name: bytes, values: list[bytes | None], end: int | None) -> Batch:
    source, rows, size, accepted, owner, deaths, acceptance, dialect, state = (
        value or b"" for value in values
    )
    return Batch(
        batch=uuid.UUID(bytes=name),
        source=int(source),
        rows=int(rows or 0),
        size=int(size or 0),
        accepted_ms=int(accepted or 0),
        owner=owner.decode(),
        deaths=int(deaths or 0),
        acceptance=int(acceptance or 0),
        dialect=dialect.decode(),
        spilled=state == b"p",
        lease_end_ms=end,
    )


def by_owner(leased: Sequence[Batch]) -> list[Lease]:
    owned: dict[str, list[Batch]] = {}
    for one in leased:
        owned.setdefault(one.owner, []).append(one)
    return [
        Lease(
            owner=owner,
            batches=len(held),
            rows=sum(one.rows for one in held),
            first_end_ms=min(one.lease_end_ms or 0 for one in held),
            last_end_ms=max(one.lease_end_ms or 0 for one in held),
        )
        for owner, held in sorted(owned.items())
    ]
