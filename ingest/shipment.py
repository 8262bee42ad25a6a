"""One file on its way: what was answered so far, what is next, and what came of it.

The journal of a file holds its fingerprint, then the end of every chunk that was answered for good, and ahead
of it the end of one that the file's own end had cut. A shipment begins where the journal ends; from the start
it cuts at the same places again, so that the server knows every batch and stores none twice.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from ingest import chunks, outgoing
from ingest.chunks import Chunk, Fingerprint, Place
from ingest.client import Answer, Refused, Rejected, Sender, Target
from ingest.formats import Setting, traces
from ingest.journal import Journal
from ingest.outgoing import Label

CONFLICT = 409
OnChunk = Callable[[Chunk, Answer], None]


@dataclass
class Tally:
    sent: int = 0  # lines accepted for the first time
    known: int = 0  # lines the server had already
    rejected: int = 0
    skipped: int = 0  # lines the journal says were sent before

    def add(self, chunk: Chunk, answer: Answer) -> None:
        self.rejected += len(answer.rejected) + len(chunk.too_long)
        if answer.duplicate:
            self.known += answer.accepted
        else:
            self.sent += answer.accepted


def journal_directory(state: Path, target: Target) -> Path:
    """One per server and token: what another installation was sent says nothing about this one."""
    digest = hashlib.sha256(f"{target.url} {target.token}".encode()).hexdigest()[:12]
    return state / "ship" / digest


def journals_of(directory: Path, file: Fingerprint) -> list[Path]:
    """Of every file that had this inode; each says itself which file it means."""
    return sorted(directory.glob(f"{file.inode:x}-*.ndjson"))


def open_journal(directory: Path, file: BinaryIO, label: Label) -> tuple[Journal, Fingerprint, Label]:
    """The journal this file already has, under whatever name it was sent, or a new one."""
    for path in journals_of(directory, chunks.fingerprint(file)):
        journal = Journal(path)
        if journal.entries and chunks.still(known := Fingerprint(**journal.entries[0]["file"]), file):
            return journal, known, Label(**journal.entries[0]["label"])
        journal.close()
    known = chunks.fingerprint(file)
    journal = Journal(directory / f"{known.name}.ndjson")
    if not journal.entries:
        journal.append({"file": vars(known), "label": vars(label)})
    return journal, known, label


def places_of(journal: Journal) -> tuple[list[Place], list[int]]:
    """Since the file was last begun anew: the ends of the chunks that were answered, and of those begun."""
    answered: list[Place] = []
    begun: list[int] = []
    for offset, line, *intended in journal.entries[1:]:
        if not offset:
            answered, begun = [], []
        elif intended:
            begun.append(offset)
        else:
            answered.append(Place(offset, line))
    return answered, begun


class Shipment:
    """A file with its journal, which nobody else can hold meanwhile."""

    def __init__(self, file: BinaryIO, sender: Sender, directory: Path, label: Label) -> None:
        self.file, self.sender = file, sender
        self.journal, self.known, self.label = open_journal(directory, file, label)
        places, begun = places_of(self.journal)
        self.place = places[-1] if places else Place()  # how far the file was answered for
        self.ends = sorted({*begun, *(place.offset for place in places)})
        if self.cut_short():
            self.begin_anew()

    def cut_short(self) -> bool:
        """Shorter than what was sent: written anew, be it under the same head."""
        return self.place.offset > os.fstat(self.file.fileno()).st_size

    def begin_anew(self) -> None:
        self.journal.append([0, 1])
        self.place, self.ends = Place(), []

    def renewed(self) -> bool:
        """Whether the file was written anew since, and has to be taken up as another."""
        return self.cut_short() or not chunks.still(self.known, self.file)

    def is_copy(self, file: BinaryIO) -> bool:
        """Whether that file begins as this one did and holds more than was sent."""
        begins = hashlib.sha256(os.pread(file.fileno(), self.known.length, 0)).hexdigest()
        return begins == self.known.digest and os.fstat(file.fileno()).st_size > self.place.offset

    def send(
        self, tally: Tally, on_chunk: OnChunk, *, from_start: bool = False, until: int | None = None
    ) -> None:
        """What is left of the file; raises what `Sender.post` raises, all answers in the journal.

        `until` is for a file that is still written to: only whole lines that begin before it.
        """
        start = Place() if from_start else self.place
        if not from_start:
            self.ends = [end for end in self.ends if end > start.offset]
        joined = traces.starts if self.label.zone is not None else None
        self.file.seek(start.offset)
        for chunk in chunks.chunks(self.file, start, self.ends, joined, until):
            # No line is later than the last change of its file: dates without a year go by that.
            setting = outgoing.setting_of(self.label, os.fstat(self.file.fileno()).st_mtime)
            self.intend(chunk)
            answer = post(self.sender, self.known.name, chunk, self.label, setting)
            if chunk.end.offset > self.place.offset:
                self.journal.append([chunk.end.offset, chunk.end.line])
                self.place = chunk.end
            tally.add(chunk, answer)
            on_chunk(chunk, answer)

    def intend(self, chunk: Chunk) -> None:
        """Writes down where a chunk ends if the file's own end has a part in that, before it is sent.

        Should the answer be lost and the file have grown, the same chunk has to come again.
        """
        offset, size = chunk.end.offset, os.fstat(self.file.fileno()).st_size
        if offset not in self.ends and (not chunk.full or size - offset < chunks.BYTES):
            self.journal.append([offset, chunk.end.line, 1])
            self.ends.append(offset)

    def close(self) -> None:
        self.journal.close()


def ship_file(
    file: BinaryIO, sender: Sender, directory: Path, label: Label, *, from_start: bool, on_chunk: OnChunk
) -> Tally:
    """A file from where it was left to its end."""
    with closing(Shipment(file, sender, directory, label)) as shipment:
        tally = Tally(skipped=0 if from_start else shipment.place.line - 1)
        shipment.send(tally, on_chunk, from_start=from_start)
    return tally


def ship_pipe(file: BinaryIO, sender: Sender, name: str, label: Label, on_chunk: OnChunk) -> Tally:
    """A pipe has no fingerprint: a lost answer is retried safely, a second run is a second copy."""
    tally = Tally()
    for chunk in chunks.pipe_chunks(file):
        answer = post(sender, name, chunk, label, outgoing.setting_of(label, time.time()))
        tally.add(chunk, answer)
        on_chunk(chunk, answer)
    return tally


def post(sender: Sender, name: str, chunk: Chunk, label: Label, setting: Setting | None) -> Answer:
    if not chunk.lines:
        return Answer()
    starts = outgoing.starts_of(chunk.lines, setting)
    body = outgoing.body(chunk.lines, starts, label, setting)
    try:
        return by_lines(sender.post(body, chunks.key(name, chunk, label.reading)), chunk, starts)
    except Refused as refused:
        if (
            refused.status == CONFLICT
        ):  # these lines are there, only read by another version or in another year
            return Answer(accepted=len(chunk.lines), duplicate=True)
        if (answer := nothing_good(refused)) is None:
            raise
        return by_lines(answer, chunk, starts)


def by_lines(answer: Answer, chunk: Chunk, starts: list[int]) -> Answer:
    """The server counts records; here lines of the file are counted, and a record is named by its first."""
    ends = [*starts[1:], len(chunk.lines)]
    refused = [one.line - 1 for one in answer.rejected]
    return msgspec.structs.replace(
        answer,
        accepted=len(chunk.lines) - sum(ends[record] - starts[record] for record in refused),
        rejected=[Rejected(starts[one.line - 1] + 1, one.reason) for one in answer.rejected],
    )


def nothing_good(refused: Refused) -> Answer | None:
    """A body without one good line is refused as a whole, but its lines were each looked at."""
    rejected = refused.problem.get("rejected")
    if refused.status != 400 or not rejected:
        return None
    return Answer(rejected=[Rejected(one["line"], one["reason"]) for one in rejected])


def complaints(name: str, chunk: Chunk, answer: Answer) -> Iterator[str]:
    """`file:line: reason` for every line that was not taken."""
    for number in chunk.too_long:
        yield f"{name}:{number}: too_long (over {chunks.LONGEST_LINE} bytes, not sent)"
    for one in answer.rejected:
        yield f"{name}:{chunk.numbers[one.line - 1]}: {one.reason}"
