"""Telling the demo's story to an ingest, like any sender: once, however often it is begun and killed.

A journal under VAR_DIR/demo says when the story was told and which bodies were answered; what was not is sent
again under the same key, so the ledger settles what a lost answer left open. Where the journal is gone, the
marker decides: a first body that is always the same, known to the server for an hour.

The marker is also how the reading side finds the story: its key and content give its batch's id, and when it
was received is when the story was told. `telling` counts from 1; each erasure of the demo begins the next.
"""

import time
from collections.abc import Callable
from pathlib import Path

from ingest import story
from ingest.client import Answer, Refused, Sender
from ingest.journal import Journal

MARKER = (
    b'{"service":"storyteller","severity":"info","message":"These are demo lines: a day of a small shop. For '
    b'six minutes near its end orders failed. Find out why; ./logboom demo clear removes all of it."}\n'
)
BEGUN, OVER = "begun", "over"
SWITCHED_OFF = 403  # what a disabled token is answered

OnBody = Callable[[bytes, Answer], None]


def marker_key(telling: int) -> str:
    return f"story:{telling}"


def journal_path(var: Path, telling: int) -> Path:
    return var / "demo" / f"telling-{telling}.ndjson"


def tell(sender: Sender, journal_file: Path, telling: int, on_body: OnBody) -> bool:
    """Whether any of it was still to be sent. Raises JournalBusy while somebody else tells it.

    A sender that is switched off meanwhile gives the story up: whoever did so does not want its end later.
    """
    with Journal(journal_file) as journal:
        if OVER in journal.entries:
            return False
        try:
            told_ns = told_at(journal) or begin(sender, journal, telling)
            if told_ns is not None:
                go_on(sender, journal, telling, told_ns, on_body)
        except Refused as refused:
            if refused.status == SWITCHED_OFF:
                journal.append(OVER)
            raise
        journal.append(OVER)
        return told_ns is not None


def forget(journal_file: Path) -> None:
    """What the journal calls told is nowhere in the ledger: it was given up, or the database is another."""
    with Journal(journal_file) as journal:
        if OVER in journal.entries:
            journal_file.unlink()


def told_at(journal: Journal) -> int | None:
    return next((entry["told_ns"] for entry in journal.entries if isinstance(entry, dict)), None)


def begin(sender: Sender, journal: Journal, telling: int) -> int | None:
    """Sends the marker and settles the instant; None if it was told already and its journal is gone.

    In this order: a kill before the last step leaves a journal that says the marker may be our own.
    """
    fresh = not journal.entries
    if fresh:
        journal.append(BEGUN)
    answer = sender.post(MARKER, marker_key(telling))
    if fresh and answer.duplicate:
        return None
    told_ns = time.time_ns()
    journal.append({"told_ns": told_ns})
    return told_ns


def go_on(sender: Sender, journal: Journal, telling: int, told_ns: int, on_body: OnBody) -> None:
    answered = {entry for entry in journal.entries if isinstance(entry, int)}
    for number, body in enumerate(story.bodies(told_ns)):
        if number not in answered:
            on_body(body, sender.post(body, f"{marker_key(telling)}:{told_ns}:{number}"))
            journal.append(number)
