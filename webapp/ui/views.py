"""The plain pages: a search and one line. They work without a single script, where a dashboard cannot.

They ask the same functions as the REST API, under the reader's scope; list and histogram share one as_of.
"""

import sys
from dataclasses import replace
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from webapp.access.models import Source
from webapp.access.scope import NOTHING, Scope, for_user
from webapp.logs import histogram as histograms
from webapp.logs import search as searching
from webapp.logs.asking import Ask, Refused
from webapp.logs.errors import CursorExpired, OutOfTime, ReadError, StoreError
from webapp.logs.lines import Line
from webapp.ui import shown
from webapp.ui.asked import ORDERS, RANGES, Asked

LIMIT = 100
LOOK_MS = 2000  # how long an empty page looks elsewhere for something to offer
RETRY_SECONDS = 5


@require_safe
@login_required
def search(request: HttpRequest, notice: str = "") -> HttpResponse:
    asked, scope = Asked.of(request.GET.dict()), for_user(request.user)
    context: dict[str, Any] = {"asked": asked, "ranges": RANGES, "orders": ORDERS, "notice": notice}
    try:
        context |= answered(asked, scope)
    except Refused as error:
        return render(
            request, "ui/search.html", context | {"problem": shown.refusal(error, asked)}, status=400
        )
    except ReadError as error:
        problem, status = unread(error, asked)
        return render(request, "ui/search.html", context | {"problem": problem}, status=status)
    except StoreError:
        return away(context | {"problem": shown.Problem("The database does not answer.")}, request)
    return render(request, "ui/search.html", context)


def answered(asked: Asked, scope: Scope) -> dict[str, Any]:
    start, end = asked.bounds
    ask = Ask(q=asked.q, start=start, end=end, as_of=asked.as_of)
    page = searching.search(ask, scope, limit=LIMIT, order=asked.order, cursor=asked.cursor)  # type: ignore[arg-type]
    ask = replace(ask, as_of=page.as_of)
    context: dict[str, Any] = {
        "page": page,
        "total": shown.total(page),
        "as_of_time": page.as_of_time[11:19],
        "lines": [shown.row(line, asked) for line in page.logs],
        "hidden": hidden(scope),
        "notices": [note.message for note in page.warnings],
        "next": asked.address(cursor=page.next) if page.next else "",
        "prev": asked.address(cursor=page.prev) if page.prev else "",
        "fresh": asked.anew() if asked.cursor or asked.as_of else "",
    }
    if page.partial:
        context["notices"].append(shown.covered(page))
    if not page.logs and not page.partial and not asked.cursor:
        return context | {"empty": empty(ask, scope, asked)}
    return context | drawn(ask, scope, asked)


def drawn(ask: Ask, scope: Scope, asked: Asked) -> dict[str, Any]:
    """The histogram; the list stands without it."""
    try:
        return {"histogram": shown.chart(histograms.histogram(ask, scope), asked)}
    except (ReadError, StoreError):
        return {"undrawn": True}


def hidden(scope: Scope) -> int:
    """How many sources the reader may not see."""
    return 0 if scope.sources is None else Source.objects.exclude(pk__in=scope.sources).count()


def empty(ask: Ask, scope: Scope, asked: Asked) -> shown.Empty:
    if scope == NOTHING:
        return shown.no_access()
    anywhere = replace(ask, start="", end="", timeout_ms=LOOK_MS)
    try:
        if found := newest(anywhere, scope):
            return shown.elsewhere(found, asked)
        return shown.no_match(asked) if newest(replace(anywhere, q=""), scope) else shown.first_line()
    except (ReadError, StoreError):
        return shown.Empty("Nothing in this range.")


def newest(ask: Ask, scope: Scope) -> Line | None:
    return next(iter(searching.search(ask, scope, limit=1, count="none").logs), None)


def unread(error: ReadError, asked: Asked) -> tuple[shown.Problem, int]:
    if isinstance(error, OutOfTime):
        return shown.Problem("The time ran out before anything was read.", "Take a shorter range."), 503
    if isinstance(error, CursorExpired):
        return shown.Problem("The lines of this page have changed since.", fresh_address=asked.anew()), 410
    return shown.Problem("This address is not whole.", fresh_address=asked.anew()), 400


@require_safe
@login_required
def line(request: HttpRequest, line_id: str) -> HttpResponse:
    asked = Asked.of(request.GET.dict())
    try:
        found = searching.line(for_user(request.user), line_id)
    except (ReadError, StoreError):
        return away({"problem": shown.Problem("The database does not answer.")}, request)
    if found is None:
        raise Http404
    context = {
        "line": shown.row(found, asked),
        "message": found.message,
        "facts": list(shown.facts(found, asked)),
        "around": shown.around(found, replace(asked, q="")),
        "back": asked.anew(),
    }
    return render(request, "ui/line.html", context)


def away(context: dict[str, Any], request: HttpRequest | None = None) -> HttpResponse:
    """The database is away. Without a request the page names no user: that would ask the database."""
    page = render_to_string("ui/away.html", context, request)
    return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_SECONDS)})


def failed(request: HttpRequest) -> HttpResponse:
    """handler500: an outage of the database is told apart from a fault of ours."""
    if isinstance(sys.exc_info()[1], OperationalError):
        return away({"problem": shown.Problem("The database does not answer.")})
    return HttpResponse(render_to_string("ui/failed.html"), status=500)
