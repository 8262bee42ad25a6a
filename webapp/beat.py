"""Beat's health: alive while its schedule ticks.

A tick is seen where a task is about to be published, every five seconds by the schedule. Beat waits inside a
tick for a broker that is away; that is not death, and a restart would not bring the broker back, so silence
counts only while the broker answers.
"""

import time
from typing import Any

import redis
from celery.signals import before_task_publish
from django.conf import settings

from webapp import health

SILENCE_SECONDS = 60.0


class Pulse:
    """When the schedule was last seen to move."""

    def __init__(self) -> None:
        self.at = time.monotonic()

    def beat(self, **_: Any) -> None:
        self.at = time.monotonic()

    def alive(self) -> bool:
        return time.monotonic() - self.at < SILENCE_SECONDS or not broker_answers()


pulse = Pulse()


def broker_answers() -> bool:
    client = redis.Redis.from_url(settings.BROKER_URL, socket_timeout=1, socket_connect_timeout=1)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def start() -> None:
    if settings.HEALTH_PORT:
        before_task_publish.connect(pulse.beat, weak=False)
        health.serve(settings.HEALTH_BIND, settings.HEALTH_PORT, pulse.alive, lambda: True)
