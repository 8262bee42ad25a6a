"""What tests of a challenge's parts stand on: the head of a run, and a server for as long as it is needed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import TypeVar

from webapp.challenge.journal import Head

RUN = "20261124T120000Z-0badcafe"
Server = TypeVar("Server", bound=ThreadingHTTPServer)


def head(seed: int = 1) -> Head:
    return Head(
        run=RUN,
        seed=seed,
        ingest_url="http://i",
        web_url="http://w",
        source="challenge",
        opened="2026-11-24T12:00:00Z",
    )


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
