"""Whatever is stored and whatever is asked, SQL finds the lines that plain Python finds."""

import itertools
import json
import uuid
from collections import Counter
from datetime import UTC
from decimal import Decimal
from typing import Any

import hypothesis
import psycopg
import pytest
from django.conf import LazySettings
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from ingest.record import LogRecord
from tests import oracle
from tests.oracle import Stored
from tests.rows import NOW_US, record, unit
from webapp.access.scope import ALL
from webapp.logs import query, store, times
from webapp.logs.asking import Ask
from webapp.logs.export import Export
from webapp.logs.facets import summary
from webapp.logs.lines import Line
from webapp.logs.mending import QueryError
from webapp.logs.search import search

SECOND = 1_000_000
SOURCE = """
INSERT INTO access_source (id, name, description, weight, retention_days, identical_is_retry, created)
VALUES (%s, %s, '', 1, 30, false, now())
"""
WORDS = [
    "timeout",
    "Timeout",
    "ÉTÉ",
    "été",
    "a%b",
    "a_b",
    "back\\slash",
    "5",
    "straße",
    "x",
    "",
    "*",
    '"',
    "a\nb",
]
NAMES = ["api", "web", "API", "10.1.2.3", "a*c", "abc", "7"]
NUMBERS = ["200", "200.0", "-1", "0", "3.25", "1e2", "007", "12345678901234567890", "+5", ".5", "1e999"]
ADDRESSES = ["10.0.0.1", "10.300.0.1", "2001:db8::1", "::ffff:10.0.0.1", "fe80::1%eth0", "::", "010.0.0.1"]
TEXTS = [*WORDS, *NAMES, *NUMBERS, *ADDRESSES, "true", "null"]
JSON = [200, 0, -1, 500, 12345678901234567890, 3.25, 200.0, 100.0, True, False, None, {}, []]
ARRAYS = [["x", 200], ["200"], [[200], {}], [None, "timeout"], [True], ["10.0.0.1", "::"], [5, "007", "abc"]]
STRINGS = st.sampled_from(TEXTS)
SCALARS = st.one_of(
    STRINGS, st.sampled_from([200, 0, -1, 500, 12345678901234567890]), st.booleans(), st.none(),
    st.sampled_from([3.25, 200.0, 100.0]),
)  # fmt: skip
VALUES = st.one_of(
    SCALARS, st.lists(st.one_of(SCALARS, st.just({}), st.just(["x"])), max_size=3), st.just({})
)
FIELDS = ["code", "user.id", "odd name", "ip", "service"]
TRACES = [bytes(range(16)), bytes(16)]
SPANS = [bytes(range(8)), b"\xff" * 8]
BATCHES = [uuid.UUID(int=number) for number in range(1, 4)]
SOURCES = {1: "one", 2: "two", 3: "three"}

RECORDS = st.builds(
    lambda attributes, **other: record(
        attributes=json.dumps(attributes, ensure_ascii=False).encode(), **other
    ),
    message=st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join),
    time_us=st.integers(-3, 3).map(lambda step: NOW_US + step * SECOND),
    nanos=st.sampled_from([0, 1, 999]),
    severity=st.sampled_from([None, 1, 9, 10, 13, 17, 20, 21, 24]),
    service=st.sampled_from(["", *NAMES]),
    host=st.sampled_from(["", *NAMES]),
    trace_id=st.sampled_from([None, *TRACES]),
    span_id=st.sampled_from([None, *SPANS]),
    attributes=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
)


def quoted(text: str) -> str:
    return '"' + "".join("\\" + c if c in '"\\*?:' else c for c in text) + '"'


def bare(text: str) -> str:
    return "".join("\\" + c if c in '"\\*?:' else c for c in text)


def iso(step: int) -> str:
    return f"{NOW_US // SECOND + step}"


def plain(text: str) -> bool:
    return bool(text) and not set(text) & set(' \n(),[]{}<>~"') and text not in ("AND", "OR", "NOT")


WILD = ["*", "**", "?", "a*", "*0", "?00", "*time*", "1*1", "a?c", "*.*", "??"]
SPANS_OF_NUMBERS = [
    *(sign + number for sign in (">", ">=", "<", "<=") for number in ("200", "0", "3.25", "1e2")),
    "[0 TO 200]", "{0 TO 200}", "[* TO 100}", "{3 TO *]", "[200 TO 200]", "{200 TO 200]",
]  # fmt: skip
NETWORKS = ["10.0.0.0/8", "2001:db8::/32", "::/0", "0.0.0.0/0", "10.1.2.3/32"]
REGEXES = [
    '~"time(out)?"',
    '~"q*"',
    '~"^[a-w]+$"',
    '~"(?i)T.?M"',
    '~"\\d{2,3}$"',
    '~"\\bx\\b"',
    '~"[^5]"',
    '~"a|e"',
    '~"a.b"',
]
PLAIN = STRINGS.filter(plain)
PIECES = st.sampled_from(WILD)
SCALAR = st.one_of(
    PLAIN.map(bare), STRINGS.map(quoted), PIECES, st.sampled_from([*SPANS_OF_NUMBERS, *NETWORKS, *REGEXES])
)
LISTS = st.lists(SCALAR, min_size=1, max_size=3).map(lambda items: "(" + " OR ".join(items) + ")")
TEXT_FIELD = st.sampled_from(
    ["code", "user.id", '"odd name"', "ip", "@service", "attributes.service", "service", "host"]
)
CLAUSES = st.one_of(
    STRINGS.map(quoted),
    st.tuples(TEXT_FIELD, st.one_of(SCALAR, LISTS)).map(":".join),
    st.one_of(PLAIN.map(bare), PIECES, st.just('~"t.*t"')).map(lambda value: f"message:{value}"),
    st.one_of(PLAIN.map(bare), STRINGS.map(quoted), PIECES).map(lambda value: f"*:{value}"),
    st.sampled_from(
        ["severity:error", "level:>=warn", "severity:<=debug", "severity:[info TO warn]",
         "severity:{warn TO *]", "severity:10", "severity:*", "severity:(fatal, trace)", "severity:>notice"]
    ),
    st.sampled_from([f"trace_id:{TRACES[0].hex()}", "trace_id:0001*", "trace_id:*", "span_id:ff*",
                     "span_id:*", f"span_id:{SPANS[0].hex().upper()}"]),
    st.sampled_from(["source:one", "source:(two, three)", "source:t*", "source:none", "source:?*"]),
    st.just("_exists_:code"),
    st.sampled_from([f"batch:{batch}" for batch in BATCHES] + [f"batch:{uuid.UUID(int=9)}"]),
    st.tuples(st.sampled_from([">", ">=", "<", "<=", ""]), st.integers(-3, 3)).map(
        lambda pair: f"time:{pair[0]}{iso(pair[1])}"
    ),
    st.sampled_from([f"time:[{iso(-1)} TO {iso(1)}]", f"time:{{{iso(-1)} TO *]", "time:*"]),
)  # fmt: skip
QUERIES = st.recursive(
    CLAUSES,
    lambda inner: st.one_of(
        inner.map(lambda text: f"NOT ({text})"),
        inner.map(lambda text: f"-({text})"),
        st.lists(inner, min_size=2, max_size=3).map(" ".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda texts: "(" + " OR ".join(texts) + ")"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} AND {pair[1]})"),
    ),
    max_leaves=5,
)


@pytest.fixture
def lines_url(any_database_url: str, settings: LazySettings) -> str:
    settings.DATABASE_URL = settings.DATABASE_READ_URL = any_database_url
    with psycopg.connect(any_database_url, autocommit=True) as conn:
        conn.cursor().executemany(SOURCE, list(SOURCES.items()))
    return any_database_url


def put(url: str, groups: list[list[LogRecord]]) -> list[Stored]:
    """Each group one batch of its own source, all of them one segment."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("TRUNCATE log, log_batch, log_segment, log_segment_slot")
    units = [unit(*group, batch=BATCHES[at], source=at + 1) for at, group in enumerate(groups)]
    with store.connect(url) as conn:
        store.store(conn, units)
    return [
        Stored(one, decoded(one.attributes), SOURCES[at + 1], BATCHES[at])
        for at, group in enumerate(groups)
        for one in group
    ]


def decoded(attributes: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(attributes, parse_float=Decimal, parse_int=Decimal)
    return found


def every_scalar() -> list[str]:
    texts = [bare(text) for text in TEXTS if plain(text)] + [quoted(text) for text in TEXTS]
    return [*texts, *WILD, *SPANS_OF_NUMBERS, *NETWORKS, *REGEXES]


@pytest.mark.parametrize("field", ["code", "service", "message", "*"])
def test_every_form_of_value_meets_every_form_of_clause(lines_url: str, field: str) -> None:
    values = [*TEXTS, *JSON, *ARRAYS, "absent"]
    lines = [
        record(
            message=text,
            service=text,
            host="",
            attributes=b"{}"
            if value == "absent"
            else json.dumps({"code": value}, ensure_ascii=False).encode(),
        )
        for value, text in zip(values, itertools.cycle(TEXTS), strict=False)
    ]
    check(put(lines_url, [lines]), [f"{field}:{scalar}" for scalar in every_scalar()])


@hypothesis.settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    groups=st.lists(st.lists(RECORDS, max_size=6), min_size=1, max_size=3),
    asked=st.lists(QUERIES, min_size=10, max_size=10),
)
def test_sql_finds_what_plain_python_finds(
    lines_url: str, groups: list[list[LogRecord]], asked: list[str]
) -> None:
    check(put(lines_url, groups), asked)


def check(stored: list[Stored], asked: list[str]) -> None:
    """Each query, and its negation, by SQL and by Python."""
    for text in asked:
        try:
            tree = query.parse(text).tree
        except QueryError:
            continue  # a comparison with no number, a wildcard where an id belongs: test_query.py has them
        expected = sorted(told(line) for line in stored if oracle.matches(tree, line, 0))
        page = search(Ask(q=text), ALL, limit=1000)
        assert sorted(found(line) for line in page.logs) == expected, text
        assert (page.total, page.total_relation) == (len(expected), "eq")
        assert search(Ask(q=f"NOT ({text})"), ALL, limit=1000).total == len(stored) - len(expected), text


GROUPED = ["code", "service", "host", "source", "severity"]


@hypothesis.settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    groups=st.lists(st.lists(RECORDS, max_size=6), min_size=1, max_size=3),
    asked=st.lists(QUERIES, min_size=5, max_size=5),
)
def test_every_number_of_one_search_is_plain_python_s(
    lines_url: str, groups: list[list[LogRecord]], asked: list[str]
) -> None:
    stored = put(lines_url, groups)
    for text in asked:
        try:
            tree = query.parse(text).tree
        except QueryError:
            continue
        expected = [line for line in stored if oracle.matches(tree, line, 0)]
        made = summary(Ask(q=text), ALL, fields=GROUPED, own="include", limit=2)
        assert made.total == len(expected), text
        assert sum(sum(series.counts) for series in made.histogram.series) == len(expected), text
        export = Export(Ask(q=text, as_of=made.as_of), ALL, "asc")
        assert sorted(map(found, export.page())) == sorted(map(told, expected)), text
        assert export.done
        for facet in made.facets:
            values = Counter(oracle.value(facet.field, line) for line in expected)
            missing = values.pop(None, 0)
            listed = {value.value: value.count for value in facet.values}
            assert facet.missing == missing, (text, facet.field)
            assert facet.other + sum(listed.values()) + missing == facet.total == len(expected), text
            assert facet.distinct == len(values), (text, facet.field)
            assert sorted(listed.values()) == sorted(values.values())[-2:], (text, facet.field)
            assert {name: values[name] for name in listed} == listed, (text, facet.field)


Identity = tuple[int, str, str, str]


def told(line: Stored) -> Identity:
    record = line.record
    return record.time_us * 1000 + record.nanos, record.message, str(line.batch), canonical(line.attributes)


def found(line: Line) -> Identity:
    ns = times.instant(line.time, 0, UTC)
    return ns, line.message, str(line.batch), canonical(decoded(bytes(line.attributes)))


def canonical(attributes: dict[str, Any]) -> str:
    return json.dumps(attributes, default=float, sort_keys=True)
