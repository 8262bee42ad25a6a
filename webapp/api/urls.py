"""Addresses of the REST API."""

from django.urls import path, re_path

from webapp.api import (
    explain,
    export,
    facets,
    fields,
    ledger,
    me,
    openapi,
    parse,
    quarantine,
    status,
    suggest,
    tail,
    tokens,
    views,
)

urlpatterns = [
    path("api/v1/logs/search", views.Search.as_view(), name="api-search"),
    path("api/v1/logs/histogram", views.Histogram.as_view(), name="api-histogram"),
    path("api/v1/logs/facets", facets.Facets.as_view(), name="api-facets"),
    path("api/v1/logs/summary", facets.Summary.as_view(), name="api-summary"),
    path("api/v1/logs/export", export.ExportView.as_view(), name="api-export"),
    path("api/v1/logs/tail", tail.TailView.as_view(), name="api-tail"),
    path("api/v1/logs/explain", explain.Explain.as_view(), name="api-explain"),
    path("api/v1/logs/parse", parse.Parse.as_view(), name="api-parse"),
    path("api/v1/logs/fields", fields.Fields.as_view(), name="api-fields"),
    path("api/v1/logs/fields/<path:name>/stats", fields.Stats.as_view(), name="api-stats"),
    path("api/v1/logs/suggest", suggest.Suggest.as_view(), name="api-suggest"),
    path("api/v1/logs/<str:id>", views.OneLine.as_view(), name="api-line"),
    path("api/v1/logs/<str:id>/context", views.Context.as_view(), name="api-context"),
    path("api/v1/status", status.StatusView.as_view(), name="api-status"),
    path("api/v1/ledger", ledger.LedgerView.as_view(), name="api-ledger"),
    path("api/v1/me", me.MeView.as_view(), name="api-me"),
    path("api/v1/tokens", tokens.Tokens.as_view(), name="api-tokens"),
    path("api/v1/quarantine", quarantine.Quarantine.as_view(), name="api-quarantine"),
    path("api/v1/quarantine/replay", quarantine.Replay.as_view(), name="api-replay"),
    path("api/v1/quarantine/<int:id>", quarantine.OneEntry.as_view(), name="api-quarantine-entry"),
    path("api/v1/batches/<uuid:batch>", views.Receipt.as_view(), name="api-receipt"),
    path("api/schema/", openapi.schema, name="api-schema"),
    path("api/docs/", openapi.docs, name="api-docs"),
    path("logs/search", views.SearchAlias.as_view(), name="logs-search"),
    # Sending has an answer of its own in webapp.urls: it goes to another port.
    re_path(r"^api/(?!v1/logs/?$)", views.Nowhere.as_view()),
]
