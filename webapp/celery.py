"""The Celery application of worker, beat and Flower. Messages carry no data: a lost one costs a second."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init

from webapp import stacks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
# Celery would run every system check at a worker's start, and load the whole web with its URLs for it.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("logboom")
app.config_from_object("django.conf:settings", namespace="CELERY")
stacks.on_signal()  # a worker says so again once it runs: Celery has a handler of its own there


@beat_init.connect
def watch_beat(**_: Any) -> None:
    """Beat's probes; settings are not to be read before this process knows its role."""
    from webapp import beat

    beat.start()
