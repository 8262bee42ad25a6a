"""`GET /api/v1/logs/explain`: what the search with these parameters does, instead of its lines."""

from typing import Any, Literal, cast

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.access.bearer import scope_of
from webapp.api import params
from webapp.api.reading import Asked, answers, both_ways, document_of
from webapp.api.serializers import Complaint, SearchParams
from webapp.logs.explain import explain


class Scan(serializers.Serializer[Any]):
    rows = serializers.IntegerField(help_text="Lines looked at.")
    hit = serializers.IntegerField(help_text="Pages that were in PostgreSQL's memory.")
    read = serializers.IntegerField(help_text="Pages that were not.")


class Segments(serializers.Serializer[Any]):
    total = serializers.IntegerField(help_text="Transactions that stored lines, under as_of.")
    considered = serializers.IntegerField(help_text="Those with lines in the range that was read.")
    skipped = serializers.IntegerField()


class Statement(serializers.Serializer[Any]):
    part = serializers.ChoiceField(["lines", "total"])
    start = serializers.CharField(allow_null=True)
    end = serializers.CharField(allow_null=True)
    matched = serializers.IntegerField()
    scan = Scan(allow_null=True)
    tables = serializers.ListField(child=serializers.CharField(), help_text="Days that were read.")
    took_ms = serializers.FloatField()
    sql = serializers.CharField()
    parameters = serializers.DictField(child=serializers.JSONField())


class Explained(serializers.Serializer[Any]):
    plan = serializers.ListField(child=serializers.CharField(), help_text="In words.")
    matched = serializers.IntegerField(help_text="At most one more than the page holds.")
    scan = Scan(
        allow_null=True, help_text="Lines of others count too: null for who may not read every source."
    )
    segments = Segments(allow_null=True, help_text="The same; null, too, where the time ran out.")
    statements = Statement(many=True)
    as_of = serializers.CharField()
    partial = serializers.BooleanField()  # type: ignore[assignment]
    warnings = Complaint(many=True)
    took_ms = serializers.IntegerField()


@both_ways(
    "explain",
    "What a search does",
    answers(Explained, "The search was run for this, under your scope and within its time.", 410),
)
class Explain(Asked):
    takes = SearchParams

    def answer(self, request: Request, values: dict[str, Any]) -> Response:
        made = explain(
            params.ask(values),
            scope_of(request),
            limit=values["limit"],
            order=cast(Literal["desc", "asc"], values["order"]),
            count=cast(Literal["exact", "bound", "none"], values["count"]),
            cursor=values["cursor"],
        )
        return Response(document_of(made, made.warnings))
