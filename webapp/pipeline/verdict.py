"""What is wrong, in one plain sentence each, and its cure. Pure: from what was seen to what is said.

Worst first. Nothing here asks anybody: what could not be seen is said by who looked (looking.py). Each has a
page of docs/runbooks, which says more than a sentence can.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ingest.buffer import Depth
from webapp.heartbeat import Seen
from webapp.logs.imbalance import Standing
from webapp.pipeline.saying import age, counted, size, wait

Gravity = Literal["bad", "warn", "good"]
LATE_MS = 60_000  # lines that wait longer than this are worth a sentence
LITTLE_DISK = 0.1


@dataclass(frozen=True)
class Finding:
    gravity: Gravity
    sentence: str
    cure: str
    runbook: str = ""  # the name of its page


@dataclass(frozen=True)
class Broker:
    depth: Depth
    weakness: str  # what check_durable complains of
    seen: list[Seen]
    full_share: float

    @property
    def workers(self) -> list[Seen]:
        return [one for one in self.seen if one.beat.kind == "worker"]

    @property
    def alive(self) -> list[Seen]:
        return [one for one in self.workers if one.alive]

    @property
    def beat(self) -> Seen | None:
        return next((one for one in self.seen if one.beat.kind == "beat"), None)


def findings(
    broker: Broker | None, broker_problem: str, database_problem: str, ledger: Standing | None = None
) -> list[Finding]:
    found = [*worries(broker, broker_problem, database_problem), *of_ledger(ledger)]
    if not found and broker:
        return [Finding("good", f"All is well. {waiting(broker.depth)}", "")]
    return sorted(found, key=lambda one: one.gravity != "bad")


def worries(broker: Broker | None, broker_problem: str, database_problem: str) -> Iterator[Finding]:
    if database_problem:
        yield Finding(
            "bad",
            f"The database does not answer as it should: {database_problem}.",
            "Lines are accepted all the same and wait; look at PostgreSQL, its disk and its connections.",
            "database-down",
        )
    if broker is None:
        yield Finding(
            "bad",
            f"The broker is away: {broker_problem}.",
            "Nothing new is accepted, senders are told to try again, and what was accepted lies in its file. "
            "Start it; everything goes on by itself.",
            "broker-lost",
        )
        return
    yield from of_broker(broker)
    yield from of_queue(broker)
    for one in broker.workers:
        yield from of_worker(one)
    yield from of_beat(broker.beat)


def of_broker(broker: Broker) -> Iterator[Finding]:
    if broker.weakness:
        yield Finding("bad", broker.weakness, "Until then every sender is answered 503.", "broker-lost")
    if broker.depth.memory_share >= broker.full_share:
        used, most = size(broker.depth.memory_used), size(broker.depth.memory_max)
        yield Finding(
            "bad",
            f"The broker is full ({used} of {most}): senders are told to try again.",
            "It drains as fast as workers store: see to them and to PostgreSQL, or add workers.",
            "broker-full",
        )


def of_queue(broker: Broker) -> Iterator[Finding]:
    depth = broker.depth
    if not broker.alive:
        waits = f", and {wait(depth.queued_rows)}" if depth.queued_rows else ""
        cure = "Start one: nothing is stored without it."
        yield Finding("bad", f"No worker is running{waits}.", cure, "worker-stuck")
    elif depth.oldest_ms > LATE_MS:
        yield Finding(
            "warn",
            waiting(depth),
            "If the queue grows, add workers; if it stands still, see what a worker says below.",
            "worker-stuck",
        )
    if depth.spilled:
        yield Finding(
            "warn",
            f"Spill files hold {counted(depth.spilled_rows, 'line')} of {counted(depth.spilled, 'batch')}, "
            "because the database was away or did not write.",
            "Their workers store them when it is back, oldest first; a worker that is gone for good "
            "leaves its volume to `manage.py spill drain`.",
            "database-down",
        )


def of_worker(seen: Seen) -> Iterator[Finding]:
    beat, left = seen.beat, seen.beat.spill_files
    if seen.missed:
        yield Finding(
            "bad",
            f"{beat.name} on {beat.host} missed its heartbeat: last seen {age(seen.age_ms)} ago.",
            "Look at its log and start it again under the same name: what it held is given to others.",
            "worker-stuck",
        )
    elif beat.hangs:
        sentence = f"{beat.name} hangs: it speaks but does not get on."
        yield Finding("bad", sentence, "Restart it; that is safe.", "worker-stuck")
    elif beat.database and not beat.stopped:
        sentence = f"{beat.name} takes the database for away: {beat.database}."
        yield Finding("bad", sentence, "It tries again by itself.", "database-down")
    elif beat.full and not beat.stopped:
        sentence = f"The database does not write, says {beat.name}: {beat.full}."
        yield Finding(
            "bad", sentence, "Make room on its disk; everything goes on by itself.", "database-down"
        )
    if left and not seen.alive:
        yield Finding(
            "bad",
            f"{beat.name} is not running and left {counted(left, 'spill file')} behind.",
            "Start it again, or store them with `manage.py spill drain` where its volume is mounted.",
            "orphaned-volume",
        )
    if beat.volume and not beat.stopped:
        yield Finding(
            "bad",
            f"{beat.name} cannot read its spill files: {beat.volume}.",
            "Lines are stored all the same; see to its volume, then start it again.",
            "spill-volume-full",
        )
    if beat.spill_aside:
        yield Finding(
            "warn",
            f"{beat.name} set {counted(beat.spill_aside, 'spill file')} aside: damaged, or too old.",
            "They need a person: `manage.py spill verify` names them.",
            "damaged-spill-file",
        )
    if seen.alive and beat.disk_total and beat.disk_free < LITTLE_DISK * beat.disk_total:
        yield Finding(
            "warn",
            f"The volume of {beat.name}'s spill files has {size(beat.disk_free)} left.",
            "Make room: without it, nothing can be spilled while the database is away.",
            "spill-volume-full",
        )


def of_beat(beat: Seen | None) -> Iterator[Finding]:
    if beat is None or not beat.alive:
        since = f" since {age(beat.age_ms)}" if beat else ""
        yield Finding(
            "bad",
            f"Beat is not running{since}.",
            "Start it: without it no day is made or dropped, and counters stand still.",
            "worker-stuck",
        )


def of_ledger(standing: Standing | None) -> Iterator[Finding]:
    if standing and standing.lines:
        yield Finding(
            "bad",
            f"The ledger is out of balance by {counted(standing.lines, 'line')}, "
            f"for {age(standing.oldest_seconds * 1000)}.",
            "The ledger's page says which source and minute; `manage.py audit` recounts everything.",
            "imbalance",
        )
    if standing and standing.unheld:
        what = counted(standing.unheld, "batch")
        yield Finding(
            "bad",
            f"The broker says that {what} {'is' if standing.unheld == 1 else 'are'} spilled, "
            "and no worker's volume holds them.",
            "An orphaned volume counts again once its worker runs, or when it is drained; a damaged or "
            "emptied one: `manage.py spill verify`.",
            "orphaned-volume",
        )


def waiting(depth: Depth) -> str:
    if not depth.queued_rows:
        return "Nothing waits."
    return f"{wait(depth.queued_rows)}, the oldest for {age(depth.oldest_ms)}."
