"""What `manage.py queue` tells: the broker's queue put together for a person and, the same, for a program.

Asks the broker alone. Ages and ends of leases are by the broker's clock.
"""

import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import redis
from django.conf import settings

from ingest import backlog, directory
from ingest.backlog import Batch
from ingest.buffer import Buffer, Depth
from webapp import heartbeat
from webapp.heartbeat import Seen
from webapp.pipeline.saying import age, counted
from workers.settle import DEATHS

LATE_SECONDS = 60.0  # the oldest may wait that long while nothing leaves the queue


@dataclass(frozen=True)
class Waiting:
    """One batch."""

    batch: uuid.UUID
    source: str
    rows: int
    age_seconds: float
    deaths: int
    owner: str | None  # None: in nobody's hands


@dataclass(frozen=True)
class Owner:
    owner: str | None  # None: handed back, due again at these times
    alive: bool | None  # None: it has not been heard of
    batches: int
    rows: int
    first_ends: datetime
    last_ends: datetime
    seconds_left: float  # of the first; less than 0: it ran out and nobody took it back yet


@dataclass(frozen=True)
class Worker:
    name: str
    running: bool
    trouble: str  # what it says of the database, or that it hangs; "" = nothing


@dataclass(frozen=True)
class OfSource:
    source: int
    name: str
    queued_batches: int
    queued_rows: int
    spilled_batches: int
    spilled_rows: int


@dataclass(frozen=True)
class Report:
    looked_at: datetime
    due_batches: int
    leased_batches: int
    queued_rows: int
    oldest: Waiting | None
    rows_per_second: float  # that left the queue in the last half minute
    empty_in_seconds: float | None  # None: nothing leaves
    owners: list[Owner]
    spilled_batches: int
    spilled_rows: int
    oldest_spilled: Waiting | None
    memory_used: int
    memory_bound: int
    hints_in_line: int
    hint_under_way: bool
    workers: list[Worker]
    sources: list[OfSource]
    died_over: list[Waiting]
    stuck: list[str]  # a sentence for each thing that does not get on by itself


def report(client: redis.Redis) -> Report:
    """Raises IngestError where the broker does not answer."""
    depth, seen = Buffer(client).depth(), heartbeat.read(client)
    found = backlog.look(client)
    known = directory.fetch(client, None)
    names = {number: entry.name for number, entry in known.sources.items()} if known else {}
    alive = {one.beat.name: one.alive for one in seen if one.beat.kind == "worker"}
    owners = [owner_of(lease, alive, found.now_ms) for lease in found.leases]
    died_over = [waiting(one, names, found.now_ms) for one in found.died_over]
    oldest = waiting(found.oldest, names, found.now_ms) if found.oldest else None
    spilled = waiting(found.oldest_spilled, names, found.now_ms) if found.oldest_spilled else None
    return Report(
        looked_at=at(found.now_ms),
        due_batches=depth.due,
        leased_batches=depth.leased,
        queued_rows=depth.queued_rows,
        oldest=oldest,
        rows_per_second=depth.drain_rate,
        empty_in_seconds=empty_in(depth),
        owners=owners,
        spilled_batches=depth.spilled,
        spilled_rows=depth.spilled_rows,
        oldest_spilled=spilled,
        memory_used=depth.memory_used,
        memory_bound=depth.memory_max,
        hints_in_line=found.hints,
        hint_under_way=found.hint_under_way,
        workers=[worker_of(one) for one in seen if one.beat.kind == "worker"],
        sources=sources(depth, names),
        died_over=died_over,
        stuck=[
            *of_deaths(died_over),
            *of_owners(owners),
            *of_flow(depth, oldest, seen),
            *of_spilled(depth, spilled, seen),
            *of_memory(depth),
        ],
    )


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def named(source: int, names: Mapping[int, str]) -> str:
    return names.get(source, f"source {source}")


def waiting(one: Batch, names: Mapping[int, str], now_ms: int) -> Waiting:
    return Waiting(
        batch=one.batch,
        source=named(one.source, names),
        rows=one.rows,
        age_seconds=max(0, now_ms - one.accepted_ms) / 1000,
        deaths=one.deaths,
        owner=one.owner or None,
    )


def owner_of(lease: backlog.Lease, alive: Mapping[str, bool], now_ms: int) -> Owner:
    return Owner(
        owner=lease.owner or None,
        alive=alive.get(lease.owner),
        batches=lease.batches,
        rows=lease.rows,
        first_ends=at(lease.first_end_ms),
        last_ends=at(lease.last_end_ms),
        seconds_left=(lease.first_end_ms - now_ms) / 1000,
    )


def worker_of(one: Seen) -> Worker:
    beat = one.beat
    hangs = "it hangs: it speaks but does not get on" if beat.hangs else ""
    away = f"it takes the database for away: {beat.database}" if beat.database else ""
    full = f"the database does not write: {beat.full}" if beat.full else ""
    return Worker(beat.name, one.alive, (hangs or away or full) if one.alive else "")


def empty_in(depth: Depth) -> float | None:
    if not depth.queued_rows:
        return 0.0
    return math.ceil(depth.queued_rows / depth.drain_rate) if depth.drain_rate > 0 else None


def sources(depth: Depth, names: Mapping[int, str]) -> list[OfSource]:
    """Most that waits first; those of which nothing waits are left out."""
    found = [
        OfSource(
            number,
            named(number, names),
            held.queued_batches,
            held.queued_rows,
            held.spilled_batches,
            held.spilled_rows,
        )
        for number, held in depth.by_source.items()
        if held.queued_batches or held.spilled_batches
    ]
    return sorted(found, key=lambda one: (-one.queued_rows - one.spilled_rows, one.source))


def of_deaths(died_over: Sequence[Waiting]) -> Iterator[str]:
    for one in died_over:
        yield (
            f"Batch {one.batch} of {one.source} was in the hands of {counted(one.deaths, 'worker')} that "
            f"died; after {DEATHS} it is put into quarantine whole."
        )


def of_owners(owners: Sequence[Owner]) -> Iterator[str]:
    for one in owners:
        if one.owner and one.alive is False:
            yield (
                f"{one.owner} has {counted(one.batches, 'batch')} and is not running: others get them when "
                f"the lease ends, at {one.last_ends:%H:%M:%S} UTC, or at once when it is started again."
            )
        if one.seconds_left < -LATE_SECONDS:
            late = age(round(-1000 * one.seconds_left))
            yield f"Leases of {one.owner or 'nobody'} ran out {late} ago and no worker took them."


def of_flow(depth: Depth, oldest: Waiting | None, seen: Sequence[Seen]) -> Iterator[str]:
    if oldest is None or oldest.age_seconds < LATE_SECONDS or depth.drain_rate > 0:
        return
    if not any(one.beat.kind == "worker" and one.alive for one in seen):
        yield "Nothing leaves the queue: no worker is running."
        return
    troubles = [worker.trouble for one in seen if (worker := worker_of(one)).trouble]
    why = troubles[0] if troubles else "see what the workers' logs say"
    yield f"Nothing leaves the queue although workers are running: {why}."


def of_spilled(depth: Depth, oldest: Waiting | None, seen: Sequence[Seen]) -> Iterator[str]:
    held = any(one.beat.spill_files for one in seen if one.alive)
    if oldest and oldest.age_seconds >= LATE_SECONDS and not held:
        yield (
            f"{counted(depth.spilled, 'batch')} in spill files, and no running worker has any: on the volume "
            "of a worker that is gone, in a file that was set aside, or lost: see `manage.py spill list` and "
            "`verify`."
        )


def of_memory(depth: Depth) -> Iterator[str]:
    if depth.memory_share < settings.ADMISSION_SHARE:
        return
    why = "" if depth.queued_rows else " Nothing waits in it: its maxmemory is too small, or others use it."
    yield f"The broker is full ({depth.memory_share:.0%}): senders are told to try again.{why}"
