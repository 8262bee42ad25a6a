"""Errors as RFC 9457 documents, one shape for every endpoint: `handler` is DRF's exception handler.

`code` is for programs, `detail` for people; `errors` names the parameter, the characters that are wrong in
it, and the corrected value where one exists. What may pass by itself carries Retry-After.
"""

import uuid
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from ingest.errors import Transient
from webapp.logs.asking import Refused
from webapp.logs.errors import BadToken, CursorExpired, OutOfTime, StoreError
from webapp.logs.gone import Gone
from webapp.logs.mending import Note

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
LONGEST_REQUEST_ID = 128
TITLES = {499: "Client Closed Request"}  # nobody reads it: it is for the metrics, where it is no failure
AWAY = "The database does not answer. Lines are still accepted, and found once it does."


class BadParams(Exception):
    """Parameters that cannot be read, all of them at once."""

    def __init__(self, code: str, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors[0]["message"])
        self.code = code
        self.errors = errors


def complaint(param: str, note: Note) -> dict[str, Any]:
    return {
        "param": param,
        "offset": note.offset,
        "length": note.length,
        "message": note.message,
        "hint": note.hint,
        "fix": note.fix,
    }


def handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """None hands the error back: it is a defect, and Django logs it."""
    for look in (of_parameters, of_reading, of_framework):
        if answer := look(error):
            status, code, detail, more = answer
            return dressed(error, context, problem(status, code, detail, **more))
    return None


Answer = tuple[int, str, str, dict[str, Any]]


def of_parameters(error: Exception) -> Answer | None:
    if isinstance(error, Refused):
        return 400, error.code, str(error), {"errors": [complaint(error.param, error.note)]}
    if isinstance(error, BadParams):
        return 400, error.code, str(error), {"errors": error.errors}
    if isinstance(error, BadToken):
        note = Note(0, 0, str(error), "Leave it out, or take it from an earlier answer.")
        return 400, "bad_value", f"{error}.", {"errors": [complaint("as_of", note)]}
    return None


def of_reading(error: Exception) -> Answer | None:
    if isinstance(error, Gone):
        return 499, "gone", str(error), {}
    if isinstance(error, CursorExpired):
        return 410, "cursor_expired", f"Ask anew: {error}.", {}
    if isinstance(error, OutOfTime):
        return 503, "read_timeout", f"{error} Narrow the range, or allow more with timeout_ms.", {}
    if isinstance(error, StoreError | OperationalError | InterfaceError):
        return 503, "overloaded", AWAY, {}
    if isinstance(error, Transient):
        return 503, "overloaded", error.detail, {}
    return None


def of_framework(error: Exception) -> Answer | None:
    if isinstance(error, Http404):
        return 404, "not_found", "There is nothing at this address.", {}
    if isinstance(error, PermissionDenied):
        return 403, "forbidden", "This is not for you.", {}
    if not isinstance(error, exceptions.APIException):
        return None
    status, code = error.status_code, CODES.get(error.status_code, "bad_value")
    return status, code, sentence(error), {}


CODES = {
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "wrong_method",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media",
    429: "rate_limited",
    503: "overloaded",
}


def sentence(error: exceptions.APIException) -> str:
    detail: Any = error.detail
    while isinstance(detail, list | dict):
        detail = next(iter(detail.values() if isinstance(detail, dict) else detail), "")
    return str(detail)


def problem(status: int, code: str, detail: str, **more: Any) -> Response:
    document = {
        "type": "about:blank",
        "title": TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **more,
    }
    return Response(document, status=status, content_type=MEDIA_TYPE)


def dressed(error: Exception, context: dict[str, Any], answer: Response) -> Response:
    request_id = request_id_of(context.get("request"))
    answer.data["request_id"] = request_id
    answer["X-Request-ID"] = request_id
    if answer.status_code == 503:
        answer["Retry-After"] = str(getattr(error, "retry_after", None) or RETRY_SECONDS)
    if challenge := getattr(error, "auth_header", None):
        answer["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        answer["Retry-After"] = str(int(wait) + 1)
    if isinstance(error, exceptions.MethodNotAllowed) and (view := context.get("view")):
        answer["Allow"] = ", ".join(view.allowed_methods)
    return answer


def request_id_of(request: Any) -> str:
    """The caller's own, if it can stand in a header."""
    given = request.headers.get("X-Request-ID", "")[:LONGEST_REQUEST_ID] if request else ""
    return given if given.isascii() and given.isprintable() and given else uuid.uuid4().hex
