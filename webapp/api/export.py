"""`GET /api/v1/logs/export`: every line of a search as a file, NDJSON or CSV, streamed page by page.

The first page is read before the answer begins, so a mistake has a status of its own. The last piece is a
marker that says whether the file is whole; without a marker, an export that fails breaks the connection.
When the client goes, so does the SQL. Nothing waits in memory but the page that is being sent.
"""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC
from typing import Any, cast

import msgspec
from django.db import close_old_connections
from django.http import StreamingHttpResponse
from rest_framework import exceptions
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from webapp.access.bearer import scope_of
from webapp.api import params, serializers
from webapp.api.problems import AWAY
from webapp.api.reading import Asked, both_ways, problems
from webapp.api.tail import Streams
from webapp.logs import times
from webapp.logs.errors import ReadError, StoreError
from webapp.logs.export import Export
from webapp.logs.gone import CALLER, Caller
from webapp.logs.lines import Line
from webapp.logs.search import Order

MOST_EXPORTS = 20
FIRST_MS = 500  # what the first page does not find in time, the stream does
THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="export")
COLUMNS = (
    "time", "severity", "severity_number", "service", "host", "message", "trace_id", "span_id", "source",
    "attributes", "flags", "observed", "received", "batch", "id",
)  # fmt: skip
# A cell that begins so is a formula to a spreadsheet: a line that anybody sent must not run on a desk.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Ndjson:
    media_type = "application/x-ndjson"
    head = b""

    def lines(self, page: list[Line]) -> bytes:
        return b"".join(msgspec.json.encode(line) + b"\n" for line in page)

    def end(self, marker: dict[str, Any]) -> bytes:
        return msgspec.json.encode(marker) + b"\n"


class Csv:
    media_type = "text/csv"

    @property
    def head(self) -> bytes:
        return written([list(COLUMNS)])

    def lines(self, page: list[Line]) -> bytes:
        return written([[harmless(cell(line, name)) for name in COLUMNS] for line in page])

    def end(self, marker: dict[str, Any]) -> bytes:
        """In the first cell of a row as wide as the others."""
        return written([[msgspec.json.encode(marker).decode(), *[""] * (len(COLUMNS) - 1)]])


def written(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def cell(line: Line, name: str) -> str:
    value: Any = getattr(line, name)
    if name == "attributes":
        return bytes(value).decode()
    if name == "flags":
        return " ".join(value)
    return "" if value is None else str(value)


def harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


FORMS: dict[str, Callable[[], Ndjson | Csv]] = {"ndjson": Ndjson, "csv": Csv}
STREAMS = Streams()


class TooMany(exceptions.APIException):
    """Transient: as many exports run as one process serves."""

    status_code = 503
    default_detail = f"{MOST_EXPORTS} exports run here already: try again later."


class Whatever(DefaultContentNegotiation):
    """`format` is a parameter of ours, and Accept is not asked: errors are JSON."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


EXPORTED = {(200, Ndjson.media_type): str, (200, Csv.media_type): str, **problems(410)}


@both_ways("export", "Every line of a search as a file", EXPORTED)
class ExportView(Asked):
    takes = serializers.ExportParams
    content_negotiation_class = Whatever

    def answer(self, request: Request, values: dict[str, Any]) -> StreamingHttpResponse:
        export = Export(params.ask(values), scope_of(request), cast(Order, values["order"]))
        if STREAMS.running >= MOST_EXPORTS:
            raise TooMany
        first, form = export.page(FIRST_MS), FORMS[values["format"]]()
        close_old_connections()  # the one that knew the reader: a stream would keep it to its end
        answer = StreamingHttpResponse(
            stream(export, form, first, end_marker=values["end_marker"]),
            content_type=f"{form.media_type}; charset=utf-8",
        )
        assert export.token is not None
        answer["Content-Disposition"] = f'attachment; filename="{file_name(export, values["format"])}"'
        answer["Cache-Control"] = "no-store"
        answer["X-Accel-Buffering"] = "no"  # a proxy that collects the answer would collect all of it
        return answer


def file_name(export: Export, suffix: str) -> str:
    assert export.token is not None
    at = times.to_datetime(export.token.time_us * 1000).astimezone(UTC)
    return f"logboom-{at:%Y%m%dT%H%M%SZ}.{suffix}"


async def stream(
    export: Export, form: Ndjson | Csv, page: list[Line], *, end_marker: bool
) -> AsyncIterator[bytes]:
    sent, failure = 0, ""
    caller = CALLER.get() or Caller()
    context = copy_context()
    context.run(CALLER.set, caller)
    with STREAMS.one():
        try:
            piece = form.head + form.lines(page)
            while True:
                if piece:  # an empty one would end a chunked answer
                    yield piece
                sent += len(page)
                if export.done:
                    break
                page, piece = await asyncio.get_running_loop().run_in_executor(
                    THREADS, context.run, next_of, export, form
                )
        except (ReadError, StoreError) as error:
            if not end_marker:
                raise
            failure = str(error) if isinstance(error, ReadError) else AWAY
        finally:
            # Not in THREADS: they may all be busy, one of them with what is to be stopped.
            await asyncio.to_thread(caller.leave)
        if end_marker:
            yield form.end(marker(export, sent, failure))


def next_of(export: Export, form: Ndjson | Csv) -> tuple[list[Line], bytes]:
    page = export.page()
    return page, form.lines(page)


def marker(export: Export, sent: int, failure: str) -> dict[str, Any]:
    assert export.token is not None
    told: dict[str, Any] = {"lines": sent, "complete": not failure, "as_of": export.token.encode()}
    return {"_end": {**told, "error": failure} if failure else told}
