"""What the journal says, held against what lies in the database: straight from the tables, batch by batch.

accepted  is there, each line once, at its place, unchanged; its poison lies in quarantine, each piece once
refused   has no line; where it was answered with an id, its lines lie in quarantine
unknown   is there as a whole, poison included, or not at all
and nothing else is there. A batch that is missing but waits in the broker is not lost: it is not drained.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from ingest.buffer import Buffer, State
from ingest.envelope import keyed_id
from tests.chaos import lines
from tests.chaos.lines import Stored
from tests.chaos.posting import Entry

EXAMPLES = 5  # of each kind of difference
WAITS = (State.QUEUED, State.SPILLED)

Pieces = frozenset[tuple[int | None, str]]


@dataclass(frozen=True)
class Expected:
    entry: Entry
    lines: int
    sum: int
    poison: Pieces
    needed: bool  # False: it may be there or not


@dataclass
class Verdict:
    found: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, count: int, detail: str = "") -> None:
        if count:
            self.found[kind] += count
            if len(self.examples[kind]) < EXAMPLES:
                self.examples[kind].append(detail)

    def told(self) -> str:
        rows = [f"  {kind:<50} {count:>12,}" for kind, count in sorted(self.found.items())]
        rows += [
            f"    {kind}: {text}" for kind, texts in sorted(self.examples.items()) for text in texts if text
        ]
        return "\n".join(rows)


def check(url: str, buffer: Buffer, entries: Mapping[int, Entry], batch_lines: int, first_ns: int) -> Verdict:
    verdict = Verdict()
    with psycopg.connect(url, autocommit=True) as conn, conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        there = dict(lines.stored(conn))
        quarantined = pieces_of(conn)
        total = one(conn, "SELECT count(*) FROM log")
        source = one(conn, "SELECT id FROM access_source WHERE name = 'default'")
    for entry in entries.values():
        verdict.add("answers that were not as promised", bool(entry.odd), entry.odd)
    expected = expectation(entries.values(), source, batch_lines, first_ns, verdict)
    for batch, wanted in expected.items():
        compare(batch, wanted, there.get(batch), quarantined.get(batch, []), buffer, verdict)
    for batch in there.keys() - expected.keys():
        verdict.add("batches that nobody was told of", 1, str(batch))
    for batch in quarantined.keys() - expected.keys():
        verdict.add("pieces in quarantine of no batch that was sent", len(quarantined[batch]), str(batch))
    held = sum(stored.rows for stored in there.values())
    verdict.add("lines stored twice (outside their batch)", max(0, total - held))
    return verdict


def pieces_of(conn: psycopg.Connection[Any]) -> dict[uuid.UUID, list[tuple[int | None, str]]]:
    found: dict[uuid.UUID, list[tuple[int | None, str]]] = defaultdict(list)
    for batch, line, reason in conn.execute("SELECT batch, line, reason FROM quarantine"):
        found[batch].append((line, reason))
    return dict(found)


def one(conn: psycopg.Connection[Any], query: str) -> int:
    row = conn.execute(query).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return int(row[0])


def expectation(
    entries: Iterable[Entry], source: int, batch_lines: int, first_ns: int, verdict: Verdict
) -> dict[uuid.UUID, Expected]:
    """By id; one that was not answered has the id that its key and content make."""
    found: dict[uuid.UUID, Expected] = {}
    for entry in entries:
        made = keyed_id(source, lines.key_of(entry.batch).encode(), bytes.fromhex(entry.sha256))
        batch = uuid.UUID(entry.id) if entry.id else made
        verdict.add("ids that are not of key and content", batch != made, f"{batch} is not {made}")
        if entry.outcome == "refused" and not entry.id:
            found[batch] = Expected(entry, 0, 0, frozenset(), False)
            continue
        poison: Pieces = frozenset()
        if entry.poison:
            poison = lines.make(entry.batch, batch_lines, first_ns, entry.kind).poison  # type: ignore[arg-type]
        found[batch] = Expected(entry, entry.n, entry.sum, poison, entry.outcome != "unknown")
    return found


def compare(
    batch: uuid.UUID,
    wanted: Expected,
    there: Stored | None,
    pieces: list[tuple[int | None, str]],
    buffer: Buffer,
    verdict: Verdict,
) -> None:
    about = f"batch {wanted.entry.batch} ({wanted.entry.kind}, {wanted.entry.way}) {batch}"
    if there is None:
        verdict.add("pieces in quarantine without their batch", len(pieces), about)
        if wanted.needed:
            missing(batch, wanted, about, buffer, verdict)
        return
    if wanted.entry.outcome == "refused" and not wanted.entry.id:
        verdict.add("batches stored though refused", 1, about)
        return
    lost = wanted.lines - there.places
    what = "lines lost" if wanted.needed else "lines missing of a batch that is there in part"
    verdict.add(what, max(0, lost), f"{about}: {there.places} of {wanted.lines}")
    verdict.add("lines stored twice (in their batch)", there.rows - there.places, about)
    verdict.add("lines that nobody sent", max(0, -lost), about)
    if not lost:
        verdict.add("batches of other content", there.sum != wanted.sum or there.first != 0, about)
    unplanted, twice = Counter(pieces) - Counter(wanted.poison), len(pieces) - len(set(pieces))
    verdict.add("pieces in quarantine that nobody planted", len(unplanted.keys() - wanted.poison),
                f"{about}: {sorted(unplanted, key=str)[:3]}")  # fmt: skip
    verdict.add("pieces in quarantine twice", twice, about)
    verdict.add("planted poison missing in quarantine", len(wanted.poison - set(pieces)),
                f"{about}: {sorted(wanted.poison - set(pieces), key=str)[:3]}")  # fmt: skip


def missing(batch: uuid.UUID, wanted: Expected, about: str, buffer: Buffer, verdict: Verdict) -> None:
    known = buffer.known(batch)
    if known is not None and known.state in WAITS:
        verdict.add("lines not drained", wanted.lines, f"{about}: {known.state.value}, {known.deaths} deaths")
    else:
        verdict.add(
            "lines lost", wanted.lines, f"{about}: known as {known.state.value if known else 'nothing'}"
        )
        verdict.add("batches lost", 1, about)
