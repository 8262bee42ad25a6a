"""Who is alive: workers and beat say so in the broker every few seconds, and the admin reads it there.

One hash, `heartbeats`: kind and name -> a heartbeat as JSON, stamped by the broker's clock, so that clocks
that differ between machines make nobody look dead. Who ends in order says `stopped`; who falls silent without
a word was killed or hangs, and stays listed for a day, or as long as spill files of his wait.
"""

from typing import Any, Literal, cast

import msgspec
import redis

from ingest.broker import speaking

KEY = "heartbeats"
EVERY_SECONDS = 5.0
MISSED_MS = 30_000  # silent for longer: six heartbeats, or a broker that was away
FORGOTTEN_MS = 24 * 3_600_000


class Heartbeat(msgspec.Struct, frozen=True):
    kind: Literal["worker", "beat"]
    name: str
    host: str
    version: str
    started_ms: int
    at_ms: int = 0  # given by `tell`
    stopped: bool = False
    hangs: bool = False  # it speaks, but does not get on
    database: str = ""  # why it takes the database for away; "" = it does not
    full: str = ""  # why the database does not write although it is there
    volume: str = ""  # why its directory of spill files cannot be read
    threads: int = 0
    spill_files: int = 0
    spill_bytes: int = 0
    spill_aside: int = 0  # files that need a person
    disk_free: int = 0  # of the volume of its spill files
    disk_total: int = 0


class Seen(msgspec.Struct, frozen=True):
    beat: Heartbeat
    age_ms: int

    @property
    def running_ms(self) -> int:
        """Roughly: it began by its own clock and was heard by the broker's."""
        return max(0, self.beat.at_ms - self.beat.started_ms)

    @property
    def missed(self) -> bool:
        return not self.beat.stopped and self.age_ms > MISSED_MS

    @property
    def alive(self) -> bool:
        return not self.beat.stopped and not self.missed


def now_ms(client: redis.Redis) -> int:
    seconds, micros = client.time()
    return seconds * 1000 + micros // 1000


def tell(client: redis.Redis, beat: Heartbeat) -> None:
    """Raises IngestError where the broker does not hear it."""
    with speaking():
        stamped = msgspec.structs.replace(beat, at_ms=now_ms(client))
        client.hset(KEY, f"{beat.kind}:{beat.name}", msgspec.json.encode(stamped))


def read(client: redis.Redis) -> list[Seen]:
    """By kind and name."""
    with speaking():
        now = now_ms(client)
        found = cast(dict[bytes, bytes], client.hgetall(KEY))
    seen = [Seen(beat, max(0, now - beat.at_ms)) for beat in map(decoded, found.values()) if beat]
    kept = [one for one in seen if one.age_ms < FORGOTTEN_MS or one.beat.spill_files]
    return sorted(kept, key=lambda one: (one.beat.kind, natural(one.beat.name)))


def decoded(text: bytes) -> Heartbeat | None:
    """None for one that a version to come has written in another way: a heartbeat is no reason to fail."""
    try:
        return msgspec.json.decode(text, type=Heartbeat)
    except msgspec.DecodeError:
        return None


def natural(name: str) -> tuple[Any, ...]:
    """worker-2 before worker-10."""
    stem, _, ordinal = name.rpartition("-")
    return (stem, int(ordinal)) if ordinal.isdigit() and ordinal.isascii() else (name, 0)
