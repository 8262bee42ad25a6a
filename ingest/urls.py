"""What the ingest port answers."""

from django.urls import path

from ingest import problems, views

urlpatterns = [
    path("api/v1/logs", views.logs),
    path("logs", views.logs),
    path("livez", views.alive),
    path("readyz", views.alive),
    path("metrics", views.metrics),
]
handler404 = problems.not_found
handler500 = problems.server_error
