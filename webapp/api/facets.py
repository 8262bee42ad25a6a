"""Facets and the summary over HTTP: parameters in, one call, the answer out."""

from typing import Any, Literal, cast

from rest_framework.request import Request
from rest_framework.response import Response

from webapp.access.bearer import scope_of
from webapp.api import params, serializers
from webapp.api.reading import Asked, answers, both_ways, document_of
from webapp.logs import facets


@both_ways(
    "facets",
    "Count lines by the values of fields",
    answers(serializers.Facets, "Each field's commonest values, and how many lines have none.", 410),
)
class Facets(Asked):
    takes = serializers.FacetParams

    def answer(self, request: Request, values: dict[str, Any]) -> Response:
        made = facets.facets(params.ask(values), scope_of(request), **counting(values))
        return Response(document_of(made, made.warnings))


@both_ways(
    "summary",
    "Exact total, counts over time and facets in one answer",
    answers(serializers.Summary, "All of it from one transaction, under one as_of.", 410),
)
class Summary(Asked):
    takes = serializers.SummaryParams

    def answer(self, request: Request, values: dict[str, Any]) -> Response:
        made = facets.summary(
            params.ask(values),
            scope_of(request),
            step=values["step"],
            buckets=values["buckets"],
            by=values["by"],
            top=values["top"],
            **counting(values),
        )
        over_time = document_of(made.histogram, made.histogram.warnings)
        return Response({**document_of(made, made.warnings), "histogram": over_time})


def counting(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "fields": values["field"],
        "limit": values["limit"],
        "contains": values["contains"],
        "own": cast(Literal["exclude", "include"], values["own"]),
    }
