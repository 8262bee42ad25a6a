"""Which fields lines have, and what their numbers come to."""

import json
from typing import Any

import msgspec
import pytest

from ingest.record import LogRecord
from tests.reading import DAY, put
from tests.rows import NOW_US, record
from webapp.access.scope import ALL, NOTHING, Scope
from webapp.logs import catalogue, erase, store, times
from webapp.logs.asking import Ask, Refused
from webapp.logs.fields import Fields, Known, fields
from webapp.logs.stats import Numbers, Stats, stats

HOUR = 3_600_000_000


def having(*attributes: dict[str, Any], at: int = NOW_US, **more: Any) -> list[LogRecord]:
    return [record("x", at, attributes=json.dumps(one).encode(), **more) for one in attributes]


def take_up(url: str) -> None:
    with store.connect(url) as conn:
        catalogue.run(conn)


def ask(start: int, end: int, **more: Any) -> Ask:
    return Ask(start=times.rfc3339(start * 1000), end=times.rfc3339(end * 1000), **more)


def named(found: Fields, name: str) -> Known:
    (known,) = (known for known in found.fields if known.name == name)
    return known


def attributes(found: Fields) -> dict[str, int]:
    return {known.name: known.count for known in found.fields if not known.builtin}


def test_the_catalogue_and_every_line_tell_the_same_of_a_few(url: str) -> None:
    put(url, *having({"code": 200, "a": None}, {"code": "x", "b": True}, host=""))
    put(url, *having({"code": 500}, severity=None), source=9)
    take_up(url)
    quick, exact = fields(Ask(), ALL), fields(Ask(), ALL, exact=True)
    for found in (quick, exact):
        assert attributes(found) == {"code": 3, "b": 1}
        assert named(found, "code").types == ["number", "string"]
        assert (named(found, "code").distinct, named(found, "source").distinct) == (3, 2)
        assert (named(found, "host").count, named(found, "severity").count) == (1, 2)
        builtin = {known.name for known in found.fields if known.builtin}
        assert builtin == {"time", "source", "batch", "severity", "service", "host", "message"}
        assert all(known.example for known in found.fields if known.name != "batch")
    assert {known.count_relation for known in exact.fields} == {"eq"}
    assert {known.count_relation for known in quick.fields} == {"estimated"}


def test_a_reader_s_fields_are_those_of_his_sources(url: str) -> None:
    put(url, *having({"mine": 1}))
    put(url, *having({"secret": 1}), source=9)
    take_up(url)
    for exact in (False, True):
        assert attributes(fields(Ask(), Scope(frozenset({3})), exact=exact)) == {"mine": 1}
        assert attributes(fields(Ask(sources=("9",)), ALL, exact=exact)) == {"secret": 1}
        assert attributes(fields(Ask(sources=("9",)), Scope(frozenset({3})), exact=exact)) == {}
        assert fields(Ask(), NOTHING, exact=exact).fields == []


def test_the_range_counts_in_whole_slots_and_exactly_where_asked(url: str) -> None:
    put(url, *having({"early": 1}, at=NOW_US - DAY), *having({"now": 1}), *having({"now": 1}, at=NOW_US + 1))
    take_up(url)
    asked = ask(NOW_US + 1, NOW_US + HOUR)
    assert attributes(fields(asked, ALL)) == {"now": 2}
    assert attributes(fields(asked, ALL, exact=True)) == {"now": 1}
    assert attributes(fields(ask(NOW_US - DAY, NOW_US), ALL)) == {"early": 1}


def test_names_are_looked_for_whatever_the_case(url: str) -> None:
    put(url, *having({"HTTP.status": 1, "other": 2, "50%": 1}))
    take_up(url)
    for exact in (False, True):
        assert attributes(fields(Ask(), ALL, contains="http", exact=exact)) == {"HTTP.status": 1}
        assert attributes(fields(Ask(), ALL, contains="%", exact=exact)) == {"50%": 1}
        assert [known.name for known in fields(Ask(), ALL, contains="sour", exact=exact).fields] == ["source"]


def test_lines_that_came_lately_are_said_to_wait(url: str) -> None:
    put(url, *having({"a": 1}))
    take_up(url)
    put(url, *having({"b": 1}, {"b": 2}))
    found = fields(Ask(), ALL)
    assert (attributes(found), found.waiting) == ({"a": 1}, 2)
    assert attributes(fields(Ask(), ALL, exact=True)) == {"a": 1, "b": 2}


def test_what_is_left_off_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "MOST_FIELDS", 1)
    put(url, *having({"a": 1, "b": 1}, {"a": 1}))
    take_up(url)
    found = fields(Ask(), ALL)
    assert (attributes(found), found.left_off) == ({"a": 2}, 1)


def test_exact_counts_only_the_lines_of_the_search(plain_url: str) -> None:
    put(plain_url, *having({"a": 1}, service="api"), *having({"b": 1}, service="web"))
    assert attributes(fields(Ask(q="service:web"), ALL, exact=True)) == {"b": 1}
    with pytest.raises(Refused):
        fields(Ask(q="("), ALL)


def test_an_erased_source_s_fields_are_gone_before_its_lines_are(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(url, *having({"secret": 1}), source=9)
    take_up(url)
    with store.connect(url) as conn:
        erase.begin(conn, 9)
        assert fields(Ask(), ALL).fields == []


# ---- numbers ----


def plain(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


def numbers(of: Numbers | Stats) -> list[Any]:
    return [plain(getattr(of, name)) for name in ("count", "min", "max", "avg", "p50", "p90", "p95", "p99")]


def test_numbers_are_summed_up_whole_and_over_time(url: str) -> None:
    put(url, *having(*({"ms": number} for number in range(1, 101))))
    put(url, *having({"ms": "0.5"}, {"ms": [1]}, {"ms": None}, {}, {"ms": "slow"}, at=NOW_US + HOUR))
    made = stats(ask(NOW_US, NOW_US + 2 * HOUR), ALL, "ms", buckets=2)
    assert numbers(made) == [101, 0.5, 100, 50.004950495, 50, 90, 95, 99]
    assert (made.total, made.other, made.missing) == (105, 2, 2)
    first, second = made.series
    assert numbers(first) == [100, 1, 100, 50.5, 50, 90, 95, 99]
    assert numbers(second) == [1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert (first.time, second.time) == (times.rfc3339(NOW_US * 1000), times.rfc3339((NOW_US + HOUR) * 1000))


def test_no_number_is_nothing_and_no_zero(url: str) -> None:
    put(url, *having({"ms": "slow"}))
    made = stats(Ask(), ALL, "ms")
    assert numbers(made) == [0] + [None] * 7
    assert (made.total, made.other) == (1, 1)
    nobody = stats(Ask(), NOTHING, "ms")
    assert (nobody.total, numbers(nobody)[1]) == (0, None)


def test_long_numbers_stay_exact(plain_url: str) -> None:
    put(plain_url, record("x", attributes=b'{"n": 12345678901234567890.125}'))
    put(plain_url, record("x", attributes=b'{"n": 1e300}'), record("x", attributes=b'{"n": 1e-300}'))
    made = stats(Ask(), ALL, "n")
    assert made.p50 == msgspec.Raw(b"12345678901234567890.125")
    assert (made.max, made.min) == (msgspec.Raw(b"1E+300"), msgspec.Raw(b"1E-300"))


def test_built_in_fields_with_numbers_have_statistics_too(plain_url: str) -> None:
    put(
        plain_url, record("x", severity=9), record("x", severity=17), record("x", severity=None, service="12")
    )
    assert numbers(stats(Ask(), ALL, "level"))[:4] == [2, 9, 17, 13]
    assert numbers(stats(Ask(), ALL, "service"))[:3] == [1, 12, 12]
    for name in ("message", "time", "@"):
        with pytest.raises(Refused):
            stats(Ask(), ALL, name)


def test_statistics_are_of_the_search_s_lines_and_of_a_reader_s(url: str) -> None:
    put(url, *having({"ms": 1}, service="api"), *having({"ms": 5}, service="web"))
    put(url, *having({"ms": 9}), source=9)
    assert numbers(stats(Ask(q="service:web"), ALL, "ms"))[:3] == [1, 5, 5]
    assert numbers(stats(Ask(), Scope(frozenset({3})), "ms"))[:3] == [2, 1, 5]
