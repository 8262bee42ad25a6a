"""The sender's side of the wire: where to send, one keep-alive connection, and patience with a bound.

A body is sent with one idempotency key until it is answered, so a try whose answer was lost is recognised and
never stored twice. Only what may pass by itself is tried again (no connection, 408, 429, 5xx), after the
server's own Retry-After or a growing, jittered pause, and only for `patience` seconds.
"""

import email.utils
import http.client
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_SECONDS = 40.0  # ingest may hold a request for 10 s while the broker restarts
PATIENCE_SECONDS = 300.0
LONGEST_PAUSE = 60.0
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
BROKEN = (OSError, http.client.HTTPException)


class ClientError(Exception):
    """The base: one sentence for a person."""


class NoTarget(ClientError):
    """Permanent: nothing says where to send or with which token."""


class Refused(ClientError):
    """Permanent: the server answered, and will answer the same again."""

    def __init__(self, status: int, detail: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{detail} ({status})")
        self.status = status
        self.problem = problem or {}


class Unreachable(ClientError):
    """Transient: no good answer came before the patience ran out."""


@dataclass(frozen=True)
class Target:
    url: str
    token: str


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class Rejected(msgspec.Struct, frozen=True):
    line: int
    reason: str


class Answer(msgspec.Struct, frozen=True):
    """What a POST of lines is answered with."""

    batch: str = ""
    accepted: int = 0
    rejected: list[Rejected] = []
    duplicate: bool = False


def find_target(
    kind: Literal["ingest", "read"],
    url: str | None,
    token: str | None,
    environ: Mapping[str, str] = os.environ,
) -> Target:
    """What was given, else LOGBOOM_URL and LOGBOOM_TOKEN, else what `make up` started here."""
    local = local_installation(environ)
    if not (url := url or environ.get("LOGBOOM_URL")):
        url = local.get("ingest_url" if kind == "ingest" else "web_url")
    if not (token := token or given_token(environ)):
        token = local.get(f"{kind}_token")
    if not url or not token:
        raise NoTarget("no server given: use --url and --token, LOGBOOM_URL and LOGBOOM_TOKEN, or `make up`.")
    if not url.startswith(("http://", "https://")):
        raise NoTarget(f"{url!r} is no http:// or https:// address.")
    return Target(url.rstrip("/"), token)


def given_token(environ: Mapping[str, str]) -> str | None:
    """LOGBOOM_TOKEN, or what LOGBOOM_TOKEN_FILE holds: containers are handed secrets as files."""
    if not (path := environ.get("LOGBOOM_TOKEN_FILE")):
        return environ.get("LOGBOOM_TOKEN")
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise NoTarget(f"LOGBOOM_TOKEN_FILE={path}: cannot be read ({error.strerror}).") from error


def local_installation(environ: Mapping[str, str]) -> dict[str, Any]:
    path = Path(environ.get("VAR_DIR", ROOT / "var")) / "up.json"
    try:
        known: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):  # not there, not ours to read, or being written: the same as none
        return {}
    return known


@dataclass
class Connection:
    """One keep-alive connection that opens itself again; not for use by two threads."""

    target: Target
    timeout: float = TIMEOUT_SECONDS
    _open: http.client.HTTPConnection | None = field(default=None, init=False)

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        """One try. A connection that the server closed while it idled is replaced once, unseen."""
        reused = self._open is not None
        try:
            return self._exchange(method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            if not reused:
                raise
        try:
            return self._exchange(method, path, body, headers)
        except BROKEN:
            self.close()
            raise

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """One try, with the whole answer read; raises OSError or HTTPException when there was none."""
        try:
            answer = self.send(method, path, body, headers or {})
            content = answer.read()
        except BROKEN:
            self.close()
            raise
        return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, content)

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        parts = urlsplit(self.target.url)
        if self._open is None:
            secure = parts.scheme == "https"
            kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            self._open = kind(parts.hostname or "", parts.port, timeout=self.timeout)
        authorized = {"Authorization": f"Bearer {self.target.token}", **headers}
        self._open.request(method, parts.path + path, body, authorized)
        return self._open.getresponse()

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def seconds_asked(retry_after: str | None, now: float) -> float | None:
    """Retry-After in either of its forms, seconds or a date; None for anything else."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - now)
    except ValueError:
        return None


def pause(attempt: int, asked: float | None, chance: float) -> float:
    """How long to wait before try `attempt` + 1; `chance` (0 to 1) spreads senders that failed together."""
    if asked is not None:
        return min(LONGEST_PAUSE, asked * (1 + 0.1 * chance))
    return float(min(LONGEST_PAUSE, 0.2 * 2 ** min(attempt, 10) * (0.5 + chance)))


def problem_of(response: Response) -> dict[str, Any]:
    """The RFC 9457 body, or an empty one where a proxy answered in its own words."""
    try:
        problem = json.loads(response.body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def refusal(response: Response) -> Refused:
    problem = problem_of(response)
    detail = problem.get("detail") or problem.get("title") or http.client.responses.get(response.status, "")
    return Refused(response.status, str(detail), problem)


@dataclass
class Sender:
    """Posts bodies of lines, one at a time, each until it is answered for good."""

    target: Target
    patience: float = PATIENCE_SECONDS
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    on_wait: Callable[[float, str], None] = lambda seconds, why: None
    path: str = "/api/v1/logs"

    def __post_init__(self) -> None:
        self.connection = Connection(self.target)

    def post(self, body: bytes, key: str, content_type: str = "application/x-ndjson") -> Answer:
        """Raises Refused, or Unreachable once the patience ran out."""
        headers = {"Content-Type": content_type, "Idempotency-Key": key}
        deadline = self.clock() + self.patience
        attempt = 0
        while True:
            try:
                response = self.connection.request("POST", self.path, body, headers)
            except BROKEN as error:
                why, asked = f"{self.target.url} does not answer: {error or type(error).__name__}", None
            else:
                if response.status < 300:
                    return msgspec.json.decode(response.body, type=Answer)
                if response.status not in TRANSIENT:
                    raise refusal(response)
                why = str(refusal(response))
                asked = seconds_asked(response.headers.get("retry-after"), time.time())
            wait = pause(attempt, asked, random.random())
            if self.clock() + wait > deadline:
                raise Unreachable(why)
            self.on_wait(wait, why)
            self.sleep(wait)
            attempt += 1

    def close(self) -> None:
        self.connection.close()
