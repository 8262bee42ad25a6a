"""Facets and the summary over HTTP: parameters in, one call, the answer out."""

from typing import Any, Literal, cast

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.access.bearer import scope_of
from webapp.api import params, serializers
from webapp.api.views import Reading, answers, document_of
from webapp.logs import facets

FACETS = answers(serializers.Facets, "Each field's commonest values, and how many lines have none.", 410)
SUMMARY = answers(serializers.Summary, "All of it from one transaction, under one as_of.", 410)


class Facets(Reading):
    @extend_schema(
        operation_id="facets",
        summary="Count lines by the values of fields",
        tags=["logs"],
        parameters=[serializers.FacetParams],
        responses=FACETS,
    )
    def get(self, request: Request) -> Response:
        return self.counted(request)

    @extend_schema(
        operation_id="facetsPost",
        summary="Count lines by the values of fields, parameters in the body",
        tags=["logs"],
        request=serializers.FacetParams,
        responses=FACETS,
    )
    def post(self, request: Request) -> Response:
        return self.counted(request)

    def counted(self, request: Request) -> Response:
        values = params.read(request, serializers.FacetParams)
        made = facets.facets(params.ask(values), scope_of(request), **counting(values))
        return Response(document_of(made, made.warnings))


class Summary(Reading):
    @extend_schema(
        operation_id="summary",
        summary="Exact total, counts over time and facets in one answer",
        tags=["logs"],
        parameters=[serializers.SummaryParams],
        responses=SUMMARY,
    )
    def get(self, request: Request) -> Response:
        return self.counted(request)

    @extend_schema(
        operation_id="summaryPost",
        summary="Exact total, counts over time and facets, parameters in the body",
        tags=["logs"],
        request=serializers.SummaryParams,
        responses=SUMMARY,
    )
    def post(self, request: Request) -> Response:
        return self.counted(request)

    def counted(self, request: Request) -> Response:
        values = params.read(request, serializers.SummaryParams)
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
