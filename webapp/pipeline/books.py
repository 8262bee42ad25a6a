"""The admin's ledger: the balance of the last hours, and each difference with its age.

For staff, as the health page is: it shows how many lines every source sent, and none of them.
"""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from webapp.access.scope import ALL
from webapp.logs import accounts
from webapp.pipeline.looking import seen

SPANS = {"1h": "the last hour", "24h": "the last 24 hours", "7d": "the last 7 days"}
WAYS = ("source", "dialect", "minute")


def books(request: HttpRequest) -> HttpResponse:
    span = request.GET.get("span", "1h")
    by = request.GET.get("by", "source")
    span, by = span if span in SPANS else "1h", by if by in WAYS else "source"
    part = seen(lambda: accounts.account(f"now-{span}", "now", by, ALL))
    context = {
        **admin.site.each_context(request),
        "title": "Ledger",
        "part": part,
        "account": part.value,
        "span": span,
        "spans": SPANS,
        "by": by,
        "ways": WAYS,
        "looked": timezone.now(),
    }
    return render(request, "admin/pipeline/ledger.html", context)
