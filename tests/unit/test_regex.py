"""The common subset of regular expressions, and the offsets of what lies outside it."""

import pytest

from webapp.logs.regex import BadRegex, translate

UNDERSTOOD = [
    ("time(d )?out", "time(?:d )?out"),
    (r"\bx\b", r"\yx\y"),
    (r"\d+\.\d{2,3}", r"[0-9]+\.[0-9]{2,3}"),
    (r"\W\S", r"[^[:alnum:]_][^ \t\n\r\f\v]"),
    ("(?i)abc", "(?i)abc"),
    ("^a|b$", "^a|b$"),
    ("a+?b*?c??", "a+b*c?"),
    ("(?:ab){2}", "(?:ab){2}"),
    ("[a-z_\\d]", "[a-z_0-9]"),
    ("[]a]", r"[\]a]"),
    ("[^]]", r"[^\]]"),
    ("[a-]", r"[a\-]"),
    (r"[\-\\]", r"[\-\\]"),
    (r"\(\)", r"\(\)"),
    ("a||b", "a|(?:)|b"),
    (".", r"[^\n]"),
    ("}", r"\}"),
    (r"\"", '"'),
]
REFUSED = [
    ("", 0), ("a(?=b)", 1), ("(?<n>a)", 0), ("(?#x)", 0), (r"\1", 0), (r"\p{L}", 0), (r"a\Z", 1), ("(a", 0),
    ("a)", 1), ("[a", 0), ("*a", 0), ("a**", 2), ("a{2}{3}", 4), ("a{3,2}", 1), ("a{256}", 1), ("a{", 1),
    ("^*", 1), ("[z-a]", 0), ("[[:alpha:]]", 1), (r"[\W]", 1), ("\\", 0), ("a(?i)b", 1),
    ("(((a{200}){200}))", 14),
]  # fmt: skip


@pytest.mark.parametrize(("source", "translated"), UNDERSTOOD)
def test_an_expression_of_the_subset_is_translated(source: str, translated: str) -> None:
    assert translate(source) == translated


@pytest.mark.parametrize(("source", "offset"), REFUSED)
def test_anything_else_is_refused_with_its_offset(source: str, offset: int) -> None:
    with pytest.raises(BadRegex) as caught:
        translate(source)
    assert caught.value.offset == offset


def test_an_expression_is_bounded() -> None:
    with pytest.raises(BadRegex, match="1000 characters"):
        translate("a" * 1001)
    with pytest.raises(BadRegex, match="30 groups"):
        translate("(a)" * 31)
