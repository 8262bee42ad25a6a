"""Everything the page shows, each part looked at by itself: what cannot be read says so in its own box.

A database that is away is asked once, not once a box; each other look has its own bound in time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import redis
from django.conf import settings

from ingest.broker import check_durable
from ingest.errors import IngestError, WeakBroker
from webapp import heartbeat
from webapp.logs import imbalance, pipeline, standing
from webapp.logs.errors import Outage, ReadError, StoreError
from webapp.logs.imbalance import Standing
from webapp.logs.pipeline import Day, Facts, Recent, Refused
from webapp.pipeline.chart import Column, columns
from webapp.pipeline.saying import plain
from webapp.pipeline.verdict import Broker, Finding, findings

Value = TypeVar("Value")
DAYS_SHOWN = 14


@dataclass(frozen=True)
class Part(Generic[Value]):
    value: Value | None
    problem: str = ""  # why there is none


@dataclass(frozen=True)
class Volume:
    shown: list[Day]
    older: int  # days that are not shown
    size: int  # of all days
    rows: int  # known ones


@dataclass(frozen=True)
class Page:
    findings: list[Finding]
    broker: Part[Broker]
    facts: Part[Facts]
    recent: Part[Recent]
    refused: Part[Refused]
    volume: Part[Volume]
    ledger: Part[Standing]

    @property
    def segments(self) -> list[Column]:
        return (
            columns([(m.start, m.segments) for m in self.recent.value.minutes]) if self.recent.value else []
        )

    @property
    def lines(self) -> list[Column]:
        return columns([(m.start, m.rows) for m in self.recent.value.minutes]) if self.recent.value else []


def page() -> Page:
    broker = seen(broker_now)
    database = Database()
    facts = database.ask(pipeline.facts)
    recent = database.ask(pipeline.recent)
    refused = database.ask(pipeline.refused)
    volume = database.ask(lambda conn: volume_of(pipeline.days(conn)))
    ledger = database.ask(imbalance.standing)
    said = findings(broker.value, broker.problem, database.away or facts.problem, ledger.value)
    return Page(said, broker, facts, recent, refused, volume, ledger)


class Database:
    """Looks one after the other; an outage ends the asking."""

    def __init__(self) -> None:
        self.away = ""

    def ask(self, work: Callable[[pipeline.Connection], Value]) -> Part[Value]:
        if self.away:
            return Part(None, self.away)
        return seen(partial(pipeline.look, work), self._note)

    def _note(self, error: Exception) -> None:
        if isinstance(error, Outage):
            self.away = plain(error)


def seen(look: Callable[[], Value], note: Callable[[Exception], None] = lambda error: None) -> Part[Value]:
    try:
        return Part(look())
    except (StoreError, ReadError, IngestError, redis.RedisError) as error:
        note(error)
        return Part(None, plain(error))


def broker_now() -> Broker:
    buffer = standing.buffer(settings.BROKER_URL)
    return Broker(
        depth=buffer.depth(),
        weakness=weakness(buffer.client),
        seen=heartbeat.read(buffer.client),
        full_share=settings.ADMISSION_SHARE,
    )


def weakness(client: redis.Redis) -> str:
    try:
        check_durable(client)
    except WeakBroker as error:
        return str(error)
    return ""


def volume_of(days: list[Day]) -> Volume:
    return Volume(
        shown=days[:DAYS_SHOWN],
        older=len(days[DAYS_SHOWN:]),
        size=sum(day.size for day in days),
        rows=sum(day.rows or 0 for day in days),
    )
