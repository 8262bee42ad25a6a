"""Addresses of the plain pages."""

from django.urls import path

from webapp.ui import views

urlpatterns = [
    path("", views.search, name="search"),
    path("line/<str:line_id>/", views.line, name="line"),
]
