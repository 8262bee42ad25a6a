#!/usr/bin/env python
"""Django's command line; `manage.py role NAME` starts any process of Logboom."""

import os
import sys

from django.core.management import execute_from_command_line

from webapp.local import installation

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    installation.adopt(sys.argv)
    if sys.argv[1:2] == ["role"]:  # which sets Django up itself, with what its own process needs
        from webapp import roles

        sys.exit(roles.main(sys.argv[2:]))
    execute_from_command_line(sys.argv)
