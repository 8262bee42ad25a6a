"""The web; in its first life /wedge stops the event loop."""

from typing import Any

from tests.wedged import first_life, stand_still
from webapp.asgi import application as real

STOPPING = first_life()


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/wedge" and STOPPING:
        stand_still()
    await real(scope, receive, send)
