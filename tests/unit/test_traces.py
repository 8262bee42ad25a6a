"""A stack trace is one record with the line it belongs to; whatever is no trace stays a line of its own."""

import random

import pytest

from ingest.formats.traces import MOST_BYTES, MOST_LINES, starts

JAVA = """\
java.lang.IllegalStateException: no stock
\tat org.acme.Stock.take(Stock.java:12)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.io.IOException: gone
\tat org.acme.Net.call(Net.java:7)
\t... 12 more"""
DOTNET = """\
System.InvalidOperationException: bad
   at Acme.Stock.Take(String id) in /src/Stock.cs:line 12
   --- End of inner exception stack trace ---
   at Acme.Program.Main()"""
NODE = """\
TypeError: x is not a function
    at take (/srv/stock.js:12:3)
    at file:///srv/main.mjs:1:1"""
PYTHON = """\
Traceback (most recent call last):
  File "stock.py", line 12, in take
    return stock[item]
KeyError: 'tea'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "main.py", line 3, in <module>
    take("tea")
  File "main.py", line 9, in take
    raise Gone
acme.Gone"""
GO = """\
panic: runtime error: index out of range [5] with length 3
[signal SIGSEGV: segmentation violation code=0x1]

goroutine 1 [running]:
main.take(0x5, {0xc000012345, 0x3})
\t/src/main.go:12 +0x1d
main.(*Stock).Take(...)
\t/src/stock.go:3
created by main.main in goroutine 1
\t/src/main.go:8 +0x25
exit status 2"""
SERVED = """\
goroutine 7 [running]:
net/http.(*conn).serve.func1()
\t/usr/local/go/src/net/http/server.go:1868 +0xb9"""
HEADER = "2026-11-24 12:00:00 ERROR [main] org.acme.App: failed"


def apart(*parts: str) -> list[str]:
    lines = "\n".join(parts).encode().split(b"\n")
    begun = starts(lines)
    return [
        b"\n".join(lines[start:end]).decode()
        for start, end in zip(begun, [*begun[1:], len(lines)], strict=True)
    ]


@pytest.mark.parametrize("trace", [JAVA, DOTNET, NODE, PYTHON, SERVED])
def test_a_trace_belongs_to_the_dated_line_before_it(trace: str) -> None:
    assert apart(HEADER, trace, HEADER) == [f"{HEADER}\n{trace}", HEADER]


@pytest.mark.parametrize("trace", [JAVA, DOTNET, NODE, PYTHON, GO])
def test_behind_a_line_that_is_not_dated_it_stands_alone(trace: str) -> None:
    assert apart("starting", trace, "done") == ["starting", trace, "done"]


@pytest.mark.parametrize("trace", [JAVA, NODE, PYTHON, GO])
def test_two_traces_are_two(trace: str) -> None:
    assert apart(trace, trace) == [trace, trace]


def test_a_panic_is_not_of_the_last_line_that_was_logged() -> None:
    assert apart(HEADER, GO) == [HEADER, GO]


@pytest.mark.parametrize(
    "lines",
    [
        ("a", "  indented", "\ttabbed", "", "b"),
        (HEADER, "Error: all of it is here", HEADER),
        (HEADER, "java.io.IOException: no frame follows", "x"),
        (HEADER, "", "Caused by: nothing above it"),
        (' {"message": "x"}', "\tat org.acme.Stock.take(Stock.java:12)"),
        ("key:", "    at dawn we ride"),
        ("Traceback (most recent call last):", "", "no call follows"),
    ],
)
def test_what_is_no_trace_is_not_joined(lines: tuple[str, ...]) -> None:
    assert apart(*lines) == list(lines)


def test_what_is_joined_is_bounded_in_lines_and_bytes() -> None:
    frame = "\tat org.acme.Stock.take(Stock.java:12)"
    records = apart(HEADER, *[frame] * 2000)
    assert {record.count("\n") + 1 for record in records[:-1]} == {MOST_LINES}
    wide = apart(HEADER, *[frame + "x" * 5000] * 50)
    assert all(len(record) <= MOST_BYTES for record in wide)
    assert len(wide) < 12


def test_any_lines_fall_apart_the_same_way_from_any_start() -> None:
    r = random.Random(5)
    known = "\n".join([HEADER, JAVA, "", PYTHON, "plain", GO, SERVED, NODE]).encode().split(b"\n")
    for _ in range(300):
        lines = r.choices(known, k=60)
        begun = starts(lines)
        cut = r.choice(begun)
        assert [start - cut for start in begun if start >= cut] == starts(lines[cut:])
