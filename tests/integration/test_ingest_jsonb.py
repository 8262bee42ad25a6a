"""PostgreSQL's jsonb takes whatever ingest accepts: one line it refuses would abort a whole COPY."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ingest.dialects import native
from ingest.limits import Limits
from ingest.normalise import Normaliser


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)
numbers = st.from_regex(r"-?(0|[1-9]\d{0,9})(\.\d{1,9})?([eE][+-]?\d{1,6})?", fullmatch=True)
members = trees.map(json.dumps) | numbers
odd_lines = st.lists(members, max_size=5).map(
    lambda values: "{" + ", ".join(f'"{at % 3}": {value}' for at, value in enumerate(values)) + "}"
)


@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(odd_lines | odd_lines.map('{{"attributes": {}}}'.format), min_size=1, max_size=10))
def test_postgresql_takes_whatever_is_accepted(database: psycopg.Connection, lines: list[str]) -> None:
    found = native.decode("\n".join(lines).encode(), native.Form.LINES, Normaliser(Limits(), 10**15, 30))
    texts = [record.attributes.decode() for record in found.records]
    row = database.execute("select count(a::jsonb) from unnest(%s::text[]) a", [texts]).fetchone()
    assert row == (len(texts),)
