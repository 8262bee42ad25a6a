"""The WSGI entry: ingest."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

from ingest.bodies import dechunked  # noqa: E402  (settings first)

application = dechunked(get_wsgi_application())
