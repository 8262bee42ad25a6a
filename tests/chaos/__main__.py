"""`make chaos`: an installation of its own under load and faults by seed; then every line is counted.

    make chaos                           a minute with a few of each fault
    make chaos ARGS=long                 the acceptance: 15 minutes, 5 million lines, 100 kills of a worker
    make chaos ARGS="long --minutes 3 --lines 900000 --seed 7"

Prints the seed, what was done when, figures and differences. Exit code 0: nothing lost, nothing twice,
nothing in part, quarantine exactly what was planted, the ledger balanced; 1: something differs.
"""

import argparse
import contextlib
import dataclasses
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from tests.bench.installation import ROOT
from tests.chaos import checking, lines, posting, timeline, volume
from tests.chaos.checking import Verdict
from tests.chaos.faults import Faults
from tests.chaos.ground import Scene, scene, until
from tests.chaos.posting import Entry, Plan
from tests.chaos.timeline import Fault, Profile

DRAIN_SECONDS = 300.0
LATE_SECONDS = 120.0  # a fault that could not be done for so long after its time is given up
AGAIN_SECONDS = 1.0
AUDIT_WAIT = 150  # seconds for minutes to settle
BALANCED = "Everything is accounted for."


class Run:
    """One run on a scene that stands: load, faults, drain, verdict."""

    def __init__(self, here: Scene, profile: Profile, seed: int, note: Callable[[str], None]) -> None:
        self.scene, self.profile, self.seed, self.note = here, profile, seed, note
        self.plan = plan_of(here, profile, seed)
        self.faults = Faults(here, Path(self.plan.journal), note)
        self.verdict = Verdict()
        self.figures: dict[str, Any] = {}
        self.measured = 0.0

    def run(self) -> Verdict:
        with psycopg.connect(self.scene.database_url, autocommit=True) as conn:
            for statement in lines.REFUSAL:
                conn.execute(statement)
        with load(self.scene, self.plan) as process:
            self.go(process)
        self.end()
        self.judge()
        return self.verdict

    # ---- load and faults ----

    def go(self, process: subprocess.Popen[bytes]) -> None:
        """Until the timeline is through and every batch was answered."""
        began = time.monotonic()
        waiting = timeline.plan(self.profile, self.seed)
        while waiting or process.poll() is None or self.faults.busy():
            now = time.monotonic() - began
            waiting = sorted(self.attempt(waiting, now))
            self.turn()
        if process.returncode:
            said = (self.scene.ground.scratch / "logs" / "load.log").read_text()
            self.verdict.add("the clients gave up", 1, said[-500:])
        self.figures["seconds of load and faults"] = time.monotonic() - began

    def attempt(self, waiting: list[Fault], now: float) -> Iterator[Fault]:
        """What is due is done; what cannot be done just now is tried again a moment later."""
        for fault in waiting:
            if fault.at > now:
                yield fault
            elif not self.faults.do(fault):
                if now < self.profile.seconds + LATE_SECONDS:
                    yield fault._replace(at=now + AGAIN_SECONDS)
                else:
                    self.verdict.add("faults that could not be done", 1, f"{fault.what} {fault.argument}")

    def turn(self) -> None:
        self.scene.ground.step(0.1)
        self.faults.look()
        if time.monotonic() - self.measured > 1.0:
            self.measured = time.monotonic()
            self.faults.measure()

    # ---- the end ----

    def end(self) -> None:
        self.faults.mend()
        self.note("faults are over; what waits is drained")
        began = time.monotonic()
        drained = self.waited(lambda: not self.faults.measure().total())
        self.figures["seconds until all was drained"] = time.monotonic() - began
        if drained:
            fresh = posting.one(self.plan, self.plan.batches)
            drained = self.waited(lambda: stored(self.scene.database_url, fresh))
            self.verdict.add("a fresh batch did not land", not drained)
        if not drained:
            self.verdict.add("not drained", 1, str(self.faults.measure()))

    def waited(self, true: Callable[[], bool]) -> bool:
        try:
            until(true, "an empty queue", self.scene.ground.step, DRAIN_SECONDS)
        except TimeoutError:
            return False
        return True

    def judge(self) -> None:
        entries = posting.read(Path(self.plan.journal))
        url, size, first = self.scene.database_url, self.plan.lines, self.plan.first_ns
        with self.scene.buffer() as buffer:
            found = checking.check(url, buffer, entries, size, first)
        self.verdict.found += found.found
        self.verdict.examples.update(found.examples)
        self.audit()
        self.limits()
        self.felt(entries)
        self.figures = {**of_entries(entries), **dict(self.faults.done), **self.figures}

    def audit(self) -> None:
        code, said = self.scene.made.ask("audit", "--wait", str(AUDIT_WAIT))
        self.verdict.add("the ledger does not balance", code != 0 or BALANCED not in said, said[-2000:])

    def limits(self) -> None:
        terms, drain = self.faults.terms, self.figures["seconds until all was drained"]
        self.figures["seconds of the longest TERM"] = max(terms, default=0.0)
        self.figures["outages"] = len(self.faults.outages)
        self.figures["most batches seen queued"] = self.faults.most["queued"]
        self.figures["most batches seen spilled"] = self.faults.most["spilled"]
        self.figures["most workers that died over one batch"] = self.faults.most["deaths"]
        if (most := self.profile.most_drain) is not None:
            self.verdict.add(f"drained in more than {most:.0f} s", drain > most)
        if (most := self.profile.most_term) is not None:
            self.verdict.add(f"a TERM took more than {most:.0f} s", max(terms, default=0.0) > most)

    def felt(self, entries: dict[int, Entry]) -> None:
        """A fault that nobody felt proves nothing."""
        ats = [entry.at for entry in entries.values() if entry.outcome == "accepted"]
        away = sum(down <= at <= up for at in ats for down, up in self.faults.outages)
        again = sum(
            bool(self.faults.restarted_at) and down <= self.faults.restarted_at <= at <= up
            for at in ats
            for down, up in self.faults.outages
        )
        refused = self.faults.refused_spills()
        self.figures |= {
            "batches accepted without a database": away,
            "... by an ingest that was started without one": again,
            "spill files that the volume refused": refused,
        }
        self.verdict.add("no batch was accepted by an ingest started without a database", not again)
        if self.faults.done["spill volume filled"]:
            self.verdict.add("no worker felt the full volume", not refused)


def plan_of(here: Scene, profile: Profile, seed: int) -> Plan:
    return Plan(
        url=here.made.facts["ingest_url"],
        token=here.made.facts["ingest_token"],
        journal=str(here.ground.scratch / "journal.ndjson"),
        seed=seed,
        batches=profile.lines // profile.batch,
        lines=profile.batch,
        rate=profile.lines / profile.seconds,
        first_ns=time.time_ns() - 3600 * 10**9,
        poison=profile.poison,
    )


@contextlib.contextmanager
def load(here: Scene, plan: Plan) -> Iterator[subprocess.Popen[bytes]]:
    path = here.ground.scratch / "plan.json"
    path.write_bytes(msgspec.json.encode(plan))
    with (here.ground.scratch / "logs" / "load.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.posting", str(path)], cwd=ROOT, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def stored(url: str, fresh: Entry) -> bool:
    with psycopg.connect(url, autocommit=True) as conn:
        return conn.execute("SELECT FROM log_batch WHERE batch = %s::uuid", [fresh.id]).fetchone() is not None


def complaints(here: Scene) -> int:
    """What the logs of both workers still hold of it."""
    logs = [
        *(here.made.directory / "logs").glob("worker.log*"),
        *(here.ground.scratch / "logs").glob("worker-1.log*"),
    ]
    return sum(path.read_bytes().count(b"cannot spill, the batches stay in the broker") for path in logs)


def of_entries(entries: dict[int, Entry]) -> dict[str, Any]:
    outcomes = Counter(entry.outcome for entry in entries.values())
    accepted = [entry for entry in entries.values() if entry.outcome == "accepted"]
    return {
        "lines accepted": sum(entry.n for entry in accepted),
        **{f"batches {outcome}": count for outcome, count in sorted(outcomes.items())},
        "batches that were poison": sum(entry.kind != "good" for entry in entries.values()),
        "answers that said duplicate": sum(entry.duplicates for entry in accepted),
    }


def told(figures: dict[str, Any]) -> str:
    return "\n".join(
        f"  {name:<50} {value:>12,.1f}" if isinstance(value, float) else f"  {name:<50} {value:>12,}"
        for name, value in figures.items()
    )


def arguments() -> tuple[Profile, int, Path | None]:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=", description=__doc__.split("\n")[0])
    parser.add_argument("profile", nargs="?", choices=timeline.PROFILES, default="short")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--logs", type=Path, help="a directory that keeps the logs of all processes")
    for name in dataclasses.fields(Profile):
        kind = {"most_drain": float, "most_term": float}.get(name.name, type(name.default))
        word = "--" + name.name.replace("_", "-")
        if kind is bool:
            parser.add_argument(word, action=argparse.BooleanOptionalAction, default=None)
        else:
            parser.add_argument(word, type=kind, default=None)
    given = vars(parser.parse_args())
    profile, seed, logs = timeline.PROFILES[given.pop("profile")], given.pop("seed"), given.pop("logs")
    changed = {name: value for name, value in given.items() if value is not None}
    return dataclasses.replace(profile, **changed), seed, logs


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    volume.enter("tests.chaos")
    profile, seed, logs = arguments()
    signal.signal(signal.SIGTERM, interrupted)
    began = time.monotonic()

    def note(what: str) -> None:
        print(f"  {time.monotonic() - began:7.1f} s  {what}", flush=True)

    print(f"seed {seed}\n{profile}\n", flush=True)
    with scene(note, profile.broker_memory, profile.spill_megabytes) as here:
        note("everything is up; load and faults begin")
        run = Run(here, profile, seed, note)
        try:
            verdict = run.run()
        finally:
            if logs:
                here.keep_logs(logs)
    print(f"\nSeed {seed}\n{told(run.figures)}")
    if verdict.found:
        print(f"\nDifferences\n{verdict.told()}")
        return 1
    print("\nNo difference: every line once, unchanged; poison in quarantine; the ledger balances.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted: what was started has been stopped")
