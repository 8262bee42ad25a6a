"""The WSGI entry: ingest."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

from django.conf import settings  # noqa: E402  (settings first)

from ingest.bodies import dechunked  # noqa: E402
from ingest.progress import Progress  # noqa: E402
from webapp import stacks  # noqa: E402
from webapp.local import children  # noqa: E402

children.end_with_parent()
stacks.on_signal()
application = Progress(settings.INGEST_THREADS).watched(dechunked(get_wsgi_application()))
