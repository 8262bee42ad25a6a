"""Every batch that waits in the broker, read entry by entry: what the ledger recounts, not a counter."""

import uuid
from dataclasses import dataclass
from typing import cast

import redis

from ingest.broker import speaking
from ingest.buffer import STATES, State

AT_ONCE = 1_000  # batches looked at in one pipeline


@dataclass(frozen=True, slots=True)
class Waiting:
    """A batch that is queued or spilled, as the broker's entry of it says, not as any counter does."""

    batch: uuid.UUID
    acceptance: int
    state: State
    source: int
    dialect: str
    rows: int
    minute: int  # minutes since 1970


def held(client: redis.Redis) -> list[Waiting]:
    """Every batch that is queued, with its payload there, or spilled. Batches move on meanwhile."""
    found: list[Waiting] = []
    with speaking():
        for name in ("queued", "spilled"):
            batches = cast(list[bytes], client.zrange(name, 0, -1))
            for start in range(0, len(batches), AT_ONCE):
                found += looked_at(client, name, batches[start : start + AT_ONCE])
    return found


def looked_at(client: redis.Redis, name: str, batches: list[bytes]) -> list[Waiting]:
    pipe = client.pipeline(transaction=False)
    for batch in batches:
        pipe.hmget(b"m:" + batch, "a", "s", "f", "l", "r", "t")
        pipe.exists(b"b:" + batch)
    answers = pipe.execute()
    return [
        entry_of(batch, *entry)
        for batch, entry, there in zip(batches, answers[::2], answers[1::2], strict=True)
        if entry[0] and (there or name == "spilled") and STATES[entry[1]] in (State.QUEUED, State.SPILLED)
    ]


def entry_of(
    batch: bytes, acceptance: bytes, state: bytes, source: bytes, dialect: bytes, rows: bytes, at_ms: bytes
) -> Waiting:
    minute = int(at_ms) // 60_000
    return Waiting(
        uuid.UUID(bytes=batch),
        int(acceptance),
        STATES[state],
        int(source),
        dialect.decode(),
        int(rows),
        minute,
    )
