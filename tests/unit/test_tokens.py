"""Tokens: what they look like, and that a damaged one is known as such."""

import string

import pytest

from ingest.directory import digest, make_token, well_formed


@pytest.mark.parametrize("scope", ["ingest", "read", "admin"])
def test_a_token_names_its_scope_and_is_well_formed(scope: str) -> None:
    token = make_token(scope)
    assert token.startswith(f"lb_{scope}_")
    assert len(token) == len(f"lb_{scope}_") + 38
    assert well_formed(token)


def test_no_two_tokens_are_alike() -> None:
    assert len({make_token("read") for _ in range(1000)}) == 1000


def test_one_wrong_character_anywhere_is_noticed() -> None:
    token = make_token("ingest")
    for at in range(len("lb_ingest_"), len(token)):
        for wrong in set(string.ascii_lowercase + "234567") - {token[at]}:
            assert not well_formed(token[:at] + wrong + token[at + 1 :])


def test_a_token_passed_off_for_another_scope_is_noticed() -> None:
    assert not well_formed(make_token("read").replace("lb_read_", "lb_admin_"))


@pytest.mark.parametrize(
    "text", ["", "lb_ingest_", "lb_write_" + "a" * 38, "\N{SNOWMAN}", "lb_read_" + "a" * 39]
)
def test_what_is_no_token_is_not_well_formed(text: str) -> None:
    assert not well_formed(text)


def test_only_the_digest_is_kept() -> None:
    assert digest("lb_read_x") == "9fa568345b07fab82c56ad9a54b1754b4634a5b6ade6975fe37805f563310d66"
