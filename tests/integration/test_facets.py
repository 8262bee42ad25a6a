"""Facets and the summary: values, what is left over, and that every number of one as_of agrees."""

import json
import threading
from typing import Any

import psycopg
import pytest

from ingest.record import LogRecord
from tests.reading import put
from tests.rows import NOW_US, record, unit
from webapp.access.scope import ALL, NOTHING, Scope
from webapp.logs import store
from webapp.logs.asking import Ask, Refused
from webapp.logs.facets import Facet, Own, facets, summary
from webapp.logs.histogram import histogram
from webapp.logs.search import search

MINUTE = 60_000_000


def services(*names: str) -> list[LogRecord]:
    return [record(str(at), NOW_US + at, service=name) for at, name in enumerate(names)]


def codes(*values: Any) -> list[LogRecord]:
    return [
        record(str(at), NOW_US + at, attributes=json.dumps({"code": value}).encode())
        for at, value in enumerate(values)
    ]


def one(field: str, ask: Ask | None = None, scope: Scope = ALL, **more: Any) -> Facet:
    (facet,) = facets(ask or Ask(), scope, fields=[field], **more).facets
    assert facet.total == facet.missing + facet.other + sum(value.count for value in facet.values)
    return facet


def counts(facet: Facet) -> dict[str, int]:
    return {value.value: value.count for value in facet.values}


def selected(facet: Facet) -> list[str]:
    return [value.value for value in facet.values if value.selected]


# ---- values ----


def test_the_commonest_values_come_first_and_the_rest_is_counted(url: str) -> None:
    put(url, *services(*"aaabbccd", "", ""))
    facet = one("service", limit=2)
    assert list(counts(facet).items()) == [("a", 3), ("b", 2)]
    assert (facet.total, facet.missing, facet.other) == (10, 2, 3)
    assert (facet.distinct, facet.distinct_relation, facet.type) == (4, "eq", "string")


def test_every_field_that_groups_has_a_facet(url: str) -> None:
    put(url, record("one", severity=18, host="web"), record("two", severity=None, host=""))
    put(url, record("three", severity=17, host="web"), source=9)
    found = {facet.field: facet for facet in facets(Ask(), ALL).facets}
    assert list(found) == ["severity", "service", "host", "source"]
    assert (counts(found["severity"]), found["severity"].missing) == ({"error": 2}, 1)
    assert (counts(found["host"]), found["host"].missing) == ({"web": 2}, 1)
    assert counts(found["source"]) == {"3": 2, "9": 1}


def test_an_attribute_s_values_are_those_that_a_query_tells_apart(url: str) -> None:
    put(url, *codes(200, 200.0, "200", True, None, ["x", 1], ["x", 1], {}, 0.5))
    facet = one("code")
    assert counts(facet) == {"200": 3, "true": 1, '["x", 1]': 2, "{}": 1, "0.5": 1}
    assert (facet.missing, facet.type, facet.distinct) == (1, "mixed", 5)
    assert search(Ask(q="code:200"), ALL, limit=0, count="exact").total == 3
    assert one("code", Ask(q="0.5")).type is None


def test_an_attribute_with_a_built_in_s_name_is_a_field_of_its_own(plain_url: str) -> None:
    put(plain_url, record("one", attributes=b'{"service":"inner"}'), record("two"))
    for name in ("@service", "attributes.service"):
        facet = one(name, Ask(services=("checkout",)))
        assert (counts(facet), facet.missing, facet.field) == ({"inner": 1}, 1, name)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5], "number"),
        (["a"], "string"),
        ([True, None], "boolean"),
        ([[1], []], "array"),
        ([None], None),
    ],
)
def test_a_facet_tells_the_type_of_its_values(plain_url: str, values: list[Any], kind: str | None) -> None:
    put(plain_url, *codes(*values))
    assert one("code").type == kind


def test_contains_lists_only_values_that_contain_it(plain_url: str) -> None:
    put(plain_url, *services("Payment", "payroll", "web", "50%", ""))
    facet = one("service", contains="PAY")
    assert (counts(facet), facet.other, facet.distinct) == ({"Payment": 1, "payroll": 1}, 2, 2)
    assert counts(one("service", contains="%")) == {"50%": 1}
    none = one("service", contains="absent")
    assert (none.values, none.other, none.missing, none.distinct) == ([], 4, 1, 0)
    assert counts(one("severity", contains="inf")) == {"info": 5}


# ---- own clauses ----


def test_a_field_s_own_clauses_are_left_out_so_that_more_can_be_picked(url: str) -> None:
    put(url, *services(*"aaabbc"))
    for ask in (Ask(services=("b",)), Ask(q="service:b"), Ask(q="service:(b, x) host:web-1")):
        facet = one("service", ask)
        assert (counts(facet), selected(facet), facet.total) == ({"a": 3, "b": 2, "c": 1}, ["b"], 6)
        alone = one("service", ask, own="include")
        assert (counts(alone), selected(alone), alone.total) == ({"b": 2}, ["b"], 2)
        (host,) = facets(ask, ALL, fields=["host"]).facets
        assert host.total == search(ask, ALL, limit=0, count="exact").total == 2


def test_what_is_selected_is_listed_however_rare_it_is(plain_url: str) -> None:
    put(plain_url, *services(*"aaaabbbccd"))
    facet = one("service", Ask(q="service:d"), limit=2)
    assert (counts(facet), selected(facet), facet.other) == ({"a": 4, "d": 1}, ["d"], 5)


def test_clauses_that_say_more_than_one_field_stay(plain_url: str) -> None:
    put(plain_url, *services(*"aab"), record("x", service="c", host="db"))
    facet = one("service", Ask(q="service:a OR host:db"))
    assert (counts(facet), selected(facet)) == ({"a": 2, "c": 1}, [])
    assert counts(one("service", Ask(q="*:web-1 service:b"))) == {"a": 2, "b": 1}


def test_exclusion_and_comparison_are_own_clauses_too(plain_url: str) -> None:
    put(plain_url, *codes(1, 5, 9, None))
    facet = one("code", Ask(q="-code:5"))
    assert (selected(facet), facet.total, facet.missing) == (["1", "9"], 4, 1)
    assert selected(one("code", Ask(q="code:>4"))) == ["5", "9"]
    put(plain_url, record("x", severity=20))
    assert selected(one("severity", Ask(severities=("error",)))) == ["error"]


# ---- agreement ----


@pytest.mark.parametrize("own", ["exclude", "include"])
def test_a_summary_is_of_one_set_and_adds_up(url: str, own: Own) -> None:
    for source in (1, 2):
        lines = [
            record(str(at), NOW_US - at * MINUTE, severity=[None, 1, 9, 17][at % 4], host="ab"[at % 2])
            for at in range(90)
        ]
        put(url, *lines, source=source)
    ask = Ask(q="host:a OR host:b", severities=(">=info",))
    made = summary(ask, ALL, fields=["severity", "host", "a.b", "c"], own=own, limit=1)
    page = search(Ask(q=ask.q, severities=ask.severities, as_of=made.as_of), ALL, limit=1000, count="exact")
    assert made.total == made.histogram.total == page.total == len(page.logs) == 88
    assert (made.total_relation, made.partial) == ("eq", False)
    assert made.histogram.as_of == made.as_of
    for facet in made.facets:
        assert facet.total == facet.missing + facet.other + sum(value.count for value in facet.values)
        if own == "include" or facet.field in ("a.b", "c"):
            assert facet.total == made.total
    assert histogram(Ask(q=ask.q, severities=ask.severities, as_of=made.as_of), ALL).total == made.total


def test_reads_under_one_as_of_agree_while_lines_are_stored(plain_url: str) -> None:
    done = threading.Event()

    def write() -> None:
        with store.connect(plain_url) as conn:
            while not done.is_set():
                store.store(conn, [unit(*(record("x", NOW_US + at) for at in range(20)))])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        totals = []
        for _ in range(8):
            made = summary(Ask(), ALL)
            again = facets(Ask(as_of=made.as_of), ALL)
            assert again.facets == made.facets
            assert {facet.total for facet in made.facets} == {made.total}
            totals.append(made.total)
    finally:
        done.set()
        writer.join()
    assert totals[-1] != totals[0], "nothing was stored meanwhile: this has shown nothing"


def test_a_scope_bounds_facets_also_without_their_own_clauses(plain_url: str) -> None:
    put(plain_url, *services("a"), source=1)
    put(plain_url, *services("b"), source=2)
    mine = Scope(frozenset({1}))
    assert counts(one("service", Ask(q="service:b"), mine)) == {"a": 1}
    assert counts(one("source", Ask(sources=("2",)), mine)) == {"1": 1}
    assert summary(Ask(), mine).total == 1
    nothing = one("service", scope=NOTHING)
    assert (nothing.total, nothing.values, nothing.type) == (0, [], None)


def test_the_range_bounds_facets(plain_url: str) -> None:
    put(plain_url, *(record(str(at), NOW_US + at, nanos=0, service=str(at)) for at in range(4)))
    assert list(counts(one("service", Ask(start=str(NOW_US + 1), end=str(NOW_US + 3))))) == ["1", "2"]
    assert list(counts(one("service", Ask(q=f"time:<{NOW_US + 1}")))) == ["0"]
    assert one("service", Ask(start=str(NOW_US), end=str(NOW_US))).total == 0


# ---- time runs out ----


def test_when_time_runs_out_each_facet_says_what_it_covers(plain_url: str) -> None:
    put(plain_url, record("new", NOW_US), record("old", NOW_US - 3 * 86_400_000_000))
    # The newest part of a range that begins with the old line's day.
    ask = Ask(start=str(NOW_US - 3 * 86_400_000_000), end=str(NOW_US + 1), timeout_ms=1500)
    with psycopg.connect(plain_url) as blocker:
        day = blocker.execute("SELECT tableoid::regclass::text FROM log ORDER BY time LIMIT 1").fetchone()
        assert day is not None
        blocker.execute(f"LOCK TABLE {day[0]} IN ACCESS EXCLUSIVE MODE")  # type: ignore[arg-type]
        made = summary(ask, ALL, fields=["service", "host"])
    assert (made.partial, made.total, made.total_relation) == (True, 1, "gte")
    for facet in made.facets:
        assert (counts(facet) and facet.total, facet.distinct_relation) == (1, "gte")
        assert facet.covered is not None and facet.covered["end"] == made.histogram.end
    assert not summary(ask, ALL).partial


# ---- what is refused ----


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"fields": ["message"]}, "field"),
        ({"fields": ["@"]}, "field"),
        ({"fields": ["a\0"]}, "field"),
        ({"fields": [f"f{at}" for at in range(21)]}, "field"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"contains": "\0"}, "contains"),
    ],
)
def test_what_cannot_be_counted_is_refused_by_name(asked: dict[str, Any], param: str) -> None:
    for read in (facets, summary):
        with pytest.raises(Refused) as refused:
            read(Ask(), ALL, **asked)
        assert refused.value.param == param


def test_fields_counted_in_one_scan_have_the_numbers_that_each_has_alone(url: str) -> None:
    put(url, *codes(200, 200.0, "x", None, ["x"]), *services("a", "b", "", "b"))
    put(url, record("x", severity=None, host="", attributes=b'{"service": "inner", "n": true}'), source=9)
    names = ["service", "severity", "level", "host", "source", "code", "@service", "n", "absent"]
    for ask in (Ask(), Ask(q="service:b"), Ask(q="nothing"), Ask(q="code:200 host:web-1")):
        together = facets(ask, ALL, fields=names, limit=2).facets
        assert together == [one(name, ask, limit=2) for name in names]


def test_the_histogram_tells_the_same_values_apart(url: str) -> None:
    put(url, *codes(200, 200.0, "200", 2e2, [1], {}, True, None, 0.50))
    drawn = {series.value: series.total for series in histogram(Ask(), ALL, by="code").series}
    assert drawn == {**counts(one("code")), "missing": 1}
