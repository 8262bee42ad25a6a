"""The wake-up: one Celery message that says "something is due", and nothing else.

A lost hint costs a second, for every worker asks the buffer once a second whether one is missing. So sending
is tried once, within short bounds, and a failure is counted and never raised: the batch is already durable.
The Celery application here is a bare producer: it knows no tasks, no results and no Django.
"""

import functools
import logging

from celery import Celery
from kombu.exceptions import KombuError
from prometheus_client import Counter
from redis.exceptions import RedisError

TASK = "logs.store_group"
QUEUE = "ingest"
SECONDS = 1.0  # for each step of a send: connect, write, answer

HINTS = Counter("logboom_hints_total", "Wake-ups sent to the workers, by outcome", ["outcome"])
SENT, FAILED = HINTS.labels("sent"), HINTS.labels("failed")

logger = logging.getLogger(__name__)


@functools.cache
def producer(broker_url: str) -> Celery:
    """One a process and broker; its connections are pooled and shared by the threads."""
    app = Celery("logboom-hint", broker=broker_url, set_as_current=False, fixups=[])
    app.conf.update(
        task_publish_retry=False,
        task_ignore_result=True,
        broker_pool_acquire_timeout=SECONDS,
        broker_connection_timeout=SECONDS,
        broker_transport_options={
            "max_retries": 0,  # without it kombu goes on connecting for ever, inside the request
            "socket_timeout": SECONDS,
            "socket_connect_timeout": SECONDS,
            "socket_keepalive": True,
            "health_check_interval": 15,
        },
    )
    return app


def send(broker_url: str) -> bool:
    """Whether the hint is out; the caller has nothing to do when it is not."""
    try:
        producer(broker_url).send_task(TASK, queue=QUEUE, ignore_result=True, retry=False)
    except (KombuError, RedisError, OSError) as error:
        FAILED.inc()
        logger.warning("a hint was not sent (the ticker sends another within a second): %s", error)
        return False
    SENT.inc()
    return True
