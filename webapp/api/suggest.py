"""`GET /api/v1/logs/suggest`: why a search found nothing, and what would find something."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.access.bearer import scope_of
from webapp.api import params
from webapp.api.reading import Asked, answers, both_ways, document_of
from webapp.api.serializers import AskParams, Complaint, Line
from webapp.logs.suggest import suggest


class Fix(serializers.Serializer[Any]):
    message = serializers.CharField()
    q = serializers.CharField(help_text="The whole corrected query.")
    lines = serializers.IntegerField(help_text="What it finds in the range.")
    lines_relation = serializers.ChoiceField(["eq", "gte"])


class Suggestion(serializers.Serializer[Any]):
    newest = Line(allow_null=True, help_text="The newest line that matches at any time.")
    fixes = Fix(many=True)
    as_of = serializers.CharField()
    partial = serializers.BooleanField(help_text="Not everything was looked at in time.")  # type: ignore[assignment]
    warnings = Complaint(many=True)
    took_ms = serializers.IntegerField()


@both_ways(
    "suggest",
    "Why a search found nothing",
    answers(Suggestion, "Nearest values, the newest match; within two seconds, partial if need be.", 410),
)
class Suggest(Asked):
    takes = AskParams

    def answer(self, request: Request, values: dict[str, Any]) -> Response:
        made = suggest(params.ask(values), scope_of(request))
        return Response(document_of(made, made.warnings))
