"""Content-Security-Policy, and what goes with it, on every answer of the web.

Our pages and Django's admin need no inline script and no inline style, so none is allowed. Two foreign faces
do; each gets exactly what Chromium was seen to ask for, on its own path alone.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

STRICT = {
    "default-src": "'self'",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
RELAXED = {
    # Bootstrap and DataTables set style attributes; the workers page sets one variable in an inline script.
    "/flower/": {**STRICT, "style-src": "'self' 'unsafe-inline'", "script-src": "'self' 'unsafe-inline'"},
    # Swagger UI and Redoc style inline and start from an inline script; Redoc's search runs in a blob worker.
    "/api/docs/": {
        **STRICT,
        "style-src": "'self' 'unsafe-inline'",
        "script-src": "'self' 'unsafe-inline'",
        "worker-src": "'self' blob:",
    },
}


def written(policy: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in policy.items())


def policy_for(path: str) -> str:
    for prefix, policy in RELAXED.items():
        if path.startswith(prefix):
            return written(policy)
    return written(STRICT)


@sync_and_async_middleware
def headers(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Any:
    """Middleware: the policy on each answer that does not bring its own."""
    if iscoroutinefunction(get_response):
        onward = cast(Callable[[HttpRequest], Awaitable[HttpResponseBase]], get_response)

        async def later(request: HttpRequest) -> HttpResponseBase:
            return dressed(request, await onward(request))

        return later

    def now(request: HttpRequest) -> HttpResponseBase:
        return dressed(request, get_response(request))

    return now


def dressed(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault("Content-Security-Policy", policy_for(request.path_info))
    response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    return response
