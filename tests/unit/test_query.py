"""The query language: every example of its description, every mistake it explains, and its bounds."""

import pytest

from webapp.logs.mending import QueryError
from webapp.logs.query import MAX_BYTES, Parsed, parse
from webapp.logs.tree import (
    EVERYTHING,
    And,
    Between,
    Bound,
    Clause,
    Equals,
    Exists,
    Field,
    Kind,
    Levels,
    Like,
    Network,
    Node,
    Not,
    Or,
    Regex,
    Test,
)


def attribute(name: str, test: Test) -> Clause:
    return Clause(Field(name, Kind.ATTRIBUTE), test)


def builtin(name: str, test: Test) -> Clause:
    return Clause(Field(name, Kind.BUILTIN), test)


def word(text: str) -> Clause:
    return builtin("message", Equals(text, quoted=True))


def exactly(text: str, quoted: bool = False) -> Equals:
    return Equals(text, quoted)


def above(value: str, inclusive: bool = True) -> Between:
    return Between(Bound(value, inclusive), None)


API, WEB, WORKER = (builtin("service", exactly(name)) for name in ("api", "web", "worker"))
HEALTH = builtin("service", exactly("healthcheck"))
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

EXAMPLES: list[tuple[str, Node]] = [
    ("", EVERYTHING),
    ("*", EVERYTHING),
    ("timeout", word("timeout")),
    ('"connection reset"', word("connection reset")),
    ("service:api severity:>=warn", And((API, builtin("severity", Levels(13, 24))))),
    (
        "level:(error, fatal) -service:healthcheck",
        And((Or((builtin("severity", Levels(17, 20)), builtin("severity", Levels(21, 24)))), Not(HEALTH))),
    ),
    ("http.status_code:500", attribute("http.status_code", exactly("500"))),
    (
        "http.status_code:>=500 duration_ms:>250.5",
        And((attribute("http.status_code", above("500")), attribute("duration_ms", above("250.5", False)))),
    ),
    (
        "http.status_code:[500 TO 599]",
        attribute("http.status_code", Between(Bound("500", True), Bound("599", True))),
    ),
    ("duration_ms:{100 TO *]", attribute("duration_ms", above("100", False))),
    ("path:/api/v1/users/*", attribute("path", Like(("/api/v1/users/", None)))),
    ("url:https://example.com/x?y=1", attribute("url", Like(("https://example.com/x", True, "y=1")))),
    (
        'service:(api OR worker) AND (timeout OR "dead lock")',
        And((Or((API, WORKER)), Or((word("timeout"), word("dead lock"))))),
    ),
    (f"trace_id:{TRACE}", builtin("trace_id", exactly(TRACE, True))),
    (f"trace_id:{TRACE.upper()}", builtin("trace_id", exactly(TRACE, True))),
    ("user.id:*", attribute("user.id", Exists())),
    ("-user.id:*", Not(attribute("user.id", Exists()))),
    ("NOT (service:api OR service:web) error", And((Not(Or((API, WEB))), word("error")))),
    ('message:~"time(d )?out"', builtin("message", Regex("time(?:d )?out"))),
    (
        "client.ip:(10.0.0.0/8, 2001:db8::/32)",
        Or((attribute("client.ip", Network("10.0.0.0/8")), attribute("client.ip", Network("2001:db8::/32")))),
    ),
    (
        "time:[now-1h TO now]",
        builtin("time", Between(Bound("now-1h", True), Bound("now", True))),
    ),
    ("*:deadbeef", Clause(Field("*", Kind.ANY), exactly("deadbeef"))),
    ('"odd name":x', attribute("odd name", exactly("x"))),
]  # fmt: skip

MORE: list[tuple[str, Node]] = [
    ("a b OR c d", Or((And((word("a"), word("b"))), And((word("c"), word("d")))))),
    ("NOT a b", And((Not(word("a")), word("b")))),
    ("x:{100 TO *] OR a", Or((attribute("x", above("100", False)), word("a")))),
    (
        "x:({100 TO *] OR a) OR b",
        Or((Or((attribute("x", above("100", False)), attribute("x", exactly("a")))), word("b"))),
    ),
    ("ERROR: x", And((word("ERROR:"), word("x")))),
    ("12:30:45", word("12:30:45")),
    ("https://example.com/x", word("https://example.com/x")),
    ("std::string", word("std::string")),
    ("--verbose", word("--verbose")),
    ("a - b", And((word("a"), word("-"), word("b")))),
    ("dead-lock", word("dead-lock")),
    ("ANDROID NOTE ORDER", And((word("ANDROID"), word("NOTE"), word("ORDER")))),
    ('"AND"', word("AND")),
    ("“curly quotes”", word("curly quotes")),
    ("x:“a b”", attribute("x", exactly("a b", True))),
    ("@service:x", attribute("service", exactly("x"))),
    ("attributes.service:x", attribute("service", exactly("x"))),
    ("_exists_:user.id", attribute("user.id", Exists())),
    ("_exists_:host", builtin("host", Exists())),
    ('x:"200"', attribute("x", exactly("200", True))),
    ('x:"a*"', attribute("x", exactly("a*", True))),
    (r"x:a\*b", attribute("x", exactly("a*b"))),
    (r"x:a\*b*", attribute("x", Like(("a*b", None)))),
    (r"x:*b", attribute("x", Like((None, "b")))),
    (r'"say \"hi\""', word('say "hi"')),
    (r"a\:b:x", attribute("a:b", exactly("x"))),
    (r"foo\:bar", word("foo:bar")),
    ("x:a,b", attribute("x", exactly("a,b"))),
    ("x:(a,b)", Or((attribute("x", exactly("a")), attribute("x", exactly("b"))))),
    ("x:(a)", attribute("x", exactly("a"))),
    ("x:-5", attribute("x", exactly("-5"))),
    ("severity:17", builtin("severity", Levels(17, 17))),
    ("severity:err", builtin("severity", Levels(17, 20))),
    ("severity:WARNING", builtin("severity", Levels(13, 16))),
    ("severity:crit", builtin("severity", Levels(21, 24))),
    ("severity:emerg", builtin("severity", Levels(23, 23))),
    ("severity:>warn", builtin("severity", Levels(17, 24))),
    ("severity:<warn", builtin("severity", Levels(1, 12))),
    ("severity:<=warn", builtin("severity", Levels(1, 16))),
    ("severity:{warn TO fatal]", builtin("severity", Levels(17, 24))),
    ("severity:*", builtin("severity", Exists())),
    ("client.ip:10.1.2.3/8", attribute("client.ip", Network("10.0.0.0/8"))),
    ("path:a/8", attribute("path", exactly("a/8"))),
    ("message:timeout", builtin("message", exactly("timeout"))),
]

MISTAKES: list[tuple[str, int, int, str | None]] = [
    # query, offset, length, the corrected query
    ("AND", 0, 3, '"AND"'),
    ("a AND", 2, 3, "a"),
    ("OR b", 0, 2, "b"),
    ("a AND OR b", 2, 3, "a OR b"),
    ("(a OR) b", 3, 2, "(a) b"),
    ('"a  b" AND', 7, 3, '"a  b"'),
    ("NOT", 0, 3, '"NOT"'),
    ("a NOT", 2, 3, "a"),
    ("service:", 0, 8, None),
    ("service: api", 0, 8, "service:api"),
    ("x service: (a OR b)", 2, 8, "x service:(a OR b)"),
    ("(level:) x", 1, 6, None),
    ("service:(api worker)", 13, 6, "service:(api OR worker)"),
    ('service:(api "b c" d)', 13, 5, 'service:(api OR "b c" OR d)'),
    ("service:(a AND b)", 11, 3, None),
    ("(a", 0, 1, "(a)"),
    ("a)", 1, 1, "a"),
    ("()", 0, 2, None),
    ("x:( )", 2, 3, None),
    ('a "b', 2, 1, 'a "b"'),
    ("x:[1 TO", 2, 2, None),
    ("x:[a]", 2, 2, None),
    ("x:>", 2, 1, None),
    ("x:~foo", 2, 4, 'x:~"foo"'),
    ("x:>abc", 2, 4, None),
    ("severity:foo", 9, 3, None),
    ("trace_id:12", 9, 2, None),
    ("batch:12", 6, 2, None),
    ("time:>yesterday", 5, 10, None),
    ("message:>5", 8, 2, None),
    ("*:>5", 2, 2, None),
    ('message:~"a(?=b)"', 11, 3, None),
    ('x:~"(a"', 4, 1, None),
    ('severity:~"a"', 10, 3, None),
    ("a\0b", 1, 1, None),
    ("a\ud800", 1, 1, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tree"), EXAMPLES + MORE, ids=[text for text, _ in EXAMPLES + MORE])
def test_a_query_means(text: str, tree: Node) -> None:
    assert parse(text).tree == tree


@pytest.mark.parametrize(("text", "offset", "length", "fix"), MISTAKES, ids=repr)
def test_a_mistake_is_named_with_its_place_and_its_cure(
    text: str, offset: int, length: int, fix: str | None
) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    note = caught.value.note
    assert (note.offset, note.length, note.fix) == (offset, length, fix)
    assert note.message.endswith(".")


@pytest.mark.parametrize("text", [text for text, *_, fix in MISTAKES if fix])
def test_the_corrected_query_is_a_query(text: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert isinstance(parse(caught.value.note.fix or ""), Parsed)


def test_a_second_mistake_is_mended_along_with_the_first() -> None:
    with pytest.raises(QueryError) as caught:
        parse("x:(a b) y:(c d")
    assert caught.value.note.fix == "x:(a OR b) y:(c OR d)"


def test_a_lower_case_operator_is_a_word_with_a_warning() -> None:
    parsed = parse("foo or bar")
    assert parsed.tree == And((word("foo"), word("or"), word("bar")))
    (warning,) = parsed.warnings
    assert (warning.offset, warning.length, warning.fix) == (4, 2, "foo OR bar")


def test_a_wildcard_at_a_word_s_end_is_text_with_a_warning() -> None:
    (warning,) = parse("time*").warnings
    assert (warning.offset, warning.fix) == (0, "time")


def test_a_query_is_bounded_in_bytes_parts_and_depth() -> None:
    assert parse("ü" * (MAX_BYTES // 2))
    assert parse("(" * 32 + "a" + ")" * 32)
    for text in (
        "ü" * (MAX_BYTES // 2) + "x",
        "a " * 250,
        "(" * 33 + "a" + ")" * 33,
        "(" * 2000,
        "NOT " * 1000,
    ):
        with pytest.raises(QueryError) as caught:
            parse(text)
        assert caught.value.note.message


def test_many_values_of_one_list_count_as_parts() -> None:
    with pytest.raises(QueryError, match="200 parts"):
        parse("x:(" + ",".join(map(str, range(201))) + ")")
