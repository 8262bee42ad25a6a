"""The verdict: figures, timeline and differences of a challenge, as text for people and as JSON for programs.

Exit codes: 0 everything is as promised, 1 something is not, 2 nothing was proved (not readable, not stored in
time, nothing accepted, no fault done though some were asked for).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from ingest.terminal import harmless
from webapp.challenge.checking import Difference, planted_by_reason
from webapp.challenge.journal import Account, Entry, Event

GOOD, BAD, UNPROVED = 0, 1, 2
ALWAYS = ("lost", "twice", "partial", "altered")  # said even where there are none
MOST_TOLD = 20  # differences of a kind, in text


@dataclass
class Verdict:
    account: Account
    figures: dict[str, Any]
    differences: list[Difference] = field(default_factory=list)
    unproved: str = ""

    @property
    def code(self) -> int:
        if self.differences:
            return BAD
        return UNPROVED if self.unproved else GOOD

    @property
    def totals(self) -> dict[str, int]:
        found = Counter(dict.fromkeys(ALWAYS, 0))
        for one in self.differences:
            found[one.kind] += one.count
        return dict(found)

    def document(self) -> dict[str, Any]:
        """What `--json` prints."""
        head = self.account.head
        return {
            "run": head.run,
            "seed": head.seed,
            "verdict": ("good", "bad", "unproved")[self.code],
            "exit_code": self.code,
            "unproved": self.unproved or None,
            "totals": self.totals,
            "figures": self.figures,
            "differences": [vars(one) for one in self.differences],
            "timeline": [msgspec.to_builtins(event) for event in self.account.events],
        }

    def text(self) -> str:
        return "\n".join(self.rows())

    def rows(self) -> Iterator[str]:
        head = self.account.head
        yield f"Challenge {head.run}, seed {head.seed}: lines to {head.ingest_url}, read from {head.web_url}"
        yield from timeline(self.account.events)
        yield "Figures"
        for name, value in self.figures.items():
            yield f"  {name:<44} {told(value)}"
        yield "Recount"
        for name, value in self.totals.items():
            yield f"  {name:<44} {value:,}"
        yield from self.details()
        yield self.sentence()

    def details(self) -> Iterator[str]:
        for kind in dict.fromkeys(one.kind for one in self.differences):
            of_kind = [one for one in self.differences if one.kind == kind]
            for one in of_kind[:MOST_TOLD]:
                where = "" if one.batch is None else f"batch {one.batch}: "
                yield f"  {kind}: {where}{harmless(one.detail)}"
            if len(of_kind) > MOST_TOLD:
                yield f"  {kind}: and {len(of_kind) - MOST_TOLD:,} more like these"

    def sentence(self) -> str:
        if self.differences:
            return "NOT AS PROMISED: the differences are above."
        if self.unproved:
            return f"NOTHING PROVED: {harmless(self.unproved)}"
        return "AS PROMISED: nothing lost, nothing twice, nothing partial, nothing changed."


def timeline(events: Sequence[Event]) -> Iterator[str]:
    if events:
        yield "Timeline"
    for event in events:
        yield f"  {datetime.fromtimestamp(event.at, UTC):%H:%M:%S} {harmless(event.what)}"


def told(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{told(count)} {name}" for name, count in value.items()) or "none"
    return str(value)


# ---- figures of the journal ----


def sent_figures(account: Account) -> dict[str, Any]:
    """What the sender saw."""
    entries = list(account.batches.values())
    accepted = account.of("accepted")
    times = [entry.at for entry in entries]
    seconds = max(times) - min(times) if times else 0.0
    lines = sum(entry.n for entry in accepted)
    return {
        "lines accepted": lines,
        "batches accepted": len(accepted),
        "batches of unknown outcome": len(account.of("unknown")),
        "batches refused or withheld": reasons(account.of("refused")),
        "lines refused": dict(sorted(planted_by_reason(entries).items())),
        "tries again": sum(entry.again for entry in entries),
        "duplicates answered": sum(entry.duplicates for entry in entries),
        "seconds of load": seconds,
        "lines a second": lines / seconds if seconds else 0.0,
        "POST ms": percentiles([entry.ms for entry in accepted if entry.ms]),
    }


def reasons(entries: Sequence[Entry]) -> dict[str, int]:
    return dict(sorted(Counter(entry.why for entry in entries).items()))


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Of what was seen, not of what a curve says; empty where nothing was."""
    ranked = sorted(values)
    if not ranked:
        return {}
    return {name: ranked[min(len(ranked) - 1, int(len(ranked) * share))] for name, share in SHARES.items()}


SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
