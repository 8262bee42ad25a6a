"""The whole stage on one page: bytes in, one durable batch out, or one IngestError.

Who may not send, and what there is no room for, is refused before the body is read. When `accept` returns,
the batch is fsynced in the broker. Everything it works with comes in through `Stage`, the clock too.

A body that is neither of announced length nor compressed may have been cut between two lines without anyone
noticing: the server shows a broken stream as an ended one. Its key then stands for this content only: the
same content is still stored once, other content under that key is no conflict, and a retry gets through.
"""

import hashlib
import uuid
from collections import Counter as Tally
from dataclasses import dataclass

from prometheus_client import Counter

from ingest import bodies
from ingest.buffer import TOMBSTONE_MS, Accepted, Offer
from ingest.dialects import native
from ingest.directory import Directory, SourceEntry, digest, well_formed
from ingest.envelope import Envelope, keyed_id, pack
from ingest.errors import BadBody, BadKey, Forbidden, TooLarge, Unauthenticated
from ingest.normalise import Normaliser
from ingest.record import Reject
from ingest.stage import Stage

DIALECT = "native"
LONGEST_KEY = 255  # bytes of an Idempotency-Key
CROWDED_TOMBSTONE_MS = 300_000  # how long a repeat is known in the broker while it is crowded
# A body that inflates to more is worked on alone, so that all threads together hold one such at a time.
HEAVY_BYTES = 8 * 1024 * 1024

LINES = Counter("logboom_ingest_lines_total", "Lines accepted: durable in the broker")
REPEATED = Counter("logboom_ingest_repeated_lines_total", "Lines of repeats, answered as the first time")
REFUSED = Counter("logboom_ingest_refused_lines_total", "Lines refused, by reason", ["reason"])
DROPPED_BYTES = Counter(
    "logboom_ingest_quarantine_dropped_bytes_total", "Bytes of refused lines beyond what quarantine keeps"
)
WIRE_BYTES = Counter("logboom_ingest_wire_bytes_total", "Bytes of bodies as they came")
INFLATED_BYTES = Counter("logboom_ingest_inflated_bytes_total", "Bytes of bodies after inflation")


@dataclass(frozen=True)
class Sent:
    """One request, its body still unread."""

    authorization: str
    content_type: str
    encoding: str
    key: bytes | None  # Idempotency-Key
    length: int | None  # as announced
    stream: bodies.Readable


@dataclass(frozen=True)
class Sender:
    source: int
    entry: SourceEntry
    form: native.Form
    key: bytes | None
    cuttable: bool  # the body's end could be missing


@dataclass(frozen=True)
class Receipt:
    batch: uuid.UUID
    accepted: int
    rejects: list[Reject]
    duplicate: bool


def accept(stage: Stage, sent: Sent) -> Receipt:
    directory = stage.directory.get()
    token, source, entry = authenticate(directory, sent.authorization)
    form, key = native.form_of(sent.content_type), checked_key(sent.key)
    sender = Sender(source, entry, form, key, sent.length is None and not bodies.is_compressed(sent.encoding))
    stage.admission.check(source, directory.sources)
    most = stage.limits.wire_bytes
    with stage.room.holding(sent.stream, None if sent.length is None else min(sent.length, most)) as stream:
        wire = bodies.read(stream, sent.length, most)
        offer, rejects = inflate(stage, sender, wire, sent.encoding)
        accepted = stage.admission.waiting(lambda: keep(stage, offer))
    if accepted.hint:
        stage.hint()
    stage.usage.note(token)
    count(accepted, offer)
    if rejects and not accepted.duplicate:
        DROPPED_BYTES.inc(sum(reject.dropped for reject in rejects))
    return Receipt(accepted.batch, accepted.rows, rejects, accepted.duplicate)


def authenticate(directory: Directory, authorization: str) -> tuple[str, int, SourceEntry]:
    """The token's digest, and the source that it sends for."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("An ingest token is wanted: Authorization: Bearer lb_ingest_…")
    if not well_formed(token):
        raise Unauthenticated("This is not a token of ours: it may have been cut or mistyped.")
    hashed = digest(token)
    known = directory.tokens.get(hashed)
    if known is None:
        raise Unauthenticated("This token is not known here.")
    source = directory.sources.get(known.source)
    if known.disabled:
        raise Forbidden("This token has been switched off.")
    if known.scope != "ingest" or source is None:
        raise Forbidden(f"This token is good to {known.scope}, but belongs to no source that may send.")
    return hashed, known.source, source


def checked_key(key: bytes | None) -> bytes | None:
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise BadKey(f"An Idempotency-Key has 1 to {LONGEST_KEY} bytes.")
    return key


def inflate(stage: Stage, sender: Sender, wire: bytes, encoding: str) -> tuple[Offer, list[Reject]]:
    WIRE_BYTES.inc(len(wire))
    most = stage.limits.inflated_bytes
    try:
        body = bodies.inflate(wire, encoding, min(most, HEAVY_BYTES))
    except TooLarge:
        with stage.alone:
            return prepare(stage, sender, bodies.inflate(wire, encoding, most))
    return prepare(stage, sender, body)


def prepare(stage: Stage, sender: Sender, body: bytes) -> tuple[Offer, list[Reject]]:
    INFLATED_BYTES.inc(len(body))
    received_us = stage.clock_ns() // 1000
    content_hash = hashlib.sha256(body).digest()
    normaliser = Normaliser(stage.limits, received_us, sender.entry.retention_days)
    found = native.decode(body, sender.form, normaliser)
    envelope = Envelope(sender.source, DIALECT, received_us, content_hash, found.records, found.rejects)
    if sender.cuttable and breaks_off(body, found.rejects):
        raise BadBody("The body breaks off in the middle of its last line.")
    batch, key = identity(sender, content_hash)
    reasons = Tally(reject.reason for reject in found.rejects)
    rows = len(found.records)
    offer = Offer(batch, sender.source, DIALECT, rows, reasons, content_hash, pack(envelope), key)
    return offer, found.rejects


def breaks_off(body: bytes, rejects: list[Reject]) -> bool:
    return bool(rejects) and rejects[-1].reason == "bad_json" and rejects[-1].line == body.count(b"\n") + 1


def identity(sender: Sender, content_hash: bytes) -> tuple[uuid.UUID, bytes | None]:
    """The batch's id, and what the broker knows a repeat by for an hour.

    Only a key that the client chose makes the id, which the ledger remembers for weeks: an identical body
    counts as a retry for the hour alone, since a heartbeat may well say the same tomorrow.
    """
    if sender.key is not None:
        key = sender.key + b"\0" + content_hash if sender.cuttable else sender.key
        return keyed_id(sender.source, sender.key, content_hash), key
    if sender.entry.identical_is_retry:
        return uuid.uuid4(), b"\0" + content_hash  # no header can hold a NUL
    return uuid.uuid4(), None


def keep(stage: Stage, offer: Offer) -> Accepted:
    """A key that the client chose needs no long memory here, for the ledger knows the batch by its id.

    An hour of them, sent quickly, would fill the broker, and no share could be laid on whoever did it.
    """
    hasty = stage.admission.crowded and chosen(offer.key)
    kept_ms = CROWDED_TOMBSTONE_MS if hasty else TOMBSTONE_MS
    return stage.durability.vouch(lambda: stage.buffer.accept(offer, tombstone_ms=kept_ms))


def chosen(key: bytes | None) -> bool:
    return key is not None and not key.startswith(b"\0")


def count(accepted: Accepted, offer: Offer) -> None:
    if accepted.duplicate:
        REPEATED.inc(accepted.rows)
        return
    LINES.inc(accepted.rows)
    for reason, lines in offer.rejects.items():
        REFUSED.labels(reason).inc(lines)
