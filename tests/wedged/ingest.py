"""Ingest; in its first life a request with lines keeps its thread for ever."""

from ingest import progress
from tests.wedged import first_life, stand_still
from webapp.wsgi import application

__all__ = ["application"]

from ingest import views  # noqa: E402  # wants Django set up

progress.STUCK_SECONDS = 2.0

if first_life():
    views.accept = stand_still  # type: ignore[assignment]
