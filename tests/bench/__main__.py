"""`python -m tests.bench`: the figures of one run, as a table and as JSON in var/bench.

Phases: as fast as it goes with bodies of 1000 and of 100 lines, a steady rate with latencies and the time to
searchable, and the floor, before and after, since a shared machine is not the same machine a minute later.
A phase ends when every line is stored; only then is CPU read, and every line counted.
"""

import argparse
import contextlib
import json
import os
import platform
import resource
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest.client import Target
from ingest.demo import Town
from tests.bench import floor, load, report, searchable, stored
from tests.bench.installation import ROOT, Installation, installation, running
from tests.bench.processes import cpu_seconds, difference

STEADY_LINES = 5000  # a second
PROBES = 1  # one at a time: a search costs more than the lines it looks for


class Bench:
    def __init__(self, made: Installation, seed: int) -> None:
        self.made, self.facts = made, made.facts
        self.ingest = Target(self.facts["ingest_url"], self.facts["ingest_token"])
        self.web = Target(self.facts["web_url"], self.facts["read_token"])
        self.town = Town(20, seed)
        self.database = stored.connect(self.facts["database_url"])
        self.name = f"bench-{seed}"

    def bodies(self, lines: int, size: int) -> list[tuple[bytes, int]]:
        """Made beforehand, with times of the minute before they are sent."""
        now = time.time_ns()
        made = self.town.lines(lines, now - 60_000_000_000, now)
        cut = [made[first : first + size] for first in range(0, lines, size)]
        return [(b"\n".join(part) + b"\n", len(part)) for part in cut]

    def phase(
        self, title: str, lines: int, size: int, *, per_second: float | None = None, probes: int = 0
    ) -> dict[str, Any]:
        requests = load.prepared(
            self.ingest.url, self.ingest.token, f"{self.name}-{title}", self.bodies(lines, size)
        )
        marker, bytes_before = stored.newest(self.database), stored.size(self.database)
        cpu, client, begun = cpu_seconds(self.made.roles), own_cpu(), time.time()
        with self.probing(probes) as found:
            shot = load.fire(self.ingest.url, requests, per_second / size if per_second else None)
        client = own_cpu() - client
        sent = shot.lines + len(found)
        finished = stored.wait(self.database, marker, sent)
        used = difference(cpu, cpu_seconds(self.made.roles))
        stored.check(self.database, marker, sent, shot.requests + len(found))
        figures = {
            "lines": sent,
            "requests": shot.requests,
            "refused": shot.refused,
            "send_seconds": shot.seconds,
            "seconds": finished - begun,
            "lines_per_second": sent / (finished - begun),
            "cpu_per_million": {
                role: cost / sent * 1e6 for role, cost in {**used, "load client": client}.items()
            },
            "cpu_per_million_total": sum(used.values()) / sent * 1e6,
            "cores_used": (sum(used.values()) + client) / (finished - begun),
            "post_ms": {
                name: load.percentile(shot.latencies, share) * 1e3 for name, share in report.SHARES.items()
            },
            "bytes_per_line": (stored.size(self.database) - bytes_before) / sent,
        }
        if found:
            shares = report.SHARES.items()
            figures["searchable_ms"] = {name: load.percentile(found, share) * 1e3 for name, share in shares}
        return figures

    @contextlib.contextmanager
    def probing(self, count: int) -> Iterator[list[float]]:
        found: list[float] = []
        stop = threading.Event()
        arguments = (self.ingest, self.web, stop, found, 0.1)
        threads = [threading.Thread(target=searchable.probe, args=arguments) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield found
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def floor(self, lines: int) -> floor.Floor:
        bodies = [body for body, _ in self.bodies(lines, 1000)]
        hypertable = "plain" not in str(self.facts["edition"]).lower()
        return floor.measure(self.facts["database_url"], self.made.roles["postgres"], bodies, hypertable)


def own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run(made: Installation, options: argparse.Namespace) -> dict[str, Any]:
    bench = Bench(made, time.time_ns() % 10**6)
    bench.phase("warm", 20_000, 1000)
    floors = [bench.floor(options.lines // 2)]
    phases = {
        "bodies of 1000": bench.phase("thousand", options.lines, 1000),
        "bodies of 100": bench.phase("hundred", options.lines // 2, 100),
        f"{STEADY_LINES:,} lines/s": bench.phase(
            "steady", STEADY_LINES * options.seconds, 1000, per_second=STEADY_LINES, probes=PROBES
        ),
    }
    floors.append(bench.floor(options.lines // 2))
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Linux {platform.release()}",
        "edition": str(made.facts["edition"]),
        "floor": {
            "cpu_per_million": statistics.mean(one.cpu_per_million for one in floors),
            "cpu_per_million_each": [one.cpu_per_million for one in floors],
            "lines_per_second": statistics.mean(one.lines / one.seconds for one in floors),
        },
        "phases": phases,
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--lines", type=int, default=400_000, help="of the phase with bodies of 1000 (400,000)"
    )
    parser.add_argument("--seconds", type=int, default=20, help="of the steady phase (20)")
    parser.add_argument(
        "--up", type=Path, metavar="UP_JSON", help="use this installation, not one of its own"
    )
    parser.add_argument("--timescale", type=Path, metavar="ROOT", help="run on TimescaleDB from this root")
    parser.add_argument(
        "--keep-baseline", action="store_true", help="store the ratios to compare later runs with"
    )
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.up:
        figures = run(running(options.up), options)
    else:
        with installation(options.timescale) as made:
            figures = run(made, options)
    print(report.table(figures))
    path = ROOT / "var" / "bench" / f"{figures['when'].replace(':', '')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"\n{path}")
    if options.keep_baseline:
        report.keep(figures)
    print(report.comparison(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
