"""/flower/: Flower behind our own log-in, for staff, to look and not to touch.

Flower can shut workers down and send tasks; it does so on POST alone. What goes up from here is always a GET
or a HEAD, without cookies and without the caller's headers, so nothing that Flower can do can be reached. Its
task table asks by POST (the columns of the table make a long query); that one question goes up as a GET.
Flower runs with --url_prefix=flower: its links are right as they are, nothing is rewritten.
"""

import http.client
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

TASK_TABLE = "tasks/datatable"
SECONDS = 10.0
LARGEST = 32 * 1024 * 1024  # bytes: Flower's largest file is under one; more than this is a fault
KEPT = ("Content-Type", "Cache-Control", "Etag", "Last-Modified", "Location")


@csrf_exempt  # nothing can be changed through here, and Flower's script knows nothing of our token
@login_required
def proxy(request: HttpRequest, path: str) -> HttpResponse:
    if not getattr(request.user, "is_staff", False):
        raise PermissionDenied("Flower is for staff.")
    if request.method == "POST" and path == TASK_TABLE:
        return ask("GET", path, request.body.decode("latin-1"))
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(
            "Flower is read-only here.\n",
            status=405,
            headers={"Allow": "GET, HEAD"},
            content_type="text/plain; charset=utf-8",
        )
    said = ask(request.method, path, request.META.get("QUERY_STRING", ""))
    return said if said.status_code != 502 else render(request, "ui/flower_away.html", status=502)


def ask(method: str, path: str, query: str) -> HttpResponse:
    """One request to Flower; 502 where it does not answer as a web server should."""
    upstream = urlsplit(settings.FLOWER_URL)
    secure = upstream.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = connect(upstream.hostname or "", upstream.port, timeout=SECONDS)
    target = "/flower/" + quote(path, safe="/:@!$&'()*+,;=~") + (f"?{query}" if query else "")
    try:
        connection.request(method, target, headers={"Accept-Encoding": "identity"})
        answer = connection.getresponse()
        body = answer.read(LARGEST + 1)
    except (OSError, http.client.HTTPException, UnicodeError):
        return HttpResponse(status=502)
    finally:
        connection.close()
    if len(body) > LARGEST:
        return HttpResponse(status=502)
    return HttpResponse(body, status=answer.status, headers=kept(answer.getheaders()))


def kept(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """No cookie and no policy of Flower's reaches the browser under our name."""
    given = {name.title(): value for name, value in headers}
    return {name: given[name] for name in KEPT if name in given}
