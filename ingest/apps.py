"""Ingest as a Django application; as a process it refuses to start on a broker that could lose lines."""

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class IngestConfig(AppConfig):
    name = "ingest"

    def ready(self) -> None:
        if not settings.INGESTING:
            return
        from ingest import stage  # needs the settings
        from ingest.errors import WeakBroker

        try:
            stage.refuse_weak_broker()
        except WeakBroker as error:
            raise ImproperlyConfigured(str(error)) from error
