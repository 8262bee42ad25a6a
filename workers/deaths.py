"""Who was being flushed when a life ended: what a lease is in the broker, for batches in a spill file.

Beside the spill file, while a group of it is being stored, lies a note of how many deaths each batch would
have if this life ended now. An end that is no death takes the note back; so what the next life finds there
are the deaths. It is not synced, since a power cut is no batch's fault; and where it cannot be written (on a
full volume, which only flushing can help) the flush goes on without.
"""

import contextlib
import logging
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from ingest.buffer import Claimed

log = logging.getLogger(__name__)

SUFFIX = ".deaths"


class Deaths:
    def __init__(self, spill_file: Path) -> None:
        self._note = spill_file.with_suffix(SUFFIX)
        self._counts = self._read()

    def told(self, batch: Claimed) -> Claimed:
        """The batch with the deaths it had here beside those it had as it was claimed."""
        deaths = self._counts.get(batch.batch)
        return replace(batch, deaths=batch.deaths + deaths) if deaths else batch

    @contextlib.contextmanager
    def risking(self, group: Sequence[Claimed]) -> Iterator[None]:
        self._write({**self._counts, **{b.batch: self._counts.get(b.batch, 0) + 1 for b in group}})
        try:
            yield
        finally:
            self._write(self._counts)

    def forget(self) -> None:
        """The file has done its work."""
        with contextlib.suppress(OSError):
            self._note.unlink(missing_ok=True)

    def _read(self) -> dict[uuid.UUID, int]:
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=dict[uuid.UUID, int])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            log.warning("%s: deaths are counted anew: %s", self._note, error)
            return {}

    def _write(self, counts: dict[uuid.UUID, int]) -> None:
        if not counts:
            return self.forget()
        try:
            self._note.write_bytes(msgspec.json.encode(counts))
        except OSError as error:
            log.warning("%s: deaths are not counted: %s", self._note, error)
