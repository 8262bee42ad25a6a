"""The ASGI entry: web, which also streams.

Django lets go of a view whose client has gone, but its thread would read on. So a client's going is heard
here, ends the SQL of its request, and is told to Django then.
"""

import asyncio
import os
from typing import Any

from django.core.asgi import get_asgi_application

from webapp import stacks
from webapp.local import children

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

children.end_with_parent()
stacks.on_signal()
django = get_asgi_application()

from webapp.logs.gone import CALLER, Caller  # noqa: E402  # wants Django set up


async def application(scope: Any, receive: Any, send: Any) -> None:
    caller = Caller()
    CALLER.set(caller)  # seen by all that this request starts: its task is its own

    async def heard() -> Any:
        message = await receive()
        if message["type"] == "http.disconnect":
            await asyncio.to_thread(caller.leave)
        return message

    await django(scope, heard, send)
