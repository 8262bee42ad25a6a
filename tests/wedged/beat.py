"""`celery -A tests.wedged.beat beat`: its third tick never ends."""

import itertools

from celery.signals import before_task_publish

from tests.wedged import first_life, stand_still
from webapp import beat
from webapp.celery import app

__all__ = ["app"]

beat.SILENCE_SECONDS = 4.0
app.conf.beat_schedule = {"tick": {"task": "logs.publish_directory", "schedule": 1.0}}
ticks = itertools.count(1)
STOPPING = first_life()


@before_task_publish.connect
def tick(**_: object) -> None:
    if STOPPING and next(ticks) == 3:
        stand_still()
