"""Processes that send entries of the quarantine again and end, without a word, at one named point.

As a life of a worker does (crashing.py): forked from a process that has imported everything, gone by
`os._exit`. Points are steps of `webapp.logs.replay.one`, in this order.
"""

import os
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections

import ingest.replay
from tests.crashing import Doom, Place, Point, ended, forking
from webapp.access.scope import ALL
from webapp.logs import replay
from webapp.settings import database

POINTS = (
    "after fetch",
    "after prepare",
    "before accept",  # it is noted that it begins
    "after keep",  # the broker has it; nobody is hinted, nothing is noted
    "before mark",
    "half mark",  # noted, perhaps: the answer is never read
    "after mark",
)


def press(place: Place, ids: Sequence[int], point: Point) -> int:
    """One order to send them again; the status of its process: 0 where it came to its end."""
    return ended(forking.Process(target=pressed, args=(place, ids, point)))


def pressed(place: Place, ids: Sequence[int], point: Point) -> None:
    settings.BROKER_URL, settings.DATABASE_URL = place.broker_url, place.database_url
    connections.settings["default"] = {**connections.settings["default"], **database(place.database_url)}
    connections["default"] = connections.create_connection("default")
    doom = Doom(point)
    doom.watch(replay, "fetch")
    doom.watch(replay, "mark", half=mark_unheard)
    for name in ("prepare", "accept", "keep"):
        doom.watch(ingest.replay, name)
    replay.replay(ids, ALL)
    os._exit(0)


def mark_unheard(
    mark: Callable[..., Any], conn: psycopg.Connection, held: replay.Held, batch: uuid.UUID, *_: Any
) -> None:
    statement = replay.MARK.replace("%s", "$1", 1).replace("%s", "$2", 1)
    conn.pgconn.send_query_params(statement.encode(), [str(batch).encode(), str(held.id).encode()])
    conn.pgconn.flush()
