"""What lies in quarantine, sent again: through the ordinary decoder, checks and accept, as one more batch.

Exactly once: the batch's id is made from the entry alone, whatever text is sent for it. So a second press, or
one after a crash between accept and the note of it, is a repeat to the broker, and to the ledger for as long
as that remembers. The dialect is `replay`, so that the books tell these lines from those that senders sent:
they are received a second time, and add up like any others.
"""

import hashlib
import uuid
from collections import Counter as Tally
from dataclasses import dataclass

import msgspec
from prometheus_client import Counter

from ingest import envelope, retell
from ingest.accept import keep
from ingest.buffer import Accepted, Offer
from ingest.dialects import native
from ingest.dialects.native import Form
from ingest.envelope import Envelope, keyed_id, pack
from ingest.errors import BadBody, TooLarge
from ingest.limits import Limits
from ingest.normalise import DAY_US, BadLine, Normaliser
from ingest.record import LogRecord, Reject
from ingest.stage import Stage

DIALECT = "replay"

REPLAYED = Counter("logboom_replayed_lines_total", "Lines out of quarantine that were accepted again")


@dataclass(frozen=True)
class Again:
    """One entry of the quarantine."""

    key: str  # names the entry for good, and nothing else
    source: int
    retention_days: int
    received_us: int  # the first time: what a line without a time of its own is given
    raw: bytes
    whole: bool = False  # `raw` is a batch as it lay in the broker, not a line as it was received

    @property
    def batch(self) -> uuid.UUID:
        return keyed_id(self.source, self.named, b"")

    @property
    def named(self) -> bytes:
        """What the broker knows a repeat by: no sender's header can hold a NUL."""
        return b"\0quarantine:" + self.key.encode()


class StillBad(Exception):
    """It is refused again: nothing was accepted, and the entry stays."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def prepare(again: Again, limits: Limits, now_us: int) -> Offer:
    """Raises StillBad where no line of it is good now."""
    found = of_batch(again, limits, now_us) if again.whole else of_line(again, limits, now_us)
    # A line that is refused again rests where it is; those refused within a batch rest nowhere yet.
    if not found.records and not (again.whole and found.rejects):
        raise first_of(found.rejects)
    content_hash = hashlib.sha256(again.raw).digest()
    packed = pack(Envelope(again.source, DIALECT, now_us, content_hash, found.records, found.rejects))
    reasons = Tally(reject.reason for reject in found.rejects)
    rows = len(found.records)
    return Offer(again.batch, again.source, DIALECT, rows, reasons, content_hash, packed, again.named)


def first_of(rejects: list[Reject]) -> StillBad:
    if not rejects:
        return StillBad("empty", "There is no line in it.")
    return StillBad(rejects[0].reason, rejects[0].detail)


def of_line(again: Again, limits: Limits, now_us: int) -> native.Decoded:
    """As if it had been good when it came, but for the retention, which counts from now."""
    normaliser = Normaliser(limits, again.received_us, again.retention_days)
    normaliser.oldest_us = now_us - again.retention_days * DAY_US
    if again.received_us < normaliser.oldest_us:
        raise StillBad("too_old", f"It came before the {again.retention_days} days that are kept.")
    try:
        return native.decode(again.raw, Form.JSON, normaliser)
    except (BadBody, TooLarge) as error:
        raise StillBad(error.code, error.detail) from error


def of_batch(again: Again, limits: Limits, now_us: int) -> native.Decoded:
    """Each record told anew and read again; what was done to it the first time stays known."""
    try:
        held = envelope.unpack(again.raw)
    except envelope.UnreadableEnvelope as error:
        raise StillBad("unreadable", str(error)) from error
    # Told anew a line may be longer than it came.
    limits = msgspec.structs.replace(limits, line_bytes=limits.inflated_bytes)
    normaliser = Normaliser(limits, now_us, again.retention_days)
    records: list[LogRecord] = []
    rejects = list(held.rejects)
    for number, record in enumerate(held.records, 1):
        line = retell.line_of(record)
        try:
            read = native.Reader(line, normaliser).line(line)
        except BadLine as bad:
            rejects.append(native.kept(number, bad, line))
            continue
        flags = read.flags | record.flags
        records.append(msgspec.structs.replace(read, observed_us=record.observed_us, flags=flags))
    return native.Decoded(records, rejects)


def accept(stage: Stage, offer: Offer) -> Accepted:
    """Durable when this returns. Raises IngestError; KeyConflict: it was accepted before, with other text."""
    stage.admission.check(offer.source, {})  # an operator sends: bound by the whole room, by no share of it
    accepted = keep(stage, offer)
    if accepted.hint:
        stage.hint()
    if not accepted.duplicate:
        REPLAYED.inc(accepted.rows)
    return accepted
