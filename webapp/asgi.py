"""The ASGI entry: web, which also streams."""

import os

from django.core.asgi import get_asgi_application

from webapp.local import children

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

children.end_with_parent()
application = get_asgi_application()
