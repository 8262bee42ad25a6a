"""`/api/v1/quarantine`: what was refused, to be read within one's scope, and to be sent again by who may.

Sending again is for admin tokens, and for people with the permission "Can send lines of the quarantine
again"; both reach no further than they may read. The bytes go out as text with U+FFFD for what is not UTF-8,
and whole as base64, inside JSON: no browser takes them for anything else.
"""

import base64
import logging
from dataclasses import asdict
from typing import Any, cast

from django.contrib.auth.models import User
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.access.bearer import scope_of
from webapp.access.scope import AuthToken
from webapp.api import params
from webapp.api.reading import Reading, answers
from webapp.api.serializers import TIME, several, text
from webapp.logs import refusals, replay
from webapp.logs.refusals import Wanted

NO_ENTRY = "There is no such entry of the quarantine, or it is not yours to read."
NOT_YOURS = "You may not send lines of the quarantine again. Ask whoever runs Logboom."
NOT_THIS_TOKEN = "This token is for reading. Sending lines again needs an admin token."
LONGEST_TEXT = 1024 * 1024
FILTER = ("source", "reason", "start", "end", "contains")
log = logging.getLogger(__name__)


class FilterParams(serializers.Serializer[Any]):
    source = several("Only entries of this source; several: of any of them.")  # type: ignore[assignment]
    reason = several("Only entries with this reason; several: any of them.")
    start = text(f"First instant at which they came into quarantine: {TIME}")
    end = text("First instant after the range, in the same forms. Without it: open.")
    tz = text("IANA name of the zone for times without one.", default="UTC")
    contains = text("Only entries whose bytes contain this text, letter case counted.")
    cursor = text("next of an answer, with the parameters that were asked there.")


class ListParams(FilterParams):
    replayed = serializers.ChoiceField(
        ["any", "yes", "no"], default="any", help_text="Whether they were sent again."
    )
    limit = serializers.IntegerField(
        default=100, min_value=1, max_value=refusals.MAX_LIMIT, help_text="Entries a page."
    )
    timeout_ms = serializers.IntegerField(
        default=0, min_value=0, help_text="Answer within this time, partially if need be; 0: the bound."
    )


class ReplayParams(FilterParams):
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1),
        default=list,
        max_length=replay.MOST,
        help_text=f"These entries, at most {replay.MOST:,}. Or else a filter: its newest {replay.MOST:,}.",
    )
    text = serializers.CharField(
        default=None,
        allow_null=True,
        allow_blank=True,
        trim_whitespace=False,
        max_length=LONGEST_TEXT,
        help_text="Sent instead of what a single entry holds: JSON, NDJSON or a JSON array.",
    )


class ReplayState(serializers.Serializer[Any]):
    state = serializers.ChoiceField(
        ["none", "begun", "refused", "replayed"], help_text="begun: cut off; the next try settles it."
    )
    at = serializers.CharField(allow_null=True)
    batch = serializers.CharField(allow_null=True, help_text="What it was sent again as; ask its receipt.")
    reason = serializers.CharField(allow_null=True, help_text="Why it was refused again.")
    detail = serializers.CharField(allow_null=True)


class Entry(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    created = serializers.CharField(help_text="When it came into quarantine.")
    received = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    dialect = serializers.CharField()
    reason = serializers.CharField()
    detail = serializers.CharField()
    batch = serializers.CharField(allow_null=True)
    line = serializers.IntegerField(allow_null=True, help_text="null: the whole batch, as the broker had it.")
    size = serializers.IntegerField(help_text="Bytes that are kept.")
    dropped = serializers.IntegerField(help_text="Bytes of the line beyond these.")
    beginning = serializers.CharField(help_text="Printable: controls spelt out, or as hexadecimal.")
    replay = ReplayState()


class WholeEntry(Entry):
    text = serializers.CharField(help_text="The bytes as text, U+FFFD for what is not UTF-8.")
    base64 = serializers.CharField(help_text="The bytes as they are.")


class Entries(serializers.Serializer[Any]):
    entries = Entry(many=True)
    next = serializers.CharField(allow_null=True, help_text="Cursor of the next page; null: there is none.")
    partial = serializers.BooleanField(help_text="The time was up; next goes on.")  # type: ignore[assignment]


class Outcome(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    outcome = serializers.ChoiceField(["replayed", "already", "refused", "unknown"])
    batch = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    detail = serializers.CharField(allow_null=True)


class Report(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="Accepted now: durable, and stored soon.")
    already = serializers.IntegerField(help_text="Accepted before; nothing was taken in a second time.")
    refused = serializers.IntegerField(help_text="Refused again; they stay.")
    unknown = serializers.IntegerField(help_text="No such entry, or not yours to read.")
    left = serializers.IntegerField(help_text="Not tried; stopped says why.")
    stopped = serializers.CharField(allow_null=True)
    next = serializers.CharField(allow_null=True, help_text="Cursor for what else the filter finds.")
    entries = Outcome(many=True)


class Quarantine(Reading):
    @extend_schema(
        operation_id="quarantine",
        summary="What was refused, newest first",
        tags=["quarantine"],
        parameters=[ListParams],
        responses=answers(Entries, "One page of entries."),
    )
    def get(self, request: Request) -> Response:
        values = params.read(request, ListParams)
        found = refusals.find(
            wanted(values, cast(refusals.Replayed, values["replayed"])),
            scope_of(request),
            limit=values["limit"],
            cursor=values["cursor"],
            timeout_ms=values["timeout_ms"],
        )
        return Response(found)


class OneEntry(Reading):
    @extend_schema(
        operation_id="quarantineEntry",
        summary="One entry, with its bytes",
        tags=["quarantine"],
        parameters=[OpenApiParameter("id", int, OpenApiParameter.PATH)],
        responses=answers(WholeEntry, "The entry.", 404),
    )
    def get(self, request: Request, id: int) -> Response:
        params.read(request, Nothing)
        found = refusals.one(id, scope_of(request))
        if found is None:
            raise NotFound(NO_ENTRY)
        entry, raw = found
        bytes_of = {"text": raw.decode("utf-8", "replace"), "base64": base64.b64encode(raw).decode()}
        return Response({**asdict(entry), **bytes_of})


class Nothing(serializers.Serializer[Any]):
    """No parameters."""


class Replay(Reading):
    @extend_schema(
        operation_id="replayQuarantine",
        summary="Send entries again, each exactly once",
        tags=["quarantine"],
        request=ReplayParams,
        responses=answers(Report, "What became of each."),
    )
    def post(self, request: Request) -> Response:
        check_right(request)
        values = params.read(request, ReplayParams)
        scope = scope_of(request)
        ids, following = values["ids"], None
        if not ids:
            found = refusals.find(filtered(values), scope, limit=replay.MOST, cursor=values["cursor"])
            ids, following = [entry.id for entry in found.entries], found.next
        elif given := [name for name in (*FILTER, "cursor") if values[name]]:
            raise params.refused("bad_value", given[0], "Give ids or a filter, not both.")
        if values["text"] is not None and len(values["ids"]) != 1:
            raise params.refused("bad_value", "text", "Text stands in for one entry: give one id.")
        report = replay.replay(ids, scope, values["text"])
        log.info("%s sent %d entries of the quarantine again", request.user, report.count("replayed"))
        counts = {name: report.count(name) for name in ("replayed", "already", "refused", "unknown")}
        # What is left of this page is found by the same question once more, not behind it.
        return Response({**counts, **asdict(report), "next": None if report.left else following})


def check_right(request: Request) -> None:
    if isinstance(request.auth, AuthToken):
        if request.auth.scope != "admin":
            raise PermissionDenied(NOT_THIS_TOKEN)
    elif not (isinstance(request.user, User) and request.user.has_perm("logs.replay_quarantine")):
        raise PermissionDenied(NOT_YOURS)


def filtered(values: dict[str, Any]) -> Wanted:
    """An empty filter is no filter: everything is asked for by `start`."""
    if not any(values[name] for name in FILTER):
        raise params.refused("bad_value", "ids", f"Give ids, or a filter: {', '.join(FILTER)}.")
    return wanted(values, "no")


def wanted(values: dict[str, Any], replayed: refusals.Replayed) -> Wanted:
    return Wanted(
        sources=tuple(values["source"]),
        reasons=tuple(values["reason"]),
        start=values["start"],
        end=values["end"],
        tz=values["tz"],
        contains=values["contains"],
        replayed=replayed,
    )
