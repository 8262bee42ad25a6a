"""Beat's health: alive while its schedule ticks. Each few seconds' ticks are told in the broker too.

A tick is seen where a task is about to be published, every five seconds by the schedule. Beat waits inside a
tick for a broker that is away; that is not death, and a restart would not bring the broker back, so silence
counts only while the broker answers.
"""

import contextlib
import socket
import time
from typing import Any

import redis
from celery.signals import before_task_publish
from django.conf import settings
from prometheus_client import Gauge

import webapp
from ingest.broker import connect
from ingest.errors import IngestError
from webapp import health, heartbeat

SILENCE_SECONDS = 60.0
TICK = Gauge("logboom_beat_tick_seconds", "When beat's schedule was last seen to move, seconds since 1970")


class Pulse:
    """When the schedule was last seen to move."""

    def __init__(self) -> None:
        self.at = time.monotonic()

    def beat(self, **_: Any) -> None:
        self.at = time.monotonic()
        TICK.set_to_current_time()

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


class Telling:
    """A tick becomes a heartbeat in the broker, where the admin reads it."""

    def __init__(self) -> None:
        self._client = connect(settings.BROKER_URL, timeout=1.0)
        self._started_ms = time.time_ns() // 1_000_000
        self._told = float("-inf")

    def tell(self, **_: Any) -> None:
        if time.monotonic() - self._told < heartbeat.EVERY_SECONDS - 1:
            return
        self._told = time.monotonic()
        mine = heartbeat.Heartbeat("beat", "beat", socket.gethostname(), webapp.__version__, self._started_ms)
        with contextlib.suppress(IngestError):  # beat will be as unable to publish, and say so
            heartbeat.tell(self._client, mine)


def start() -> None:
    before_task_publish.connect(Telling().tell, weak=False)
    if settings.HEALTH_PORT:
        before_task_publish.connect(pulse.beat, weak=False)
        health.serve(settings.HEALTH_BIND, settings.HEALTH_PORT, pulse.alive, lambda: True)
