"""`GET /api/v1/status`: what a page says at its edge: how new the lines are, what waits, what there is.

Polled by every open page, so an answer is kept for a second. With the database away nobody's right can be
looked up; who brings a session or a token is told what waits, in the problem, and nothing that is stored.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar, cast

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

import webapp
from webapp.access.bearer import scope_of
from webapp.access.models import Source
from webapp.access.scope import Scope
from webapp.api import params
from webapp.api.reading import Reading, answers
from webapp.logs import demo, standing

KEPT_SECONDS = 1.0
MOST_KEPT = 500  # answers, one a scope; beyond, all are forgotten

Value = TypeVar("Value")


@dataclass
class Kept:
    """What was answered within the last second. Two threads may ask at once: both then have it right."""

    answers: dict[Hashable, tuple[float, Any]] = field(default_factory=dict)

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        known = self.answers.get(key)
        if known and time.monotonic() - known[0] < KEPT_SECONDS:
            return cast(Value, known[1])
        made = make()
        if len(self.answers) >= MOST_KEPT:
            self.answers.clear()
        self.answers[key] = (time.monotonic(), made)
        return made


KEPT = Kept()


class Queued(serializers.Serializer[Any]):
    batches = serializers.IntegerField()
    rows = serializers.IntegerField()
    oldest_ms = serializers.IntegerField(allow_null=True, help_text="Age of the oldest batch.")


class Spilled(serializers.Serializer[Any]):
    batches = serializers.IntegerField()
    rows = serializers.IntegerField()


class Offered(serializers.Serializer[Any]):
    title = serializers.CharField()
    q = serializers.CharField()
    start = serializers.CharField()
    end = serializers.CharField()


class Status(serializers.Serializer[Any]):
    as_of_time = serializers.CharField(help_text="When the database was asked, by its clock.")
    newest = serializers.CharField(allow_null=True, help_text="Time of the newest line that you may see.")
    any_lines = serializers.BooleanField(help_text="Whether there is any line that you may see.")
    queued = Queued(allow_null=True, help_text="Accepted, durable, not yet stored; null: the broker is away.")
    spilled = Spilled(allow_null=True, help_text="The same, in files, because the database was away.")
    broker = serializers.ChoiceField(["ok", "full", "away"])
    last_commit = serializers.CharField(allow_null=True)
    sources = serializers.IntegerField(help_text="Sources whose lines you may see.")
    hidden_sources = serializers.IntegerField()
    edition = serializers.ChoiceField(["plain", "apache", "community"])
    retention_days = serializers.IntegerField()
    imbalance = serializers.IntegerField(
        help_text="Lines of sources that you may see which the ledger finds missing, or too many."
    )
    unheld = serializers.IntegerField(
        help_text="Batches of them that the broker takes for spilled and no worker's volume holds."
    )
    version = serializers.CharField()
    demo = Offered(many=True, help_text="Searches to begin with, while there are lines of the demo.")


class Nothing(serializers.Serializer[Any]):
    """No parameters."""


class StatusView(Reading):
    @extend_schema(
        operation_id="status",
        summary="How new the lines are, and what waits",
        tags=["status"],
        responses=answers(
            Status, "Where the pipeline stands. A 503 has the members queued, spilled and broker too."
        ),
    )
    def get(self, request: Request) -> Response:
        params.read(request, Nothing)
        scope = scope_of(request)
        return Response({**kept_waiting(), **KEPT.get((settings.DATABASE_READ_URL, scope), made_for(scope))})

    def handle_exception(self, error: Exception) -> Response:
        answer = super().handle_exception(error)
        if answer.status_code == 503:
            answer.data |= kept_waiting()
        return answer


def kept_waiting() -> dict[str, Any]:
    return asdict(KEPT.get(settings.BROKER_URL, standing.waiting))


def made_for(scope: Scope) -> Callable[[], dict[str, Any]]:
    def made() -> dict[str, Any]:
        every = Source.objects.count()
        visible = every if scope.sources is None else Source.objects.filter(pk__in=scope.sources).count()
        return {
            **asdict(standing.stored(scope)),
            "sources": visible,
            "hidden_sources": every - visible,
            "version": webapp.__version__,
            "demo": [asdict(offer) for offer in demo.offers(scope)],
        }

    return made
