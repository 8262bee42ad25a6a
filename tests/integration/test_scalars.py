"""What stands before a cast in SQL lets exactly those texts through that the cast takes."""

import ipaddress
import re
from decimal import Decimal

import hypothesis
import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.oracle import python_regex
from webapp.logs.clauses import NUMBER
from webapp.logs.regex import translate
from webapp.logs.scalars import ADDRESS, NUMERIC

quietly = hypothesis.settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
GROUP = st.sampled_from(["0", "1", "db8", "ffff", "00af", "12345", "", "g"])
V4 = st.lists(st.sampled_from(["0", "1", "10", "255", "256", "01", ""]), min_size=3, max_size=5).map(".".join)
V6 = st.builds(
    lambda groups, gap, tail: ":".join([*groups[:gap], "", *groups[gap:]] if gap else groups) + tail,
    st.lists(GROUP, min_size=1, max_size=9),
    st.integers(0, 8),
    st.one_of(st.just(""), st.just("::"), V4.map(":".__add__)),
)
ODD = st.sampled_from(
    ["::", ":::", "::1", "1::", "::1.2.3.4", "::ffff:1.2.3.4", "1::2::3", "fe80::1%eth0", "1.2.3.4/8",
     "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8"]
)  # fmt: skip
DIGITS = st.text("0123456789", max_size=4)
NUMBERS = st.builds(
    lambda sign, whole, point, part, exponent: sign + whole + point + part + exponent,
    st.sampled_from(["", "+", "-", "--"]),
    DIGITS,
    st.sampled_from(["", "."]),
    DIGITS,
    st.sampled_from(["", "e5", "E-12", "e", "e123", "٣", " ", "\n", "x", "NaN", "Infinity", "_1"]),
)
CAST_ADDRESS = """
SELECT t, CASE WHEN t ~ %s THEN t::inet END IS NOT NULL, CASE WHEN t ~ %s THEN t::inet END IS NOT NULL
FROM unnest(%s::text[]) AS t
"""
CAST_NUMBER = "SELECT t, CASE WHEN t ~ %s THEN t::numeric END FROM unnest(%s::text[]) AS t"


@quietly
@given(texts=st.lists(st.one_of(V4, V6, ODD), min_size=20, max_size=20))
def test_an_address_is_what_python_takes_for_one(postgres_url: str, texts: list[str]) -> None:
    with psycopg.connect(postgres_url) as conn:
        for text, four, six in conn.execute(CAST_ADDRESS, [ADDRESS[4], ADDRESS[6], texts]):
            assert (4 if four else 6 if six else None) == version(text), text


def version(text: str) -> int | None:
    try:
        return None if "%" in text else ipaddress.ip_address(text).version
    except ValueError:
        return None


@quietly
@given(texts=st.lists(NUMBERS, min_size=20, max_size=20))
def test_a_number_is_the_same_in_the_query_and_in_the_table(postgres_url: str, texts: list[str]) -> None:
    with psycopg.connect(postgres_url) as conn:
        for text, number in conn.execute(CAST_NUMBER, [NUMERIC, texts]):
            assert (number is not None) == (NUMBER.fullmatch(text) is not None), text
            assert number is None or number == Decimal(text)


PATTERNS = [
    "time(d )?out", r"\bx\b", r"\d+\.\d{2,3}", r"\W\S", "(?i)aBc", "^a|b$", "a+?b*?c??", "(ab){2}",
    "[a-c_\\d]", "[]a]", "[^]]", "[a-]", r"[\-\\]", r"[\d-z]", r"\(\)", "a||b", "a{0}b", "}", r"\.", ".",
    "^$", r"\Bx", "[^a]b", r"[\n\t]", "(a|b)+c", "((a{3}){2}){2}", "[a^]", r"[\]\[]", r"[+--]", r"[\w.]+x",
    r"\D\s",
]  # fmt: skip
TEXTS = st.lists(
    st.text("abcxABC0129 .-_\\[]()^}+,\n\té", max_size=8), min_size=20, max_size=20
)  # fmt: skip


@quietly
@pytest.mark.parametrize("source", PATTERNS)
@given(texts=TEXTS)
def test_an_expression_finds_in_sql_what_it_finds_in_python(
    postgres_url: str, source: str, texts: list[str]
) -> None:
    expression = re.compile(*python_regex(translate(source)))
    with psycopg.connect(postgres_url) as conn:
        found = conn.execute("SELECT t, t ~ %s FROM unnest(%s::text[]) AS t", [translate(source), texts])
        for text, hit in found:
            assert hit == (expression.search(text) is not None), (source, text)
