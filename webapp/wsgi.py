"""The WSGI entry: ingest."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

from ingest.bodies import dechunked  # noqa: E402  (settings first)
from webapp.local import children  # noqa: E402

children.end_with_parent()
application = dechunked(get_wsgi_application())
