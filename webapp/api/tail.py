"""`GET /api/v1/logs/tail`: lines as they are stored, as server-sent events or NDJSON.

The view is an ordinary one (authentication, parameters, errors); what it answers with is a stream that runs
on the event loop and asks the database from a few threads. Nothing waits in memory for a slow client: the
next step is taken when the last one was sent. One that falls behind for long gets a `gap` that says how many
lines it was spared. Every stream ends after some minutes, behind any line, and is taken up by
`Last-Event-ID`: so a right that was withdrawn, or a server that is replaced, is noticed by itself.
"""

import asyncio
import contextlib
import contextvars
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
from django.db import close_old_connections
from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from webapp.access.bearer import MayRead, scope_of
from webapp.access.scope import Scope
from webapp.api import params
from webapp.api.serializers import several, text
from webapp.logs import arrivals, times
from webapp.logs.arrivals import Cursor, Gap, Step
from webapp.logs.asking import Ask, Prepared, prepared
from webapp.logs.errors import ReadError, StoreError

LOOK_SECONDS = 0.3  # between two looks while nothing arrives
STATUS_SECONDS = 1.0
STREAM_SECONDS = 300.0
BEHIND = timedelta(seconds=30)
MOST_STREAMS = 200
THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="tail")

Result = TypeVar("Result")
Form = Callable[[str, str, bytes], bytes]  # kind, place, JSON -> what is sent


def as_event(kind: str, place: str, data: bytes) -> bytes:
    where = f"id: {place}\n".encode() if place else b""
    return b"event: " + kind.encode() + b"\n" + where + b"data: " + data + b"\n\n"


def as_ndjson(kind: str, place: str, data: bytes) -> bytes:
    return b'{"event":"%s","cursor":"%s","data":%s}\n' % (kind.encode(), place.encode(), data)


FORMS: dict[str, Form] = {"text/event-stream": as_event, "application/x-ndjson": as_ndjson}


class TooMany(exceptions.APIException):
    """Transient: as many streams run as one process serves."""

    status_code = 503
    default_detail = f"{MOST_STREAMS} tails run here already: try again later."


class Events(JSONRenderer):
    """Errors are JSON whatever was accepted; the stream renders itself."""

    media_type = "text/event-stream"
    format = "events"


class Ndjson(JSONRenderer):
    media_type = "application/x-ndjson"
    format = "ndjson"


class TailParams(serializers.Serializer[Any]):
    q = text("The query, see docs/searching.md. Empty: every line.")
    tz = text("IANA name of the zone for times without one.", default="UTC")
    # DRF takes declared fields off the class, so its own `source` stays what it is.
    source = several("Only lines of this source; several: of any of them.")  # type: ignore[assignment]
    service = several("Only lines of this service; several: of any of them.")
    severity = several("error, >=warn, 17; several: any of them.")
    cursor = text("The id of an event, or an as_of: what has arrived since. Without it: from now on.")


class TailView(APIView):
    permission_classes = [IsAuthenticated, MayRead]
    renderer_classes = [Events, Ndjson]

    @extend_schema(
        operation_id="tail",
        summary="Lines as they are stored",
        tags=["logs"],
        parameters=[TailParams],
        responses={(200, "text/event-stream"): str, (200, "application/x-ndjson"): str},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        values = params.read(request, TailParams)
        ask = Ask(
            q=values["q"],
            tz=values["tz"],
            sources=tuple(values["source"]),
            services=tuple(values["service"]),
            severities=tuple(values["severity"]),
        )
        ready, scope = prepared(ask), scope_of(request)
        if STREAMS.running >= MOST_STREAMS:
            raise TooMany
        # A browser that reconnects sends its old address and, in the header, how far it came.
        place = request.headers.get("Last-Event-ID") or values["cursor"]
        cursor = arrivals.parse(place) if place else arrivals.now(ask, scope, ready)
        kind = request.accepted_renderer.media_type
        follower = Follower(ask, scope, ready, cursor, FORMS[kind])
        close_old_connections()  # the one that knew the reader: a stream would keep it for minutes
        answer = StreamingHttpResponse(
            follower.stream(follower.look()), content_type=f"{kind}; charset=utf-8"
        )
        answer["Cache-Control"] = "no-store"
        answer["X-Accel-Buffering"] = "no"  # a proxy that collects the answer would show nothing for minutes
        return answer


@dataclass
class Streams:
    """How many run in this process; changed on the event loop and in views, so only by these two."""

    running: int = 0

    @contextlib.contextmanager
    def one(self) -> Any:
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1


STREAMS = Streams()


@dataclass
class Follower:
    """One client: what it asked, how far it has come, and how it is told."""

    ask: Ask
    scope: Scope
    ready: Prepared
    cursor: Cursor
    form: Form
    caught_up: bool = False
    sent: int = 0  # lines since the last status

    async def stream(self, step: Step) -> AsyncIterator[bytes]:
        """`step` is the first, taken before the answer began: a bad cursor has a status of its own."""
        with STREAMS.one():
            ends, said = time.monotonic() + STREAM_SECONDS, time.monotonic()
            try:
                while time.monotonic() < ends:
                    self.cursor, self.sent = step.cursor, self.sent + len(step.lines)
                    if step.lines:  # an empty piece would end a chunked answer
                        yield b"".join(self.told(step))
                    if (passed := time.monotonic() - said) >= STATUS_SECONDS:
                        said = time.monotonic()
                        yield self.status(passed, step)
                    if self.too_slow(step):
                        yield self.gap(await in_thread(self.leap))
                    elif not step.more:
                        await asyncio.sleep(LOOK_SECONDS)
                    step = await in_thread(self.look)
            except (ReadError, StoreError) as error:
                # The client comes back with its cursor, and is then answered with the right status.
                yield self.tell("error", {"detail": str(error)})

    def look(self) -> Step:
        return arrivals.step(self.ask, self.scope, self.ready, self.cursor)

    def leap(self) -> Gap:
        return arrivals.leap(self.ask, self.scope, self.ready, self.cursor)

    def too_slow(self, step: Step) -> bool:
        """Only one that had caught up: whoever comes back after an hour is given all of it."""
        self.caught_up = self.caught_up or not step.more
        return self.caught_up and step.behind > BEHIND

    def told(self, step: Step) -> Iterable[bytes]:
        for line, place in zip(step.lines, step.cursors, strict=True):
            yield self.form("line", place, msgspec.json.encode(line))

    def status(self, seconds: float, step: Step) -> bytes:
        rate, self.sent = self.sent / seconds, 0
        return self.tell(
            "status", {"rate": round(rate, 1), "lag_ms": int(step.behind.total_seconds() * 1000)}
        )

    def gap(self, gap: Gap) -> bytes:
        self.cursor = gap.cursor
        since, until = (times.rfc3339(times.nanoseconds(at)) for at in (gap.since, gap.until))
        return self.tell("gap", {"from": since, "to": until, "lines": gap.lines})

    def tell(self, kind: str, data: dict[str, Any]) -> bytes:
        return self.form(kind, self.cursor.encode(), msgspec.json.encode(data))


async def in_thread(work: Callable[[], Result]) -> Result:
    """With the context: there is who may go away meanwhile (webapp/logs/gone.py)."""
    return await asyncio.get_running_loop().run_in_executor(THREADS, contextvars.copy_context().run, work)
