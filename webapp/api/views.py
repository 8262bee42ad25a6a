"""The endpoints that read lines and receipts: parameters in, one call, the answer out.

What they mean is in docs/searching.md; what each does is in webapp.logs.
"""

import uuid
from typing import Any, Literal, cast

import msgspec
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from webapp.access.bearer import MayRead, receipts_of, scope_of
from webapp.api import params, serializers
from webapp.api.problems import MEDIA_TYPE, complaint
from webapp.logs import context as contexts
from webapp.logs import histogram as histograms
from webapp.logs import receipts
from webapp.logs import search as searching
from webapp.logs.lines import Line
from webapp.logs.mending import Note

LINE_KEYS = frozenset(field.name for field in msgspec.structs.fields(Line))
PROBLEM = OpenApiResponse(serializers.Problem, "What is wrong, for programs and for people.")
NO_LINE = "There is no such line, or it is not yours to read."
_attributes = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Json(BaseRenderer):
    """Structs and dataclasses as they are; the stored JSON of attributes passes through untouched."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, media_type: str | None = None, context: Any = None) -> bytes:
        return b"" if data is None else msgspec.json.encode(data)


def answers(kind: type[Any], description: str, *statuses: int) -> dict[Any, Any]:
    problems = dict.fromkeys(((status, MEDIA_TYPE) for status in (400, 401, 403, *statuses, 503)), PROBLEM)
    return {200: OpenApiResponse(kind, description), **problems}


class Reading(APIView):
    """What every endpoint that reads lines has in common."""

    permission_classes = [IsAuthenticated, MayRead]
    renderer_classes = [Json]


class Search(Reading):
    @extend_schema(
        operation_id="search",
        summary="Find lines",
        tags=["logs"],
        parameters=[serializers.SearchParams],
        responses=answers(serializers.Page, "One page of lines, in order of time.", 410),
    )
    def get(self, request: Request) -> Response:
        return self.found(request)

    @extend_schema(
        operation_id="searchPost",
        summary="Find lines, parameters in the body",
        tags=["logs"],
        request=serializers.SearchParams,
        responses=answers(serializers.Page, "One page of lines, in order of time.", 410),
    )
    def post(self, request: Request) -> Response:
        return self.found(request)

    def found(self, request: Request) -> Response:
        values = params.read(request, serializers.SearchParams)
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


class Histogram(Reading):
    @extend_schema(
        operation_id="histogram",
        summary="Count lines over time",
        tags=["logs"],
        parameters=[serializers.HistogramParams],
        responses=answers(serializers.Histogram, "Columns: a bucket per time, a series per value.", 410),
    )
    def get(self, request: Request) -> Response:
        return self.counted(request)

    @extend_schema(
        operation_id="histogramPost",
        summary="Count lines over time, parameters in the body",
        tags=["logs"],
        request=serializers.HistogramParams,
        responses=answers(serializers.Histogram, "Columns: a bucket per time, a series per value.", 410),
    )
    def post(self, request: Request) -> Response:
        return self.counted(request)

    def counted(self, request: Request) -> Response:
        values = params.read(request, serializers.HistogramParams)
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


def document_of(answer: Any, warnings: tuple[Note, ...]) -> dict[str, Any]:
    names = answer.__dataclass_fields__
    document = {name: getattr(answer, name) for name in names}
    return {**document, "warnings": [complaint("q", note) for note in warnings]}


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
