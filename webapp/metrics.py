"""Counts and times of the web's requests by route, and the text that /metrics answers.

Labels come from the URL table, never from the path: a scanner cannot make new time series.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

REQUESTS = Counter("logboom_web_requests", "Requests answered", ["route", "method", "status"])
SECONDS = Histogram(
    "logboom_web_request_seconds",
    "Time to the first byte of the answer",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CONTENT_TYPE = CONTENT_TYPE_LATEST

Answer = Callable[[HttpRequest], HttpResponseBase]


def exposition() -> bytes:
    """Every metric of this process."""
    return generate_latest()


@sync_and_async_middleware
def measured(get_response: Answer) -> Any:
    """Middleware: one count and one time for each request."""
    if iscoroutinefunction(get_response):
        answer = cast(Callable[[HttpRequest], Awaitable[HttpResponseBase]], get_response)

        async def later(request: HttpRequest) -> HttpResponseBase:
            begun = time.perf_counter()
            return note(request, await answer(request), begun)

        return later

    def now(request: HttpRequest) -> HttpResponseBase:
        begun = time.perf_counter()
        return note(request, get_response(request), begun)

    return now


def note(request: HttpRequest, response: HttpResponseBase, begun: float) -> HttpResponseBase:
    route = route_of(request)
    method = request.method if request.method in METHODS else "other"
    REQUESTS.labels(route, method, str(response.status_code)).inc()
    SECONDS.labels(route).observe(time.perf_counter() - begun)
    return response


def route_of(request: HttpRequest) -> str:
    match = request.resolver_match
    if match is None:
        return "unmatched"
    return match.view_name or match.route or "unnamed"
