"""The page that starts the explorer: the built script, its styles, and what it must know before it asks.

The bundle is made by `make up`, or lies in the image (webapp/local/bundle.py). Without it the address shows
the plain search, which says so.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

import webapp
from webapp.access.models import preferences_of
from webapp.ui import views

SCRIPT = settings.STATIC_ROOT / "explorer" / "explorer.js"
UNBUILT = "This is the plain page: the explorer is not built here. `make up` builds it, or says why not."


@require_safe
@login_required
def explorer(request: HttpRequest) -> HttpResponse:
    if not SCRIPT.exists():
        return views.search(request, UNBUILT)
    kept = preferences(request)
    theme = kept.get("theme", "")
    context = {"boot": boot(request, kept), "theme": theme if theme in ("light", "dark") else ""}
    return render(request, "ui/explorer.html", context)


def boot(request: HttpRequest, kept: dict[str, Any]) -> dict[str, Any]:
    staff = bool(getattr(request.user, "is_staff", False))
    return {
        "csrf": get_token(request),
        "version": webapp.__version__,
        "user": {"username": request.user.get_username(), "staff": staff},
        "preferences": kept,
        "ingest_url": settings.INGEST_PUBLIC_URL,
        "flower_url": reverse("flower") if staff else "",
        "admin_url": reverse("admin:index") if staff else "",
        "ledger_url": reverse("ledger") if staff else "",
        "api_docs_url": reverse("api-docs"),
        "plain_url": reverse("plain"),
        "login_url": settings.LOGIN_URL,
        "logout_url": reverse("logout"),
    }


def preferences(request: HttpRequest) -> dict[str, Any]:
    return preferences_of(request.user.pk)
