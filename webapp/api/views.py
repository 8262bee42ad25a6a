"""The endpoints that read lines and receipts: parameters in, one call, the answer out.

What they mean is in docs/searching.md; what each does is in webapp.logs.
"""

import uuid
from typing import Any, Literal, cast

import msgspec
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from webapp.access.bearer import receipts_of, scope_of
from webapp.api import params, serializers
from webapp.api.reading import Asked, Json, Reading, answers, both_ways, document_of
from webapp.logs import context as contexts
from webapp.logs import histogram as histograms
from webapp.logs import receipts
from webapp.logs import search as searching
from webapp.logs.lines import Line

LINE_KEYS = frozenset(field.name for field in msgspec.structs.fields(Line))
NO_LINE = "There is no such line, or it is not yours to read."
_attributes = msgspec.json.Decoder(dict[str, msgspec.Raw])


@both_ways("search", "Find lines", answers(serializers.Page, "One page of lines, in order of time.", 410))
class Search(Asked):
    takes = serializers.SearchParams

    def answer(self, request: Request, values: dict[str, Any]) -> Response:
        page = searching.search(
            params.ask(values),
            scope_of(request),
            limit=values["limit"],
            order=cast(Literal["desc", "asc"], values["order"]),
            count=cast(Literal["exact", "bound", "none"], values["count"]),
            cursor=values["cursor"],
        )
        document = document_of(page, page.warnings)
        keys = [key.strip() for value in values["fields"] for key in value.split(",") if key.strip()]
        if keys:
            document["logs"] = [picked(line, keys) for line in page.logs]
        return Response(document)


class SearchAlias(Search):
    """GET /logs/search."""

    schema = None
    http_method_names = ["get", "head", "options"]


@both_ways(
    "histogram",
    "Count lines over time",
    answers(serializers.Histogram, "Columns: a bucket per time, a series per value.", 410),
)
class Histogram(Asked):
    takes = serializers.HistogramParams

    def answer(self, request: Request, values: dict[str, Any]) -> Response:
        drawn = histograms.histogram(
            params.ask(values),
            scope_of(request),
            step=values["step"],
            buckets=values["buckets"],
            by=values["by"],
            top=values["top"],
        )
        return Response(document_of(drawn, drawn.warnings))


class OneLine(Reading):
    @extend_schema(
        operation_id="line",
        summary="One line by its id",
        tags=["logs"],
        parameters=[serializers.LineParams, OpenApiParameter("id", str, OpenApiParameter.PATH)],
        responses=answers(serializers.Line, "The line.", 404, 410),
    )
    def get(self, request: Request, id: str) -> Response:
        values = params.read(request, serializers.LineParams)
        found = searching.line(scope_of(request), id, values["as_of"])
        if found is None:
            raise NotFound(NO_LINE)
        return Response(found)


class Context(Reading):
    @extend_schema(
        operation_id="context",
        summary="What stood around a line",
        tags=["logs"],
        parameters=[serializers.ContextParams, OpenApiParameter("id", str, OpenApiParameter.PATH)],
        responses=answers(serializers.Context, "The line and its neighbours, in order of time.", 404, 410),
    )
    def get(self, request: Request, id: str) -> Response:
        values = params.read(request, serializers.ContextParams)
        found = contexts.context(
            id,
            scope_of(request),
            before=values["before"],
            after=values["after"],
            around=cast(contexts.Around, values["scope"]),
            cursor=values["cursor"],
            as_of=values["as_of"],
            timeout_ms=values["timeout_ms"],
        )
        if found is None:
            raise NotFound(NO_LINE)
        return Response(found)


class Receipt(APIView):
    permission_classes = [IsAuthenticated]
    renderer_classes = [Json]

    @extend_schema(
        operation_id="receipt",
        summary="What became of a batch",
        tags=["batches"],
        parameters=[serializers.ReceiptParams],
        responses=answers(serializers.Receipt, "Where the batch is, and what was counted.", 404),
    )
    def get(self, request: Request, batch: uuid.UUID) -> Response:
        values = params.read(request, serializers.ReceiptParams)
        found = receipts.receipt(batch, receipts_of(request), seconds(values["wait"]))
        if found is None:
            raise NotFound("Nobody here knows this batch, or it is not yours to read.")
        return Response(found)


class Nowhere(APIView):
    """Any other address under /api: a problem document, not a page."""

    schema = None
    authentication_classes = ()
    permission_classes = [AllowAny]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Http404


def picked(line: Line, keys: list[str]) -> dict[str, Any]:
    """Only these keys: a built-in one where it stands, any other inside `attributes`."""
    kept: dict[str, Any] = {key: getattr(line, key) for key in keys if key in LINE_KEYS}
    names = [key for key in keys if key not in LINE_KEYS]
    if names and "attributes" not in kept:
        held = _attributes.decode(line.attributes)
        bare = [name.removeprefix("@").removeprefix("attributes.") for name in names]
        kept["attributes"] = {name: held[name] for name in bare if name in held}
    return kept


def seconds(text: str) -> float:
    if text.endswith("ms"):
        return float(text[:-2]) / 1000
    return float(text.removesuffix("s"))
