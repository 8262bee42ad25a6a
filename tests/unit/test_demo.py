"""Made-up lines are like real ones in what matters for load: size, spread, shared traces."""

import json
from collections import Counter

from ingest.demo import Town, name_of

LINES = [json.loads(line) for line in Town(20, seed=1).lines(4000, 0, 4_000_000_000)]


def mean(sizes: list[int]) -> float:
    return sum(sizes) / len(sizes)


def test_sizes_are_those_of_the_published_measurements() -> None:
    assert 325 < mean([len(json.dumps(line, separators=(",", ":"))) for line in LINES]) < 375
    assert 120 < mean([len(line["message"]) for line in LINES]) < 150
    assert {len(line.get("attributes", {})) for line in LINES} <= set(range(7))


def test_half_the_lines_belong_to_a_trace_that_crosses_services() -> None:
    traced = [line for line in LINES if "trace_id" in line]
    assert 0.45 < len(traced) / len(LINES) < 0.55
    services = {line["service"] for line in traced if line["trace_id"] == traced[0]["trace_id"]}
    assert len(services) > 1


def test_a_few_services_say_most() -> None:
    counts = Counter(line["service"] for line in LINES)
    assert len(counts) == 20
    assert counts.most_common(1)[0][1] > 5 * min(counts.values())


def test_times_fill_the_range_in_order() -> None:
    times = [line["time"] for line in LINES]
    assert times == sorted(times)
    assert times[0] == "1970-01-01T00:00:00.000000000Z" and times[-1] < "1970-01-01T00:00:04"


def test_a_seed_gives_the_same_lines_again() -> None:
    assert Town(5, seed=3).lines(50, 0, 10) == Town(5, seed=3).lines(50, 0, 10)


def test_any_number_of_services_has_names() -> None:
    assert len({name_of(index) for index in range(75)}) == 75
