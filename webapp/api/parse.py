"""`GET /api/v1/logs/parse`: what is wrong with a query, or odd, while it is typed. Never runs it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.api import params
from webapp.api.problems import complaint
from webapp.api.reading import Reading, answers
from webapp.api.serializers import Complaint, text
from webapp.logs import query
from webapp.logs.mending import QueryError
from webapp.logs.spelling import canonical


class ParseParams(serializers.Serializer[Any]):
    q = text("The query, see docs/searching.md.")


class Parsed(serializers.Serializer[Any]):
    errors = Complaint(many=True, help_text="Empty, or the first mistake.")  # type: ignore[assignment]
    warnings = Complaint(many=True)
    canonical = serializers.CharField(allow_null=True, help_text="The same query in its plainest spelling.")


class Parse(Reading):
    @extend_schema(
        operation_id="parse",
        summary="Check a query without running it",
        tags=["logs"],
        parameters=[ParseParams],
        responses=answers(Parsed, "What is wrong with it, and its plainest spelling."),
    )
    def get(self, request: Request) -> Response:
        return Response(checked(params.read(request, ParseParams)["q"]))


def checked(text: str) -> dict[str, Any]:
    try:
        parsed = query.parse(text)
    except QueryError as error:
        return {"errors": [complaint("q", error.note)], "warnings": [], "canonical": None}
    warnings = [complaint("q", note) for note in parsed.warnings]
    return {"errors": [], "warnings": warnings, "canonical": canonical(text, parsed)}
