"""Who may send and who may read: sources, tokens, grants."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "webapp.access"
    label = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        from webapp.access import publish as publish  # it listens to changes; models are there only now
