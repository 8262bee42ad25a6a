"""`GET /api/v1/ledger`: whether everything that was accepted is accounted for (webapp/logs/ledger.py)."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.access.bearer import scope_of
from webapp.api import params
from webapp.api.reading import Reading, answers
from webapp.api.serializers import TIME, text
from webapp.logs.accounts import Account, account
from webapp.logs.ledger import Line


class LedgerParams(serializers.Serializer[Any]):
    start = text(f"First minute of acceptance: {TIME} Without it: an hour before the end.")
    end = text("First minute after the range, in the same forms. Without it: now.")
    by = serializers.ChoiceField(
        ["source", "dialect", "minute"], default="source", help_text="One line for each."
    )


class Counts(serializers.Serializer[Any]):
    received = serializers.IntegerField(help_text="accepted + refused.")
    refused = serializers.DictField(child=serializers.IntegerField(), help_text="Lines by reason.")
    accepted = serializers.IntegerField(help_text="Counted by the broker's accept script.")
    stored = serializers.IntegerField(help_text="Recounted from the tables.")
    duplicate = serializers.IntegerField()
    quarantined = serializers.IntegerField(help_text="Recounted from the tables.")
    queued = serializers.IntegerField(allow_null=True, help_text="null: the broker is away.")
    spilled = serializers.IntegerField(allow_null=True, help_text="null: the broker is away.")
    moving = serializers.IntegerField(help_text="Out of balance in minutes that are not settled yet.")
    unknown = serializers.IntegerField(
        help_text="Out of balance in minutes that cannot be recounted, from before there was a ledger."
    )
    difference = serializers.IntegerField(
        help_text="Of settled minutes: above 0, so many lines are missing; below, so many are too many."
    )
    unheld = serializers.IntegerField(
        help_text="Batches of the difference that the broker takes for spilled and no worker's volume holds."
    )


class LedgerLine(Counts):
    key = serializers.CharField(help_text="The source's name, the dialect, or the minute's start.")


class Gone(serializers.Serializer[Any]):
    expired = serializers.IntegerField()
    erased = serializers.IntegerField()


class Standing(serializers.Serializer[Any]):
    book = serializers.ChoiceField(
        ["accepted", "stored"],
        help_text="accepted: not all of it is accounted for. stored: not all of it is to be found.",
    )
    source = serializers.CharField()  # type: ignore[assignment]
    dialect = serializers.CharField(help_text="Empty in the book of what is stored.")
    time = serializers.DateTimeField(help_text="The minute of acceptance, or the time of the commit.")
    lines = serializers.IntegerField()
    unheld = serializers.IntegerField(help_text="Batches, as above.")
    found = serializers.DateTimeField()
    age_seconds = serializers.IntegerField()


class LedgerAnswer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    broker = serializers.ChoiceField(["ok", "away"])
    lines = LedgerLine(many=True)
    total = Counts()
    gone = serializers.DictField(child=Gone(), help_text="By source, of all time: left after being stored.")
    differences = Standing(
        many=True, help_text="What the last looks found, whatever the range; oldest first."
    )


class LedgerView(Reading):
    @extend_schema(
        operation_id="ledger",
        summary="Whether everything accepted is accounted for",
        tags=["status"],
        parameters=[LedgerParams],
        responses=answers(LedgerAnswer, "accepted = stored + duplicate + quarantined + queued + spilled."),
    )
    def get(self, request: Request) -> Response:
        values = params.read(request, LedgerParams)
        return Response(document(account(values["start"], values["end"], values["by"], scope_of(request))))


def document(found: Account) -> dict[str, Any]:
    return {
        "start": found.start,
        "end": found.end,
        "broker": "ok" if found.broker else "away",
        "lines": [{"key": key, **counts(line, found.broker)} for key, line in found.lines],
        "total": counts(found.total, found.broker),
        "gone": found.gone,
        "differences": [{**asdict(one), "source": source} for source, one in found.differences],
    }


def counts(line: Line, broker: bool) -> dict[str, Any]:
    return {
        "received": line.received,
        "refused": line.refused,
        "accepted": line.accepted,
        "stored": line.stored,
        "duplicate": line.duplicate,
        "quarantined": line.quarantined,
        "queued": line.queued if broker else None,
        "spilled": line.spilled if broker else None,
        "moving": line.moving,
        "unknown": line.unknown,
        "difference": line.difference,
        "unheld": line.unheld,
    }
