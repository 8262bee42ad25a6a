"""One seed, one timeline, with as many faults of each kind as its profile says."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.chaos import timeline
from tests.chaos.timeline import LONG, PROFILES, Fault, Profile


def outages(faults: list[Fault]) -> list[Fault]:
    return [fault for fault in faults if fault.what == "database_away"]


def test_a_seed_gives_the_same_timeline_and_another_seed_another() -> None:
    assert timeline.plan(LONG, 1) == timeline.plan(LONG, 1) != timeline.plan(LONG, 2)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_there_are_as_many_of_each_as_the_profile_says(profile: Profile) -> None:
    found = timeline.plan(profile, 3)
    counts = Counter((fault.what, fault.argument) for fault in found)
    assert counts["kill_worker", "KILL"] == profile.worker_kills
    assert counts["kill_worker", "TERM"] == profile.terms
    assert counts["kill_role", "ingest"] == profile.ingest_kills
    assert counts["kill_broker", ""] == profile.broker_kills
    assert sum(fault.what == "proxy" for fault in found) == profile.cuts
    assert len(outages(found)) == profile.outages
    assert sum("hang" in fault.argument for fault in outages(found)) == profile.hangs


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_outages_do_not_overlap_and_all_of_it_lies_within_the_run(profile: Profile) -> None:
    found = timeline.plan(profile, 4)
    for one, next_one in pairwise(outages(found)):
        assert one.at + one.seconds < next_one.at
    assert all(fault.at > 0 and fault.at + fault.seconds <= profile.seconds for fault in found)


def test_the_long_run_has_a_hang_of_three_minutes_in_which_ingest_is_restarted() -> None:
    (longest,) = [fault for fault in outages(timeline.plan(LONG, 5)) if "ingest" in fault.argument]
    assert longest.argument == "hang ingest fill"
    assert longest.seconds == pytest.approx(180)


def test_more_than_fits_is_made_to_fit() -> None:
    crowded = replace(LONG, minutes=2)
    last = max(fault.at + fault.seconds for fault in outages(timeline.plan(crowded, 6)))
    assert last <= crowded.seconds
