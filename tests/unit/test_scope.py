"""What a token may see, without a database."""

import pytest

from webapp.access.scope import ALL, NOTHING, AuthToken, Scope, for_token, receipts


def token(scope: str, **given: object) -> AuthToken:
    fields = {"id": 1, "name": "t", "source": None, "sources": frozenset(), "all_sources": False} | given
    return AuthToken(scope=scope, **fields)  # type: ignore[arg-type]


def test_an_admin_token_sees_all() -> None:
    assert for_token(token("admin")) == ALL


def test_a_read_token_sees_its_sources_only() -> None:
    scope = for_token(token("read", sources=frozenset({3, 4})))
    assert scope.allows(3)
    assert not scope.allows(5)


def test_a_read_token_for_all_sources_sees_all() -> None:
    assert for_token(token("read", all_sources=True)) == ALL


def test_a_read_token_without_sources_sees_nothing() -> None:
    assert for_token(token("read")) == NOTHING


@pytest.mark.parametrize("given", [{"source": 3}, {"source": 3, "all_sources": True}])
def test_an_ingest_token_reads_no_line_but_its_own_receipts(given: dict[str, object]) -> None:
    assert for_token(token("ingest", **given)) == NOTHING
    assert receipts(token("ingest", **given)) == Scope(frozenset({3}))
