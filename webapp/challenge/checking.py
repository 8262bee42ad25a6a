"""What differs between the sender's account and what was read back. Pure: everything comes as arguments.

    recount = Recount(run, source);  recount.add(line) for each exported line
    differences(account, recount, poison) -> [Difference], empty when all is well

What has to hold, by the outcome of a batch:

| outcome  | its lines                              | its poison                                    |
| accepted | each once, unchanged, under its id     | in quarantine, each once                      |
| unknown  | each once and unchanged, or none       | with its lines, or not at all                 |
| refused  | none                                   | there if it was answered with an id, else not |

and nothing else bears the run's marks.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from webapp.challenge import lines
from webapp.challenge.journal import Account, Entry
from webapp.challenge.lines import SUM_BITS, Batch, Line, Place


@dataclass(frozen=True)
class Difference:
    kind: str  # lost, twice, partial, altered …: a row of the verdict
    batch: int | None
    count: int
    detail: str


@dataclass
class Tally:
    """What was read of one batch."""

    rows: int = 0
    seen: int = 0  # a bit for each position
    sum: int = 0
    ids: set[str | None] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)

    @property
    def places(self) -> int:
        return self.seen.bit_count()


@dataclass
class Recount:
    """All that was read, in the memory of some numbers a batch."""

    run: str
    tallies: dict[int, Tally] = field(default_factory=dict)
    strays: int = 0  # lines whose marks make no sense
    total: int = 0

    def add(self, line: Line) -> None:
        self.total += 1
        place = lines.place_of(line, self.run)
        if place is None or place.position >= lines.MOST_LINES:
            self.strays += 1
            return
        tally = self.tallies.setdefault(place.batch, Tally())
        tally.rows += 1
        tally.seen |= 1 << place.position
        tally.sum = (tally.sum + lines.line_hash(line)) % 2**SUM_BITS
        tally.ids.add(line.batch)
        tally.sources.add(line.source)


class Resting(NamedTuple):
    """An entry of the quarantine."""

    line: int | None  # None: a whole batch
    reason: str
    batch: str | None
    beginning: str
    raw: bytes | None  # None: not fetched


@dataclass
class Quarantine:
    """Entries of the run's source since it began, by the mark they bear."""

    run: str
    marked: dict[Place, list[Resting]] = field(default_factory=dict)
    strangers: list[Resting] = field(default_factory=list)

    def add(self, entry: Resting) -> None:
        found = lines.planted_at(entry.beginning)
        if found is None:
            self.strangers.append(entry)
        elif found[0] == self.run:
            self.marked.setdefault(found[1], []).append(entry)

    @property
    def total(self) -> int:
        return sum(map(len, self.marked.values())) + len(self.strangers)


def differences(account: Account, recount: Recount, poison: Quarantine) -> list[Difference]:
    """Everything that is not as it must be; in the order of the batches."""
    found: list[Difference] = []
    for entry in account.batches.values():
        found += of_batch(entry, recount.tallies.get(entry.batch), poison, account.head.source)
    found += of_nobody(account, recount)
    found += quarantine_of_nobody(account, poison)
    return found


def of_batch(entry: Entry, tally: Tally | None, poison: Quarantine, source: str) -> Iterator[Difference]:
    made = lines.make(entry.run, entry.batch, entry.n, entry.poison)
    if made.sha256 != entry.sha256:
        yield Difference("not judged", entry.batch, entry.n, "this version makes other lines of it")
        return
    if entry.odd:
        yield Difference("answers not as promised", entry.batch, 1, entry.odd)
    there = tally if tally is not None else Tally()
    if entry.outcome == "accepted":
        yield from whole(entry, made, there, source)
    elif entry.outcome == "unknown":
        yield from whole_or_none(entry, made, there, source)
    elif there.rows:
        yield Difference("refused and yet stored", entry.batch, there.rows, entry.why)
    yield from poison_of(entry, made, there, poison)


def whole(entry: Entry, made: Batch, there: Tally, source: str) -> Iterator[Difference]:
    every = (1 << entry.n) - 1
    outside = (there.seen & ~every).bit_count()
    missing = entry.n - (there.seen & every).bit_count()
    if missing:
        yield Difference("lost", entry.batch, missing, f"{missing:,} of {entry.n:,} lines are not there")
    if missing and there.rows:
        yield Difference("partial", entry.batch, 1, f"{there.places:,} of {entry.n:,} lines are there")
    if twice := there.rows - there.places:
        yield Difference("twice", entry.batch, twice, f"{there.rows:,} lines at {there.places:,} places")
    if outside:
        yield Difference("never sent", entry.batch, outside, "positions beyond the end of the batch")
    if not (missing or twice or outside) and there.sum != made.sum:
        yield Difference("altered", entry.batch, 1, "every line is there once, not all as they were sent")
    if there.rows and (wrong := [id for id in there.ids if id != (entry.id or id)]) or len(there.ids) > 1:
        ids = ", ".join(sorted(map(str, there.ids)))
        yield Difference("other batch", entry.batch, max(1, len(wrong)), f"{entry.id}: stored as {ids}")
    if there.sources - {source}:
        yield Difference("other source", entry.batch, 1, ", ".join(sorted(there.sources)))


def whole_or_none(entry: Entry, made: Batch, there: Tally, source: str) -> Iterator[Difference]:
    if not there.rows:
        return
    for one in whole(entry, made, there, source):
        if one.kind != "lost":  # nobody was told that it is safe
            yield one


def poison_of(entry: Entry, made: Batch, there: Tally, poison: Quarantine) -> Iterator[Difference]:
    present = [poison.marked.get(Place(entry.batch, number), []) for number in range(entry.poison)]
    wanted = entry.outcome == "accepted" or entry.resting
    if entry.outcome == "unknown":
        wanted = bool(there.rows) or (not entry.n and any(present))
    for planted, found in zip(made.planted, present, strict=True):
        where = f"line {planted.line}, {planted.reason}"
        if wanted and not found:
            yield Difference("poison not in quarantine", entry.batch, 1, where)
        if (extra := len(found) - wanted) > 0:
            yield Difference("quarantined too often", entry.batch, extra, where)
        for one in found[:1]:
            if wrong := unlike(one, planted, entry):
                yield Difference("quarantined otherwise", entry.batch, 1, f"{where}: {wrong}")


def unlike(one: Resting, planted: lines.Planted, entry: Entry) -> str:
    if (one.line, one.reason) != (planted.line, planted.reason):
        return f"it is there as line {one.line}, {one.reason}"
    if entry.id and one.batch != entry.id:
        return f"it is there as of batch {one.batch}"
    if one.raw is not None and one.raw != planted.raw:
        return f"{len(one.raw):,} other bytes"
    return ""


def of_nobody(account: Account, recount: Recount) -> Iterator[Difference]:
    for number in sorted(recount.tallies.keys() - account.batches.keys()):
        yield Difference("never sent", number, recount.tallies[number].rows, "a batch of no such number")
    if recount.strays:
        yield Difference("never sent", None, recount.strays, "lines whose marks make no sense")


def quarantine_of_nobody(account: Account, poison: Quarantine) -> Iterator[Difference]:
    planted = {batch: entry.poison for batch, entry in account.batches.items()}
    for place, found in sorted(poison.marked.items()):
        if place.position >= planted.get(place.batch, 0):
            yield Difference("quarantined too often", place.batch, len(found), "nobody planted it")
    for one in poison.strangers:
        what = "a whole batch" if one.line is None else f"line {one.line}"
        detail = f"{what}, {one.reason}: {one.beginning[:80]}"
        yield Difference("quarantined too often", None, 1, detail)


# ---- receipts and the ledger ----


def receipt_differences(entry: Entry, receipt: Mapping[str, object] | None) -> Iterator[Difference]:
    """Of a batch that was accepted and has had time to be stored."""
    if receipt is None:
        yield Difference("receipts that differ", entry.batch, 1, f"{entry.id}: there is none")
        return
    wanted = {"state": "stored", "accepted": entry.n, "stored": entry.n, "rejected": entry.poison}
    wrong = [f"{name} {receipt.get(name)}, not {value}" for name, value in wanted.items()
             if receipt.get(name) != value]  # fmt: skip
    if wrong:
        yield Difference("receipts that differ", entry.batch, 1, f"{entry.id}: {'; '.join(wrong)}")


def ledger_differences(account: Account, stored: int, line: Mapping[str, object]) -> list[Difference]:
    """`line` is the source's in the ledger: other runs may be in it too, so it has at least what is ours."""
    found = []
    if difference := number(line, "difference"):
        found.append(Difference("ledger out of balance", None, abs(difference), f"difference {difference}"))
    if moving := number(line, "moving"):
        found.append(Difference("ledger out of balance", None, abs(moving), "and it did not settle in time"))
    accepted = sum(entry.n for entry in account.of("accepted"))
    least = {"accepted": accepted, "stored": stored}
    for name, count in least.items():
        if number(line, name) < count:
            detail = f"{name} {number(line, name):,}; {count:,} are known here"
            found.append(Difference("ledger knows less", None, count - number(line, name), detail))
    refused = line.get("refused")
    counted = refused if isinstance(refused, dict) else {}
    for reason, count in planted_by_reason(account.batches.values()).items():
        if number(counted, reason) < count:
            detail = f"refused as {reason}: {number(counted, reason):,}; {count:,} were answered"
            found.append(Difference("ledger knows less", None, count - number(counted, reason), detail))
    return found


def number(values: Mapping[str, object], name: str) -> int:
    value = values.get(name)
    return value if isinstance(value, int) else 0


def planted_by_reason(entries: Iterable[Entry]) -> Counter[str]:
    """Of the batches that were answered: these lines were surely refused."""
    found: Counter[str] = Counter()
    for entry in entries:
        if entry.poison and (entry.outcome == "accepted" or entry.resting):
            found.update(lines.poisoned(entry.run, entry.batch, n)[0] for n in range(entry.poison))
    return found
