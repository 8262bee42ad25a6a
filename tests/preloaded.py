"""What the fork server imports before it forks: everything a life needs, and no thread or connection yet.

A process forked from there is at work after some milliseconds; one that imported all of this itself would
take a second.
"""

import django

django.setup()

import tests.crashing  # noqa: E402, F401
import tests.replaying  # noqa: E402, F401
