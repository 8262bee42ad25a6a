"""/livez, /readyz and /metrics of every role.

In the web they are a middleware that answers before host names, redirects and sessions are looked at: a probe
carries the pod's address as Host. Web is ready when it can serve; neither broker nor database enters into it,
for a web that is taken out of service because PostgreSQL is away can no longer say that PostgreSQL is away.
Worker and beat have no web server: `serve` gives them a small one in a thread.
"""

import socket
import threading
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from webapp import metrics

Check = Callable[[], bool]
Answer = tuple[int, str, bytes]  # status, content type, body

PLAIN = "text/plain; charset=utf-8"
READ_SECONDS = 5.0  # a prober that connects and says nothing holds its thread no longer


def yes() -> bool:
    return True


def answer(path: str, live: Check = yes, ready: Check = yes) -> Answer | None:
    """What a probe of this path hears; None where the path is no probe."""
    if path == "/livez":
        return verdict(live())
    if path == "/readyz":
        return verdict(ready())
    if path == "/metrics":
        return 200, metrics.CONTENT_TYPE, metrics.exposition()
    return None


def verdict(good: bool) -> Answer:
    return (200, PLAIN, b"ok\n") if good else (503, PLAIN, b"not now\n")


@sync_and_async_middleware
def probes(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Any:
    """Middleware: answers the three paths itself and hands everything else on."""
    if iscoroutinefunction(get_response):
        onward = cast(Callable[[HttpRequest], Awaitable[HttpResponseBase]], get_response)

        async def later(request: HttpRequest) -> HttpResponseBase:
            return probe_response(request) or await onward(request)

        return later

    def now(request: HttpRequest) -> HttpResponseBase:
        return probe_response(request) or get_response(request)

    return now


def probe_response(request: HttpRequest) -> HttpResponse | None:
    said = answer(request.path_info)
    if said is None:
        return None
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    status, kind, body = said
    return HttpResponse(body, status=status, content_type=kind)


def serve(bind: str, port: int, live: Check, ready: Check) -> ThreadingHTTPServer:
    """Answer probes from a daemon thread until the process ends or the server is shut down.

    `live` and `ready` are called from that thread, on every probe: they must be quick and must not block.
    """
    server = Server(bind, port, prober(live, ready))
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, bind: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        super().__init__((bind, port), handler)


def prober(live: Check, ready: Check) -> type[BaseHTTPRequestHandler]:
    class Prober(BaseHTTPRequestHandler):
        timeout = READ_SECONDS

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            status, kind, body = answer(path, live, ready) or (404, PLAIN, b"no such probe\n")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """A probe every few seconds is no news."""

    return Prober
