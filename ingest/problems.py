"""Refusals as RFC 9457 documents: one shape for people and programs, also where Django would answer."""

import uuid
from http import HTTPStatus

import msgspec
from django.http import HttpRequest, HttpResponse

from ingest.bodies import ENCODINGS
from ingest.errors import IngestError

LONGEST_REQUEST_ID = 128


def problem(request: HttpRequest, status: int, code: str, detail: str, **more: object) -> HttpResponse:
    request_id = request.headers.get("X-Request-ID", "")[:LONGEST_REQUEST_ID] or uuid.uuid4().hex
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        **more,
    }
    answer = HttpResponse(
        msgspec.json.encode(document), status=status, content_type="application/problem+json"
    )
    answer["X-Request-ID"] = request_id.encode("ascii", "replace").decode()
    return answer


def refusal(request: HttpRequest, error: IngestError) -> HttpResponse:
    answer = problem(request, error.status, error.code, error.detail)
    if error.retry_after is not None:
        answer["Retry-After"] = str(error.retry_after)
    if error.status == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = "Bearer"
    if error.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
        answer["Accept-Encoding"] = ENCODINGS
    return answer


def wrong_method(request: HttpRequest, allowed: str) -> HttpResponse:
    answer = problem(request, 405, "wrong_method", f"{request.method} is not answered here; {allowed} is.")
    answer["Allow"] = allowed
    return answer


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem(request, 404, "not_found", "Lines are sent to POST /api/v1/logs.")


def server_error(request: HttpRequest) -> HttpResponse:
    return problem(request, 500, "internal_error", "This is a defect of Logboom's; its log says more.")
