"""Reading under load, by hand: `python -m tests.chaos.reads agree|tail`.

agree   List, total and histogram under one as_of describe the same lines while others are stored.
tail    Tails that are broken off again and again miss nothing and repeat nothing.

Exit code 0: nothing differs, and what was posted meanwhile is there once, unchanged. Everything runs in an
installation of its own, without faults.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg

from ingest.journal import Journal
from tests.bench.installation import Installation, installation
from tests.chaos import checking, posting, reading
from tests.chaos.checking import Verdict
from tests.chaos.ground import looking, until
from tests.chaos.posting import Plan, Posting
from webapp.challenge.journal import Book
from webapp.local import installation as kept

DRAIN_SECONDS = 300.0


def plan_of(made: Installation, scratch: Path, options: argparse.Namespace) -> Plan:
    return Plan(
        url=made.facts["ingest_url"],
        token=made.facts["ingest_token"],
        journal=str(scratch / "journal.ndjson"),
        seed=0,
        batches=options.lines // options.batch,
        lines=options.batch,
        rate=options.rate,
        first_ns=time.time_ns() - 3600 * 10**9,
        poison=0.0,
        odd_ways=False,
    )


def agree(made: Installation, place: str, plan: Plan) -> tuple[dict[str, Any], Counter[str]]:
    rounds, found = reading.agreement(made, plan.batches * plan.lines / plan.rate)
    return {"rounds": rounds}, found


def tail(made: Installation, place: str, plan: Plan) -> tuple[dict[str, Any], Counter[str]]:
    return reading.tails(made, place, plan.batches, plan.lines, plan.batches * plan.lines / plan.rate)


def read(made: Installation, plan: Plan, mode: str) -> Verdict:
    """The check runs while lines are posted, from a place before the first."""
    place = reading.place(made)
    with Journal(Path(plan.journal)) as journal:
        clients = Posting(plan, Book(journal))
        load = threading.Thread(target=clients.post_all)
        load.start()
        figures, found = {"agree": agree, "tail": tail}[mode](made, place, plan)
        load.join()
    if clients.failure:
        raise clients.failure
    print("\n".join(f"  {name:<20} {value}" for name, value in figures.items()))
    verdict = stored(made, plan)
    verdict.found += found
    return verdict


def stored(made: Installation, plan: Plan) -> Verdict:
    url = made.facts["database_url"]
    known = kept.read(made.directory / "environment.json")
    with psycopg.connect(url, autocommit=True) as conn, looking(known["BROKER_URL"]) as buffer:
        there = lambda: checking.one(conn, "SELECT count(*) FROM log_batch") >= plan.batches  # noqa: E731
        until(there, "all batches", time.sleep, DRAIN_SECONDS)
        return checking.check(url, buffer, posting.read(Path(plan.journal)), plan.lines, plan.first_ns)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.reads", description=__doc__.split("\n")[0])
    parser.add_argument("mode", choices=("agree", "tail"))
    parser.add_argument("--lines", type=int, default=240_000)
    parser.add_argument("--rate", type=float, default=5000.0, help="lines per second offered")
    parser.add_argument("--batch", type=int, default=1000, help="lines of one POST")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="logboom-reads-") as scratch, installation() as made:
        verdict = read(made, plan_of(made, Path(scratch), options), options.mode)
    print(f"\nDifferences\n{verdict.told()}" if verdict.found else "\nNo difference.")
    return 1 if verdict.found else 0


if __name__ == "__main__":
    sys.exit(main())
