"""What ingest can answer instead of 2xx: one small tree, each error permanent or transient.

Transient: the same request may succeed later, so the answer carries Retry-After and agents try again.
Permanent: it never will, so agents must not. `code` is the machine's word in the problem document, `status`
the HTTP answer, and the exception's text the sentence for a person.
"""

from typing import ClassVar


class IngestError(Exception):
    """Every refusal; `retry_after` is in whole seconds, None where trying again cannot help."""

    code: ClassVar[str] = "ingest_error"
    status: ClassVar[int] = 500

    def __init__(self, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class Transient(IngestError):
    """Nothing is wrong with the request."""

    code = "overloaded"
    status = 503

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail, retry_after=retry_after)


class BrokerGone(Transient):
    """The broker does not answer, or not yet: it restarts, loads its file, or cannot write it."""

    code = "broker_gone"


class BrokerFull(Transient):
    """The broker has no room; what was accepted is safe, nothing new is taken."""


class NoDirectory(Transient):
    """Who may send is not known yet: never 401, since a good token would then be thrown away."""

    code = "no_directory"


class Permanent(IngestError):
    """The same request will be refused again."""

    code = "bad_request"
    status = 400


class KeyConflict(Permanent):
    """The same Idempotency-Key came within the hour with other content."""

    code = "key_conflict"
    status = 409


class BadKey(Permanent):
    """An Idempotency-Key that is none."""

    code = "bad_key"


class TooLarge(Permanent):
    """Over one of the bounds of a request; the sentence names it."""

    code = "too_large"
    status = 413


class BadBody(Permanent):
    """The body as a whole cannot be read; a bad line alone never is this."""

    code = "bad_body"


class UnsupportedMedia(Permanent):
    """A content type or encoding that this endpoint does not read."""

    code = "unsupported_media"
    status = 415


class Unauthenticated(Permanent):
    code = "unauthenticated"
    status = 401


class Forbidden(Permanent):
    code = "forbidden"
    status = 403


class WeakBroker(Exception):
    """Refusal to start: this broker could lose what was acknowledged. The sentence holds the cure."""
