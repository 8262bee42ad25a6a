"""HTTP glue of the ingest port: arguments in, `accept`, answer out."""

import functools
from contextlib import suppress
from http import HTTPStatus

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

from ingest import bodies, problems, stage
from ingest.accept import Receipt, Sent, accept
from ingest.errors import BadBody, IngestError, NoThreads, Transient
from ingest.gate import Gate
from ingest.record import Reject
from ingest.slowness import Slowness

MOST_LISTED = 1000  # refused lines in one answer
HEARD_OUT = 4  # times the bound of a body; a larger one meets a closed connection
STRANGERS_BYTES = 1024 * 1024  # read from a sender that may not send, so that it hears why

REQUESTS = Counter("logboom_ingest_requests_total", "Requests with lines, by what they were told", ["code"])
REFUSED = Counter(
    "logboom_ingest_refused_total", "Requests refused with nothing wrong about them, by reason", ["reason"]
)
SECONDS = Histogram("logboom_ingest_request_seconds", "From the request's head to its answer")


def logs(request: HttpRequest) -> HttpResponse:
    """POST /api/v1/logs"""
    if request.method != "POST":
        return problems.wrong_method(request, "POST")
    try:
        with gate_of_settings().place(), SECONDS.time():
            return take(request)
    except NoThreads as error:  # not heard out: that would take one more thread
        tell(error)
        return problems.refusal(request, error)


@functools.cache
def gate_of_settings() -> Gate:
    return Gate(settings.INGEST_THREADS, Slowness(settings.SLOW_SECONDS).cut)


def take(request: HttpRequest) -> HttpResponse:
    asked = sent(request)
    try:
        receipt = accept(stage.of_settings(), asked)
    except IngestError as error:
        tell(error)
        hear_out(request, asked, error)
        return problems.refusal(request, error)
    REQUESTS.labels("accepted" if receipt.accepted else "nothing_good").inc()
    return answer(request, receipt)


def tell(error: IngestError) -> None:
    REQUESTS.labels(error.code).inc()
    if isinstance(error, Transient):
        REFUSED.labels(error.reason).inc()


def sent(request: HttpRequest) -> Sent:
    given = request.META  # request.headers would first go through every variable of the environment
    key = given.get("HTTP_IDEMPOTENCY_KEY")
    return Sent(
        authorization=given.get("HTTP_AUTHORIZATION", ""),
        content_type=given.get("CONTENT_TYPE", ""),
        encoding=given.get("HTTP_CONTENT_ENCODING", ""),
        key=None if key is None else key.encode("latin-1", "replace"),
        length=None if bodies.UNANNOUNCED in given else length(given.get("CONTENT_LENGTH") or ""),
        stream=Stream(request),
    )


def hear_out(request: HttpRequest, asked: Sent, error: IngestError) -> None:
    """Not if the sender waits for a word before it sends the body, and not at length for a stranger."""
    if "Expect" in request.headers:
        return
    stranger = error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    most = STRANGERS_BYTES if stranger else HEARD_OUT * settings.MAX_WIRE_BYTES
    with suppress(BadBody):
        bodies.drain(asked.stream, asked.length, most)


def length(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0


class Stream:
    """The body; a sender that hangs up half-way has sent a bad one."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def read(self, size: int) -> bytes:
        try:
            return self.request.read(size)
        except UnreadablePostError as error:
            raise BadBody(f"the body broke off: {error}") from error


def answer(request: HttpRequest, receipt: Receipt) -> HttpResponse:
    listed: dict[str, object] = {"rejected": [line(reject) for reject in receipt.rejects[:MOST_LISTED]]}
    if len(receipt.rejects) > MOST_LISTED:
        listed["rejected_total"] = len(receipt.rejects)
    batch = str(receipt.batch)
    if not receipt.accepted:
        detail = "No line of the body could be taken; all of them rest in quarantine."
        return problems.problem(request, 400, "nothing_good", detail, batch=batch, accepted=0, **listed)
    document = {"batch": batch, "accepted": receipt.accepted, **listed, "duplicate": receipt.duplicate}
    return HttpResponse(
        msgspec.json.encode(document),
        status=202,
        content_type="application/json",
        headers={"Location": f"{settings.PUBLIC_URL}/api/v1/batches/{batch}"},
    )


def line(reject: Reject) -> dict[str, object]:
    return {"line": reject.line, "reason": reject.reason, "detail": reject.detail}


def alive(request: HttpRequest) -> HttpResponse:
    """Neither broker nor database enters into it: an ingest out of service keeps nobody's lines."""
    if request.method not in ("GET", "HEAD"):
        return problems.wrong_method(request, "GET")
    return HttpResponse("ok\n", content_type="text/plain")


def metrics(request: HttpRequest) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return problems.wrong_method(request, "GET")
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
