"""The demo's story has all that it promises, is the same every time, and can be found."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest import story
from webapp.logs import query

TOLD = int(datetime(2026, 11, 24, 15, 30, tzinfo=UTC).timestamp()) * 10**9
MINUTE = 60.0


class Told:
    """The story as an ingest reads it."""

    def __init__(self) -> None:
        self.bodies = story.bodies(TOLD)
        self.good: list[dict[str, Any]] = []
        self.bad: list[bytes] = []
        for body in self.bodies:
            for line in body.splitlines():
                try:
                    self.good.append(json.loads(line))
                except ValueError:
                    self.bad.append(line)

    def said(self, text: str = "", **fields: str) -> list[dict[str, Any]]:
        return [
            line
            for line in self.good
            if text in line["message"] and all(line.get(name) == value for name, value in fields.items())
        ]


def ago(line: dict[str, Any]) -> float:
    """Minutes before the telling."""
    return (TOLD / 1e9 - datetime.fromisoformat(line["time"]).timestamp()) / MINUTE


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


def test_the_same_instant_gives_the_same_bytes(told: Told) -> None:
    assert story.bodies(TOLD) == told.bodies
    assert story.bodies(TOLD, seed=2) != told.bodies


def test_fifty_thousand_lines_fill_the_day_before(told: Told) -> None:
    assert len(told.good) == 50_000
    assert all(0 < ago(line) <= 24 * 60 for line in told.good)


def test_the_day_has_a_shape(told: Told) -> None:
    hours = Counter(line["time"][11:13] for line in told.good)
    assert len(hours) == 24
    assert hours["19"] > 3 * hours["03"] and hours["12"] > 2 * hours["03"]


def test_errors_are_rare_but_for_six_minutes(told: Told) -> None:
    errors = [ago(line) for line in told.said(level="error")]
    within = [minutes for minutes in errors if 4 <= minutes <= 10]
    assert len(within) > 600
    assert len(errors) - len(within) < 100


def test_failed_orders_cross_four_services_under_one_trace(told: Told) -> None:
    traces: dict[str, set[str]] = defaultdict(set)
    for line in told.said(level="error"):
        if 4 <= ago(line) <= 10 and line["service"] != "mailer":
            traces[line["trace_id"]].add(line["service"])
    assert len(traces) == 6 * story.ORDERS_A_MINUTE
    assert all(services == {"web", "checkout", "payments", "inventory"} for services in traces.values())
    assert len(traces[story.TRACE]) == 4, "the one that is offered"


def test_the_cause_is_there_to_be_found(told: Told) -> None:
    released = told.said("db.pool.max 64 -> 6")
    assert len(released) == 3 and all(13 < ago(line) < 14 for line in released)
    states = {ago(line) // 1: line["attributes"]["db.pool.max"] for line in told.said("pool ledger:")}
    assert (states[1.0], states[7.0], states[60.0]) == (64, 6, 64)


def test_a_new_pattern_appears_with_the_outage_and_never_before(told: Told) -> None:
    assert {round(ago(line)) for line in told.said("no connection from pool")} <= set(range(4, 11))


def test_stack_traces_are_messages_of_many_lines(told: Told) -> None:
    (shown,) = told.said("Caused by: shop.payments.PoolExhausted", trace_id=story.TRACE)
    assert shown["message"].count("\n") > 8


def test_the_tills_lines_are_hours_late(told: Told) -> None:
    late = [json.loads(line) for line in told.bodies[-1].splitlines()]
    assert {line["service"] for line in late} == {"till"}
    assert len(late) == story.TILL_LINES
    assert all(ago(line) > 120 for line in late[:-1]) and ago(late[-1]) < 1


def test_one_line_is_cut_short(told: Told) -> None:
    assert len(told.bad) == 1


def test_the_searches_offered_can_be_read_and_stay_within_the_demo() -> None:
    assert len(story.SEARCHES) == 3
    for _, search, _ in story.SEARCHES:
        query.parse(search)
        assert search.startswith("source:demo ")
