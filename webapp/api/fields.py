"""`/api/v1/logs/fields` and `fields/{name}/stats`: which fields lines have, what their numbers come to."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.access.bearer import scope_of
from webapp.api import params
from webapp.api.reading import Asked, Reading, answers, both_ways, document_of
from webapp.api.serializers import AskParams, Complaint, Covered, text
from webapp.logs.fields import fields
from webapp.logs.stats import MAX_BUCKETS, stats

RELATIONS = ["eq", "estimated", "gte"]


class FieldsParams(AskParams):
    contains = text("Only names that contain this, whatever the case.")
    exact = serializers.BooleanField(
        default=False,
        help_text="Look at every line of the search; else the catalogue answers for the range, at once.",
    )


class Known(serializers.Serializer[Any]):
    name = serializers.CharField()
    types = serializers.ListField(child=serializers.CharField())
    count = serializers.IntegerField(help_text="Lines that have it.")
    count_relation = serializers.ChoiceField(RELATIONS)
    distinct = serializers.IntegerField(allow_null=True)
    distinct_relation = serializers.ChoiceField(RELATIONS)
    example = serializers.CharField(allow_null=True)
    builtin = serializers.BooleanField()


class FieldsAnswer(serializers.Serializer[Any]):
    fields = Known(many=True)  # type: ignore[assignment]
    exact = serializers.BooleanField()
    left_off = serializers.IntegerField(help_text="Lines of fields that the catalogue has no room for.")
    waiting = serializers.IntegerField(help_text="Lines that the catalogue does not count yet.")
    as_of = serializers.CharField()
    partial = serializers.BooleanField()  # type: ignore[assignment]
    covered = Covered(allow_null=True)
    warnings = Complaint(many=True)
    took_ms = serializers.IntegerField()


class StatsParams(AskParams):
    buckets = serializers.IntegerField(
        default=60, min_value=1, max_value=MAX_BUCKETS, help_text="At most so many in the series."
    )


def number() -> serializers.FloatField:
    return serializers.FloatField(allow_null=True)


class Bucket(serializers.Serializer[Any]):
    time = serializers.CharField(help_text="Where it begins.")
    count = serializers.IntegerField()
    min, max, avg = number(), number(), number()
    p50, p90, p95, p99 = number(), number(), number(), number()


class StatsAnswer(serializers.Serializer[Any]):
    field = serializers.CharField()
    total = serializers.IntegerField(help_text="count + other + missing.")
    count = serializers.IntegerField(help_text="Lines with a number.")
    other = serializers.IntegerField(help_text="Lines whose value is no number.")
    missing = serializers.IntegerField(help_text="Lines without the field.")
    min, max, avg = number(), number(), number()
    p50, p90, p95, p99 = number(), number(), number(), number()
    start = serializers.CharField()
    end = serializers.CharField()
    step = serializers.CharField()
    series = Bucket(many=True)
    as_of = serializers.CharField()
    partial = serializers.BooleanField()  # type: ignore[assignment]
    covered = Covered(allow_null=True)
    warnings = Complaint(many=True)
    took_ms = serializers.IntegerField()


@both_ways(
    "fields",
    "Which fields lines have",
    answers(FieldsAnswer, "Names, types, counts and an example; built-in fields first.", 410),
)
class Fields(Asked):
    takes = FieldsParams

    def answer(self, request: Request, values: dict[str, Any]) -> Response:
        made = fields(
            params.ask(values), scope_of(request), contains=values["contains"], exact=values["exact"]
        )
        return Response(document_of(made, made.warnings))


class Stats(Reading):
    @extend_schema(
        operation_id="stats",
        summary="What the numbers of a field come to",
        tags=["logs"],
        parameters=[StatsParams, OpenApiParameter("name", str, OpenApiParameter.PATH)],
        responses=answers(StatsAnswer, "Of the search's lines, whole and over time.", 410),
    )
    def get(self, request: Request, name: str) -> Response:
        values = params.read(request, StatsParams)
        made = stats(params.ask(values), scope_of(request), name, buckets=values["buckets"])
        return Response(document_of(made, made.warnings))
