"""Addresses of the explorer and of the plain pages."""

from django.urls import path

from webapp.ui import shell, views

urlpatterns = [
    path("", shell.explorer, name="search"),
    path("plain/", views.search, name="plain"),
    path("line/<str:line_id>/", views.line, name="line"),
]
