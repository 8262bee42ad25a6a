"""The stored lines: tables, search, and their read-only face in the admin."""

from django.apps import AppConfig


class LogsConfig(AppConfig):
    name = "webapp.logs"
    label = "logs"
    verbose_name = "Logs"
