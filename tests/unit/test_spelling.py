"""The plainest spelling of a query: the same tree, without what people add or leave out."""

from itertools import pairwise

import pytest

from webapp.logs import query
from webapp.logs.spelling import canonical


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("", ""),
        (" * ", ""),
        ("  level:err   foo AND bar", "severity:err foo bar"),
        ("service:a OR service:b", "service:(a OR b)"),
        ("service:(a, b) AND -host:(c, d)", "service:(a OR b) NOT host:(c OR d)"),
        ("service:a,b OR service:c", "service:a,b OR service:c"),
        ("a b OR c", "(a b) OR c"),
        ("((a)) AND ((b OR c))", "a (b OR c)"),
        ("-(a OR -b)", "NOT (a OR NOT b)"),
        ('@service:x "odd name":y _exists_:z', '@service:x "odd name":y z:*'),
        ('message:"a b"', '"a b"'),
        ('message:~"a|b" x:{1 TO *] d:>5', 'message:~"a|b" x:{1 TO *] d:>5'),
        ('foo~"x"', 'foo~ "x"'),
        ("NOT *", "NOT *"),
        ("* OR x", "* OR x"),
        (r"a\:b", r"a\:b"),
    ],
)
def test_a_query_is_spelt_plainly_and_means_the_same(written: str, spelled: str) -> None:
    parsed = query.parse(written)
    assert canonical(written, parsed) == spelled
    again = query.parse(spelled)
    assert again.tree == parsed.tree
    assert canonical(spelled, again) == spelled


CLAUSES = (
    "a", '"a b"', "x:", "https://a.b/c", "service:api", "level:(err, >=17)", "n:>5", "n:[1 TO 5]",
    "n:{* TO 5]", 'message:~"a+"', "message:(a OR b*)", "ip:10.0.0.0/8", "y:*", "*:dead", '@host:"x"',
    '"odd name":x*', "-z:1", "a",
)  # fmt: skip


@pytest.mark.parametrize("form", ["{} OR {}", "{} {}", "NOT ({} AND {})", "({} OR {}) c", "c OR ({} {})"])
def test_whatever_is_put_together_means_the_same(form: str) -> None:
    for one, other in pairwise(CLAUSES):
        parsed = query.parse(form.format(one, other))
        spelled = canonical(form.format(one, other), parsed)
        assert query.parse(spelled).tree == parsed.tree
        assert canonical(spelled, query.parse(spelled)) == spelled
