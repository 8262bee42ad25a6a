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
    """Nothing is wrong with the request. `reason` is what operators see it counted under."""

    code = "overloaded"
    status = 503
    reason: ClassVar[str] = "other"

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail, retry_after=retry_after)


class BrokerGone(Transient):
    """The broker does not answer, or not yet: it restarts, loads its file, or cannot write it."""

    code = "broker_gone"
    reason = "broker_gone"


class BrokerFull(Transient):
    """The broker has no room; what was accepted is safe, nothing new is taken."""

    reason = "broker_full"


class BrokerWeak(Transient):
    """The broker could lose what it acknowledges, until somebody mends its settings."""

    reason = "broker_weak"


class OverShare(Transient):
    """The broker fills up, and this source holds more of it than its share: the room left is for others."""

    code = "over_share"
    status = 429
    reason = "over_share"


class NoMemory(Transient):
    """The bodies that are being worked on take all the memory that there is for them."""

    reason = "no_memory"


class NoThreads(Transient):
    """Every thread is with a request that does not get on."""

    reason = "no_threads"


class NoDirectory(Transient):
    """Who may send is not known yet: never 401, since a good token would then be thrown away."""

    code = "no_directory"
    reason = "no_directory"


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
