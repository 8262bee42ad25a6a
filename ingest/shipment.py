"""One file on its way: what was answered so far, what is next, and what came of it.

The journal of a file holds its fingerprint, then the end of every chunk that was answered for good. A
shipment begins where the journal ends; from the start it cuts at the same places again, so that the server
knows every batch and stores none twice.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
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


def open_journal(directory: Path, file: BinaryIO, label: Label) -> tuple[Journal, Fingerprint, Label]:
    """The journal this file already has, under whatever name it was sent, or a new one."""
    inode = chunks.fingerprint(file).inode
    for path in sorted(directory.glob(f"{inode:x}-*.ndjson")):
        journal = Journal(path)
        if journal.entries and chunks.still(known := Fingerprint(**journal.entries[0]["file"]), file):
            return journal, known, Label(**journal.entries[0]["label"])
        journal.close()
    known = chunks.fingerprint(file)
    journal = Journal(directory / f"{known.name}.ndjson")
    if not journal.entries:
        journal.append({"file": vars(known), "label": vars(label)})
    return journal, known, label


def answered(journal: Journal) -> list[Place]:
    """The ends of the chunks that were answered, in order, since the file was last begun anew."""
    places: list[Place] = []
    for offset, line in journal.entries[1:]:
        places = [*places, Place(offset, line)] if offset else []
    return places


def ship_file(
    file: BinaryIO, sender: Sender, directory: Path, label: Label, *, from_start: bool, on_chunk: OnChunk
) -> Tally:
    """Sends what is left of the file; raises what `Sender.post` raises, all answers in the journal."""
    journal, known, label = open_journal(directory, file, label)
    with journal:
        places = answered(journal)
        if places and places[-1].offset > file.seek(0, 2):
            journal.append([0, 1])  # shorter than what was sent: written anew under the same head
            places = []
        start = places[-1] if places and not from_start else Place()
        tally = Tally(skipped=start.line - 1)
        file.seek(start.offset)
        joined = traces.starts if label.zone is not None else None
        for chunk in chunks.chunks(file, start, [place.offset for place in places], joined):
            # No line is later than the last change of its file: dates without a year go by that.
            setting = outgoing.setting_of(label, os.fstat(file.fileno()).st_mtime)
            answer = post(sender, known.name, chunk, label, setting)
            if not places or chunk.end.offset > places[-1].offset:
                journal.append([chunk.end.offset, chunk.end.line])
            tally.add(chunk, answer)
            on_chunk(chunk, answer)
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
