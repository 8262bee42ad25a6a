"""Answers of the search as the plain pages show them: texts, links and rectangles, nothing left to compute.

Everything here came from strangers; the templates escape it, and nothing is marked safe.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.urls import reverse

from webapp.logs import times
from webapp.logs.asking import Refused
from webapp.logs.histogram import MISSING, OTHER, Histogram
from webapp.logs.lines import Line
from webapp.logs.search import Page
from webapp.ui import bars as drawing
from webapp.ui.asked import Asked

WIDTH, HEIGHT = drawing.WIDTH, drawing.HEIGHT
MESSAGE_SHOWN = 500  # characters of a message in the list: its page has all of it
AROUND = timedelta(seconds=150)
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
FILTERED = ("severity", "service", "host", "source", "trace_id", "span_id", "batch")


@dataclass(frozen=True)
class Row:
    address: str
    day: str
    clock: str  # to the millisecond
    exact: str  # to the nanosecond
    level: str
    severity: str
    letter: str
    service: str
    host: str
    message: str


@dataclass(frozen=True)
class Bar:
    drawn: drawing.Bar
    address: str
    title: str


@dataclass(frozen=True)
class Entry:
    """One series in the legend."""

    name: str
    total: str
    address: str


@dataclass(frozen=True)
class Chart:
    bars: list[Bar]
    legend: list[Entry]
    start: str
    end: str
    partial: bool
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True)
class Problem:
    message: str
    hint: str = ""
    before: str = ""
    faulty: str = ""  # the characters of the query that are wrong
    after: str = ""
    fix: str = ""
    fix_address: str = ""
    fresh_address: str = ""


@dataclass(frozen=True)
class Empty:
    title: str
    text: str = ""
    example: str = ""
    address: str = ""
    button: str = ""


@dataclass(frozen=True)
class Fact:
    name: str
    value: str
    only: str = ""  # links that narrow the search to this value, or to all others
    without: str = ""


# ---- the list ----


def row(line: Line, asked: Asked) -> Row:
    link = reverse("line", args=[line.id]) + asked.anew()
    return Row(
        address=link,
        day=line.time[:10],
        clock=line.time[11:23],
        exact=line.time[11:29],
        level=line.severity or "missing",
        severity=line.severity or "",
        letter=line.severity[0].upper() if line.severity else "·",
        service=line.service or "",
        host=line.host or "",
        message=line.message[:MESSAGE_SHOWN] + ("…" if len(line.message) > MESSAGE_SHOWN else ""),
    )


def total(page: Page) -> str:
    if page.total is None:
        return f"{len(page.logs):,} lines here"
    more = "+" if page.total_relation == "gte" else ""
    return f"{page.total:,}{more} {'line' if page.total == 1 and not more else 'lines'}"


def covered(page: Page) -> str:
    """One sentence about a partial answer; empty for a whole one."""
    if not page.partial or page.covered is None:
        return ""
    start, end = page.covered["start"] or "the beginning", page.covered["end"] or "now"
    return f"The time ran out: looked through {start} to {end}. The next page goes on from there."


# ---- the histogram ----


def chart(histogram: Histogram, asked: Asked) -> Chart | None:
    if not histogram.total:
        return None
    edges = [*histogram.times, histogram.end]
    drawn = drawing.bars(edges, [(one.value, one.counts) for one in histogram.series])
    return Chart(
        bars=[Bar(bar, zoom(bar, asked), titled(bar)) for bar in drawn],
        legend=[legend(one.value, one.total, asked) for one in histogram.series],
        start=moment(histogram.start),
        end=moment(histogram.end),
        partial=histogram.partial,
    )


def zoom(bar: drawing.Bar, asked: Asked) -> str:
    return asked.anew(range="custom", start=bar.start, end=bar.end)


def titled(bar: drawing.Bar) -> str:
    counts = ", ".join(f"{part.count:,} {part.name}" for part in bar.parts)
    return f"{moment(bar.start)} to {moment(bar.end)}: {bar.total:,} lines{f' ({counts})' if counts else ''}"


def legend(name: str, count: int, asked: Asked) -> Entry:
    clause = {MISSING: "-severity:*", OTHER: ""}.get(name, f"severity:{name}")
    return Entry(name, f"{count:,}", asked.narrowed(clause) if clause else "")


def moment(time: str) -> str:
    """RFC 3339 to the second, as people write it."""
    return f"{time[:10]} {time[11:19]}"


# ---- problems ----


def refusal(error: Refused, asked: Asked) -> Problem:
    note = error.note
    problem = Problem(message=note.message, hint=note.hint or "")
    if error.param == "cursor":
        return replace(problem, fresh_address=asked.anew())
    if error.param != "q":
        return problem
    end = note.offset + max(note.length, 1)
    problem = replace(
        problem,
        before=asked.q[: note.offset],
        faulty=asked.q[note.offset : end] or " ",  # at the end of the query something is missing
        after=asked.q[end:],
    )
    return replace(problem, fix=note.fix, fix_address=asked.anew(q=note.fix)) if note.fix else problem


# ---- nothing to show ----


def no_access() -> Empty:
    return Empty("You may read no source yet.", "An administrator can grant you one.")


def elsewhere(newest: Line, asked: Asked) -> Empty:
    return Empty(
        "Nothing in this range.",
        f"Newest matching line: {moment(newest.time)} UTC.",
        address=around(newest, asked),
        button="Go there",
    )


def no_match(asked: Asked) -> Empty:
    return Empty(
        "Nothing matches, in all stored time.",
        "A word is looked for anywhere in the message, whatever its case; field:value is exact.",
        address=asked.anew(q=""),
        button="Show all lines",
    )


def first_line() -> Empty:
    example = (
        f"curl {settings.INGEST_PUBLIC_URL}/api/v1/logs -H 'Authorization: Bearer lb_ingest_…' \\\n"
        """  -H 'Content-Type: application/json' -d '{"service":"hello","message":"my first line"}'"""
    )
    return Empty(
        "Waiting for your first line.", "With an ingest token:", example, Asked().anew(), "Look again"
    )


# ---- one line ----


def around(line: Line, asked: Asked) -> str:
    at = times.instant(line.time, 0, times.zone_of("UTC"))
    half = int(AROUND.total_seconds()) * times.SECOND
    start, end = times.rfc3339(max(0, at - half)), times.rfc3339(at + half)
    return asked.anew(range="custom", start=start, end=end)


def facts(line: Line, asked: Asked) -> Iterator[Fact]:
    """The built-in fields, then the attributes by name."""
    given = msgspec.structs.asdict(line)
    for name in ("time", "observed", "received", *FILTERED):
        if given[name] is not None:
            yield fact(name, given[name], asked) if name in FILTERED else Fact(name, given[name])
    if line.flags:
        yield Fact("changed by ingest", ", ".join(line.flags))
    yield Fact("id", line.id)
    for name, raw in sorted(msgspec.json.decode(line.attributes, type=dict[str, msgspec.Raw]).items()):
        yield fact(name, value_of(raw), asked)


def value_of(raw: msgspec.Raw) -> Any:
    """A text as itself; anything else as the JSON that is stored: no number passes through a float."""
    return msgspec.json.decode(raw) if bytes(raw).startswith(b'"') else Json(bytes(raw).decode())


class Json(str):
    """JSON that is no string."""


def fact(name: str, value: str, asked: Asked) -> Fact:
    found = clause(name, value)
    if found is None:
        return Fact(name, value)
    search = reverse("plain")
    return Fact(name, value, search + asked.narrowed(found), search + asked.narrowed(f"-{found}"))


def clause(name: str, value: str) -> str | None:
    """The query that finds this value of this field; None where the language has none for it."""
    field = name if PLAIN_NAME.fullmatch(name) else quoted(name)
    if not isinstance(value, Json):
        return f"{field}:{quoted(value)}"
    return None if value == "null" or value[0] in "[{" else f"{field}:{value}"


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
