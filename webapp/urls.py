"""The web's addresses. The ingest port has its own: ingest/urls.py."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from django.views.generic import RedirectView

from webapp import flower
from webapp.pipeline.books import books
from webapp.pipeline.page import index
from webapp.pipeline.runbooks import runbook, runbooks
from webapp.ui.login import Login
from webapp.ui.misdirected import ingest_elsewhere

admin.site.site_header = admin.site.site_title = "Logboom"
admin.site.index_title = "Administration"
handler500 = "webapp.ui.views.failed"

urlpatterns = [
    path("", include("webapp.ui.urls")),
    path("", include("webapp.api.urls")),
    path("logs", ingest_elsewhere, name="ingest-elsewhere"),
    path("api/v1/logs", ingest_elsewhere),
    path("login/", Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("flower/", flower.proxy, {"path": ""}, name="flower"),
    path("flower/<path:path>", flower.proxy, name="flower-page"),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}ui/icon.svg")),
    path("admin/login/", RedirectView.as_view(pattern_name="login", query_string=True)),
    path("admin/", admin.site.admin_view(index)),
    path("admin/ledger/", admin.site.admin_view(books), name="ledger"),
    path("admin/runbooks/", admin.site.admin_view(runbooks), name="runbooks"),
    path("admin/runbooks/<slug:name>/", admin.site.admin_view(runbook), name="runbook"),
    path("admin/", admin.site.urls),
]
