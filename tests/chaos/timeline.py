"""What happens when: a profile and a seed give one list of faults, the same every time.

Outages and restarts of everything have a window each that nothing else of their kind enters; kills, cuts and
the rest fall where they fall, also into those windows. Pure: nothing here touches a process.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

RESTART_SECONDS = 25.0  # what a restart of everything takes, on a slow machine
FIRST, LAST = 0.04, 0.92  # shares of the run between which faults begin


@dataclass(frozen=True)
class Profile:
    """How much of everything. `most_drain` and `most_term` are limits where they are given."""

    minutes: float = 1.0
    lines: int = 240_000
    batch: int = 500
    worker_kills: int = 7
    terms: int = 3
    broker_kills: int = 2
    outages: int = 3
    hangs: int = 1
    longest: float = 16.0  # seconds of the longest outage, in which ingest is restarted
    ingest_kills: int = 1
    web_kills: int = 1
    beat_kills: int = 1
    cuts: int = 8
    restarts: int = 1
    maxmemory: int = 1
    full_spill: bool = True
    poison: float = 0.04
    broker_memory: str = "12mb"
    spill_megabytes: int = 24
    most_drain: float | None = None
    most_term: float | None = None

    @property
    def seconds(self) -> float:
        return self.minutes * 60


SHORT = Profile()
LONG = replace(
    SHORT, minutes=15, lines=5_200_000, batch=1000, worker_kills=104, terms=42, broker_kills=21, outages=10,
    hangs=2, longest=180.0, ingest_kills=5, web_kills=4, beat_kills=3, cuts=60, restarts=2, maxmemory=3,
    poison=0.01, broker_memory="512mb", spill_megabytes=192, most_drain=60.0, most_term=30.0,
)  # fmt: skip
PROFILES = {"short": SHORT, "long": LONG}


class Fault(NamedTuple):
    at: float  # seconds from the start
    what: str  # a method of `faults.Faults`
    argument: str = ""
    seconds: float = 0.0  # how long it lasts, for one that is mended


class Window(NamedTuple):
    start: float
    end: float
    what: str  # fast, immediate, hang, restart

    @property
    def length(self) -> float:
        return self.end - self.start


def plan(profile: Profile, seed: int) -> list[Fault]:
    dice = random.Random(f"timeline/{seed}")
    found = windows(profile, dice)
    longest = max((w for w in found if w.what != "restart"), key=lambda w: w.length, default=None)
    faults = [of_window(window, profile, window is longest) for window in found]
    faults += kills(profile, dice)
    faults += [cut(at, dice) for at in spread(profile.cuts, profile, dice)]
    starved = min(10.0, 0.06 * profile.seconds)
    faults += [Fault(at, "starve_broker", "", starved) for at in spread(profile.maxmemory, profile, dice)]
    return sorted(faults)


def windows(profile: Profile, dice: random.Random) -> list[Window]:
    """One after the other in an order of chance, with gaps of chance; the longest outage is a hang."""
    kinds = ["hang"] * profile.hangs
    kinds += [("fast", "immediate")[turn % 2] for turn in range(profile.outages - profile.hangs)]
    lengths = [profile.longest] + [min(profile.longest, dice.uniform(8, 20)) for _ in kinds[1:]]
    wanted = list(zip(kinds, lengths, strict=False)) + [("restart", RESTART_SECONDS)] * profile.restarts
    dice.shuffle(wanted)
    room = (LAST - FIRST) * profile.seconds
    used = sum(length for _, length in wanted)
    # Where they do not fit (a short run of much) all of them shrink alike.
    scale = min(1.0, 0.9 * room / used) if used else 1.0
    gaps = [dice.uniform(0.5, 1.5) for _ in wanted]
    each = (room - used * scale) / sum(gaps) if gaps else 0.0
    found, at = [], FIRST * profile.seconds
    for (what, length), gap in zip(wanted, gaps, strict=True):
        at += gap * each
        found.append(Window(at, at + length * scale, what))
        at += length * scale
    return found


def of_window(window: Window, profile: Profile, longest: bool) -> Fault:
    """In the longest outage ingest begins anew, and the spill volume is full to a while after the end."""
    if window.what == "restart":
        return Fault(window.start, "restart_everything")
    words = [window.what]
    if longest:
        words += ["ingest", *(["fill"] if profile.full_spill else [])]
    return Fault(window.start, "database_away", " ".join(words), window.length)


def kills(profile: Profile, dice: random.Random) -> Iterator[Fault]:
    wanted = {
        ("kill_worker", "KILL"): profile.worker_kills,
        ("kill_worker", "TERM"): profile.terms,
        ("kill_broker", ""): profile.broker_kills,
        ("kill_role", "ingest"): profile.ingest_kills,
        ("kill_role", "web"): profile.web_kills,
        ("kill_role", "beat"): profile.beat_kills,
    }
    for (what, argument), count in wanted.items():
        for at in spread(count, profile, dice):
            yield Fault(at, what, argument)


def cut(at: float, dice: random.Random) -> Fault:
    """One of the two proxies misbehaves for a moment."""
    where, how = dice.choice(("broker", "database")), dice.choice(("cut", "swallow", "mute", "delay"))
    return Fault(at, "proxy", f"{where} {how}", dice.uniform(0.3, 3.0))


def spread(count: int, profile: Profile, dice: random.Random) -> list[float]:
    """One in each of `count` equal parts of the run."""
    first, width = FIRST * profile.seconds, (LAST - FIRST) * profile.seconds / max(count, 1)
    return [first + (turn + dice.random()) * width for turn in range(count)]
