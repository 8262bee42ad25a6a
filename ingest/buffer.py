"""The buffer: every accepted batch, from the fsync before its 2xx until PostgreSQL or a spill file has it.

A batch lies here until it is safe elsewhere, and nothing but a move deletes it. One acceptance moves
queued -> spilled -> stored | duplicate | quarantined, perhaps past a state, never back; a move already made
changes nothing. Counters change only by moves. Each verb is one script (`lua/`), so it happens as a whole or
not at all, and may be repeated when its answer was lost. The clock is the server's. A Celery message is only
a wake-up: the lines of `due:*` are the queue of record.

Keys. A batch is written as 16 raw bytes, a source in decimal. Beside its payload a queued batch costs about
550 bytes on Valkey 9 and 730 on Redis 7.0, its tombstone of 144 or 168 included.

b:<batch>       The envelope. Written by accept, deleted by the move out of queued.
m:<batch>       Hash: a acceptance, s state (q p s d x), f source, l dialect, r rows, j rejected lines,
                t accepted at (ms), n payload bytes, o owner while leased, d deaths. Written by every verb;
                expires 60 s after the final move. As long as it is there, accepting the batch again is a
                repeat, so a batch never has two acceptances that are not at their end.
k:<hash>        A keyed batch's tombstone, the hash being of source and key. Hash: h content hash, b batch,
                a acceptance, r rows, j rejected. Written by accept, expires after an hour or sooner.
queued          Zset: every queued batch by acceptance. Written by accept, removed by finish.
spilled         Zset: every spilled batch by acceptance. By finish.
due:<source>    Zset: the source's batches in line, by acceptance. Into it: accept, release, free, and claim
                for leases that ran out. Out of it: claim, finish.
ring            Zset: the sources whose line is not empty, by how much they have been served. With due:*.
tags            Hash: how much each source has been served, in hundredths of a row, divided by its weight; a
                source new or long away counts from where the others are. Written by claim.
served          Where the others are: the tag of the source served last. Written by claim.
weights         Hash: the sources whose weight is not 1. Written by publish.
leases          Zset: batches in a worker's hands by the lease's end, and delayed ones by when they are due
                again (ms). Into it: claim, release. Out of it: claim, release, free, finish.
acceptance      The last acceptance number given; begins at the clock in microseconds. Written by accept.
hinted          A hint is under way. Set by accept, claim, want_hint; deleted by claim; expires after 1 s.
held            Hash: qb:<source> qr: qn: batches, rows, payload bytes queued; pb: pr: spilled. By accept and
                finish.
minute          The last minute a batch was accepted in. Written by accept.
c:<minute>      Hash, the books of the batches accepted in that minute: open = those not at their end, first
                and last = the acceptances given in it, which are no other minute's, and
                <source>|<dialect>|<counter> = rows. By accept and finish; expires a day after open fell to 0.
minutes         Zset: minutes that have books by when these last changed (ms). Pruned by minutes().
drain           Hash of 12 slots: <number of 5 s bucket>:<rows that left the queue>. By finish.
volumes         Hash: what each worker's spill directory holds, in sum; volume:<worker>, by file.
                webapp/spilled.py.
directory, directory:version   Who may send: `directory.py`. Written by publish.
used heartbeats Hashes: when each token was last used, `usage.py`; who is alive, webapp/heartbeat.py.
ingest, _kombu.*, unacked*     Celery's own; accept and want_hint read the length of `ingest`.
"""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

import redis
from django.conf import settings

from ingest.books import Minute as Minute
from ingest.books import lines
from ingest.broker import Script, memory, speaking
from ingest.broker import check_durable as check_durable
from ingest.broker import connect as connect
from ingest.errors import KeyConflict

ACCEPT, CLAIM, RELEASE, FREE, FINISH, WANT_HINT, DEPTH = map(
    Script, ("accept", "claim", "release", "free", "finish", "want_hint", "depth")
)
CLAIM_BYTES = 64 * 1024**2  # of one claim's answer, unless a single batch is larger
TOMBSTONE_MS = 3_600_000
BATCH_BYTES = 700  # what a queued batch takes beside its payload
DRAIN_SECONDS, DRAIN_BUCKETS = 5, 6  # the rate is that of the last half minute
MINUTES_AT_ONCE = 200  # hashes fetched in one pipeline
NEW, AGAIN, CONFLICT = 0, 1, 2


class State(StrEnum):
    QUEUED = "queued"
    SPILLED = "spilled"
    STORED = "stored"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"


LETTERS = {
    State.QUEUED: "q",
    State.SPILLED: "p",
    State.STORED: "s",
    State.DUPLICATE: "d",
    State.QUARANTINED: "x",
}
STATES = {letter.encode(): state for state, letter in LETTERS.items()}


@dataclass(frozen=True, slots=True)
class Offer:
    batch: uuid.UUID
    source: int
    dialect: str
    rows: int  # good lines
    rejects: Mapping[str, int]  # refused lines by reason; they travel in the payload
    content_hash: bytes
    payload: bytes
    key: bytes | None = None  # what a client's repeat is known by; None: nothing but the batch's id


@dataclass(frozen=True, slots=True)
class Accepted:
    batch: uuid.UUID
    acceptance: int
    rows: int
    rejected: int
    duplicate: bool  # a repeat by the client, answered as the first time; nothing was taken in
    hint: bool  # the caller has a hint to send


@dataclass(frozen=True, slots=True)
class Claimed:
    batch: uuid.UUID
    acceptance: int
    source: int
    rows: int
    deaths: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    batches: list[Claimed]
    more: bool  # more is due, and the hint for it is the caller's to send, before it stores


@dataclass(frozen=True, slots=True)
class Move:
    batch: uuid.UUID
    acceptance: int
    to: State


@dataclass(frozen=True, slots=True)
class Known:
    """What the broker knows of a batch: its one acceptance that is not yet forgotten."""

    batch: uuid.UUID
    acceptance: int
    state: State
    source: int
    dialect: str
    rows: int
    rejected: int
    accepted_ms: int
    deaths: int


@dataclass(frozen=True, slots=True)
class Held:
    queued_batches: int = 0
    queued_rows: int = 0
    spilled_batches: int = 0
    spilled_rows: int = 0
    queued_bytes: int = 0  # of payloads

    def __add__(self, other: "Held") -> "Held":
        return Held(
            self.queued_batches + other.queued_batches,
            self.queued_rows + other.queued_rows,
            self.spilled_batches + other.spilled_batches,
            self.spilled_rows + other.spilled_rows,
            self.queued_bytes + other.queued_bytes,
        )

    @property
    def queued_memory(self) -> int:
        """About what the queued batches take of the broker's memory."""
        return max(0, self.queued_bytes) + BATCH_BYTES * self.queued_batches


@dataclass(frozen=True, slots=True)
class Depth:
    due: int  # batches in line
    leased: int  # batches in a worker's hands, or handed back with a delay
    queued_rows: int
    spilled: int  # batches
    spilled_rows: int
    oldest_ms: int  # age of the oldest queued batch, 0 when there is none
    drain_rate: float  # rows a second that left the queue lately
    by_source: dict[int, Held] = field(repr=False)
    memory_used: int
    memory_max: int  # 0: no bound is set

    @property
    def memory_share(self) -> float:
        return self.memory_used / self.memory_max if self.memory_max else 0.0


class Buffer:
    """Thread-safe: holds nothing but the client."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        lease_seconds: float | None = None,
        group_batches: int | None = None,
        group_rows: int | None = None,
        group_bytes: int = CLAIM_BYTES,
    ) -> None:
        """Bounds of a claim that are not given are the settings'."""
        self.client = client
        self.lease_ms = round(1000 * (settings.LEASE_SECONDS if lease_seconds is None else lease_seconds))
        self.group_batches = settings.GROUP_BATCHES if group_batches is None else group_batches
        self.group_rows = settings.GROUP_ROWS if group_rows is None else group_rows
        self.group_bytes = group_bytes

    def accept(self, offer: Offer, *, tombstone_ms: int = TOMBSTONE_MS) -> Accepted:
        """Durable when this returns. May be repeated with the same offer: there is one acceptance."""
        verdict, batch, acceptance, rows, rejected, hint = ACCEPT.run(
            self.client,
            offer.batch.bytes,
            offer.source,
            offer.dialect,
            offer.rows,
            offer.content_hash,
            b"" if offer.key is None else tombstone(offer.source, offer.key),
            tombstone_ms,
            offer.payload,
            *(part for reason, lines in offer.rejects.items() for part in (reason, lines)),
        )
        if verdict == CONFLICT:
            raise KeyConflict("This Idempotency-Key came with other content less than an hour ago.")
        # Without a key only ingest itself can have come twice: the client sent once.
        duplicate = verdict == AGAIN and offer.key is not None
        return Accepted(
            uuid.UUID(bytes=batch), int(acceptance), int(rows), int(rejected), duplicate, bool(hint)
        )

    def claim(self, owner: str) -> Claim:
        """Leases a group, at least one batch if any is due. A batch with deaths comes alone."""
        more, *batches = CLAIM.run(
            self.client, owner, self.lease_ms, self.group_batches, self.group_rows, self.group_bytes
        )
        return Claim([claimed(*batch) for batch in batches], bool(more))

    def release(self, owner: str, batches: Iterable[uuid.UUID], *, delay_ms: int = 0) -> int:
        """Hands back what `owner` still has: due now, or after the delay, and not a death."""
        return int(RELEASE.run(self.client, owner, delay_ms, *(batch.bytes for batch in batches)))

    def free(self, owner: str) -> int:
        """What an earlier life of `owner` held becomes due, each a death."""
        return int(FREE.run(self.client, owner))

    def finish(self, moves: Iterable[Move]) -> int:
        """Makes those moves that are not yet made, and says how many that were."""
        return int(
            FINISH.run(
                self.client,
                *(part for m in moves for part in (m.batch.bytes, m.acceptance, LETTERS[m.to])),
            )
        )

    def want_hint(self) -> bool:
        """Is anything due with no hint under way? True gives the caller the hint to send."""
        return bool(WANT_HINT.run(self.client))

    def known(self, batch: uuid.UUID) -> Known | None:
        """None also where the broker has forgotten: a minute after the end, only the ledger knows."""
        with speaking():
            found = cast(dict[bytes, bytes], self.client.hgetall(b"m:" + batch.bytes))
        if not found:
            return None
        return Known(
            batch=batch,
            acceptance=int(found[b"a"]),
            state=STATES[found[b"s"]],
            source=int(found[b"f"]),
            dialect=found[b"l"].decode(),
            rows=int(found[b"r"]),
            rejected=int(found[b"j"]),
            accepted_ms=int(found[b"t"]),
            deaths=int(found.get(b"d", 0)),
        )

    def state(self, batch: uuid.UUID) -> State | None:
        found = self.known(batch)
        return found.state if found else None

    def depth(self) -> Depth:
        queued, leased, since, now, held, drain = DEPTH.run(self.client)
        by_source = by_source_of(pairs(held))
        all_held = sum(by_source.values(), Held())
        used, bound = memory(self.client)
        return Depth(
            due=queued - leased,
            leased=leased,
            queued_rows=all_held.queued_rows,
            spilled=all_held.spilled_batches,
            spilled_rows=all_held.spilled_rows,
            oldest_ms=max(0, int(now) - int(since)),
            drain_rate=rate(pairs(drain), int(now)),
            by_source=by_source,
            memory_used=used,
            memory_max=bound,
        )

    def minutes(self, *, since_ms: int = 0) -> list[Minute]:
        """The books of every minute that changed since then (the server's clock), oldest change first."""
        with speaking():
            names = cast(list[bytes], self.client.zrange("minutes", since_ms, "+inf", byscore=True))
            found: list[Minute] = []
            for start in range(0, len(names), MINUTES_AT_ONCE):
                found += self._books(names[start : start + MINUTES_AT_ONCE])
        return found

    def moving(self, since_ms: int) -> set[int]:
        """Minutes whose books changed since then (the server's clock)."""
        with speaking():
            names = cast(list[bytes], self.client.zrange("minutes", since_ms, "+inf", byscore=True))
        return {int(name) for name in names}

    def _books(self, names: list[bytes]) -> list[Minute]:
        pipe = self.client.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(b"c:" + name)
        books = dict(zip(names, pipe.execute(), strict=True))
        if gone := [name for name, counts in books.items() if not counts]:
            self.client.zrem("minutes", *gone)
        return [line for name, counts in books.items() for line in lines(int(name), counts)]


def tombstone(source: int, key: bytes) -> bytes:
    return b"k:" + hashlib.blake2b(key, digest_size=16, salt=source.to_bytes(16, "big")).digest()


def claimed(
    batch: bytes, acceptance: bytes, source: bytes, rows: bytes, deaths: int, payload: bytes
) -> Claimed:
    return Claimed(uuid.UUID(bytes=batch), int(acceptance), int(source), int(rows), int(deaths), payload)


def pairs(flat: list[bytes]) -> dict[str, bytes]:
    return {flat[at].decode(): flat[at + 1] for at in range(0, len(flat), 2)}


def by_source_of(held: Mapping[str, bytes]) -> dict[int, Held]:
    found: dict[int, dict[str, int]] = {}
    for name, value in held.items():
        kind, source = name.split(":")
        found.setdefault(int(source), {})[kind] = int(value)
    return {
        source: Held(*(kinds.get(kind, 0) for kind in ("qb", "qr", "pb", "pr", "qn")))
        for source, kinds in found.items()
    }


def rate(drain: Mapping[str, bytes], now_ms: int) -> float:
    """Over the time since the oldest bucket that counts began: a rate that just started is not diluted."""
    current = now_ms // 1000 // DRAIN_SECONDS
    buckets = [tuple(map(int, value.split(b":"))) for value in drain.values()]
    recent = [(bucket, rows) for bucket, rows in buckets if current - DRAIN_BUCKETS < bucket <= current]
    if not recent:
        return 0.0
    seconds = now_ms / 1000 - min(bucket for bucket, _ in recent) * DRAIN_SECONDS
    return sum(rows for _, rows in recent) / max(seconds, 1.0)
