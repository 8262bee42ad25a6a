"""Content-Security-Policy, and what goes with it, on every answer of the web.

Our pages and Django's admin need no inline script and no inline style, so none is allowed. Two foreign faces
bring one each; those very texts are allowed by their hash, on their own path alone. A new release of either
may change its text: a test compares.
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
    # The list of workers: how often it refreshes.
    "/flower/": {**STRICT, "script-src": "'self' 'sha256-A0YIP5A+DKoseGAUTHRoMPDkKPK5cKzfYH3mjcCKtj8='"},
    # The viewer of the API's description: three rules of style.
    "/api/docs/": {**STRICT, "style-src": "'self' 'sha256-MMpT0iDxyjALd9PdfepImGX3DBfJPXZ4IlDWdPAgtn0='"},
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
