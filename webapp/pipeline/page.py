"""The admin's index, with the pipeline's health above what it always shows. For staff, as all of the admin.

It refreshes by a meta element when asked to (`?refresh=10`): no script is needed, and it stops by a link.
"""

from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from webapp.pipeline import chart, looking

REFRESH_SECONDS = 10


def index(request: HttpRequest) -> HttpResponse:
    refreshing = request.GET.get("refresh") == str(REFRESH_SECONDS)
    return admin.site.index(
        request,
        {
            "title": "Pipeline",
            "pipeline": looking.page(),
            "looked": timezone.now(),
            "chart": {"width": chart.WIDTH, "height": chart.HEIGHT},
            "refreshing": refreshing,
            "refresh_seconds": REFRESH_SECONDS,
            "refresh_link": f"?{urlencode({'refresh': REFRESH_SECONDS})}",
            "quarantine_link": reverse("admin:logs_quarantine_changelist"),
        },
    )
