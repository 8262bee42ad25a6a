"""What the endpoints that read have in common: who may ask, how an answer is written, GET and POST alike.

A view of `Asked` says what it takes and answers with checked values; `both_ways` describes its two methods.
"""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import msgspec
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from webapp.access.bearer import MayRead
from webapp.api import params, serializers
from webapp.api.problems import MEDIA_TYPE, complaint
from webapp.logs.mending import Note

PROBLEM = OpenApiResponse(serializers.Problem, "What is wrong, for programs and for people.")
View = TypeVar("View", bound=type[APIView])


class Json(BaseRenderer):
    """Structs and dataclasses as they are; the stored JSON of attributes passes through untouched."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, media_type: str | None = None, context: Any = None) -> bytes:
        return b"" if data is None else msgspec.json.encode(data)


def answers(kind: type[Any], description: str, *statuses: int) -> dict[Any, Any]:
    return {200: OpenApiResponse(kind, description), **problems(*statuses)}


def problems(*statuses: int) -> dict[Any, Any]:
    return dict.fromkeys(((status, MEDIA_TYPE) for status in (400, 401, 403, *statuses, 503)), PROBLEM)


class Reading(APIView):
    """What every endpoint that reads lines has in common."""

    permission_classes = [IsAuthenticated, MayRead]
    renderer_classes = [Json]


class Asked(Reading):
    """GET, or POST with the same names in a JSON object."""

    takes: ClassVar[type[Serializer[Any]]]

    def get(self, request: Request) -> HttpResponseBase:
        return self.answer(request, params.read(request, self.takes))

    def post(self, request: Request) -> HttpResponseBase:
        return self.answer(request, params.read(request, self.takes))

    def answer(self, request: Request, values: dict[str, Any]) -> HttpResponseBase:
        raise NotImplementedError


def both_ways(operation: str, summary: str, responses: dict[Any, Any]) -> Callable[[View], View]:
    """Describes both methods of an `Asked`; the operation's name is what generated clients call."""

    def described(view: View) -> View:
        common: dict[str, Any] = {"tags": ["logs"], "responses": responses}
        takes = view.takes  # type: ignore[attr-defined]
        return extend_schema_view(
            get=extend_schema(operation_id=operation, summary=summary, parameters=[takes], **common),
            post=extend_schema(
                operation_id=f"{operation}Post",
                summary=f"{summary}, parameters in the body",
                request=takes,
                **common,
            ),
        )(view)

    return described


def document_of(answer: Any, warnings: tuple[Note, ...]) -> dict[str, Any]:
    names = answer.__dataclass_fields__
    document = {name: getattr(answer, name) for name in names}
    return {**document, "warnings": [complaint("q", note) for note in warnings]}
