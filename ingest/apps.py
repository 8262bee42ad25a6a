"""Ingest as a Django application; as a process it refuses to start on a broker that could lose lines."""

from django.apps import AppConfig
from django.conf import settings
from django.core.cache import close_caches
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries


class IngestConfig(AppConfig):
    name = "ingest"

    def ready(self) -> None:
        if not settings.INGESTING:
            return
        from ingest import stage  # needs the settings
        from ingest.errors import WeakBroker

        # Django's care for databases and caches, neither of which is here, at every request.
        request_started.disconnect(reset_queries)
        request_started.disconnect(close_old_connections)
        request_finished.disconnect(close_old_connections)
        request_finished.disconnect(close_caches)
        try:
            stage.refuse_weak_broker()
        except WeakBroker as error:
            raise ImproperlyConfigured(str(error)) from error
