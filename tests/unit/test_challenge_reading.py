"""Reading back: only a whole export counts, a web that is killed is asked again, silence proves nothing."""

import base64
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from ingest.client import Response, Target
from tests.challenged import RUN, serving
from webapp.challenge import lines, login, targets
from webapp.challenge.login import NoSession
from webapp.challenge.reading import Reader, Stale, Unreadable, whole
from webapp.challenge.targets import Given

LINE = msgspec.json.encode(lines.line(RUN, 0, 0, lines.began_ns(RUN))[1])
BUSY = (503, b'{"detail": "the database restarts"}')


def export(count: int, told: int | None = None, complete: bool = True) -> bytes:
    marker = {"_end": {"lines": count if told is None else told, "complete": complete, "as_of": "a"}}
    return (LINE + b"\n") * count + msgspec.json.encode(marker) + b"\n"


class Web(ThreadingHTTPServer):
    """Answers what it is told to, in order, the last answer for ever; None closes the connection."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Any] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.heads: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def reader(self, patience: float = 20.0) -> Reader:
        return Reader(Target(self.url, "lb_read_x"), RUN, "challenge", patience, sleep=lambda seconds: None)


class Handler(BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.server.asked.append((parts.path, {name: one for name, (one,) in parse_qs(parts.query).items()}))
        self.answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append((self.path, {name: one for name, (one,) in parse_qs(body).items()}))
        self.answer()

    def answer(self) -> None:
        self.server.heads.append(dict(self.headers.items()))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            return
        status, content, *heads = answer
        self.send_response(status)
        for name, value in [*heads, ("Content-Length", str(len(content)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def web() -> Iterator[Web]:
    with serving(Web()) as server:
        yield server


# ---- lines ----


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (export(3), True),
        (export(0), True),
        (export(3, told=4), False),
        (export(3, complete=False), False),
        ((LINE + b"\n") * 3, False),
        (export(3)[:-20], False),
        (b"", False),
    ],
)
def test_an_export_is_whole_when_its_marker_says_so_and_it_holds_as_many_lines(
    body: bytes, good: bool
) -> None:
    assert whole(Response(200, {}, body)) is good


def test_an_export_that_broke_off_is_read_anew_and_nothing_of_it_counts(web: Web) -> None:
    web.answers = [(200, export(2)[:-20]), None, BUSY, (200, export(2))]
    assert len(list(web.reader().lines("as-of", 1, 100))) == 2
    assert len(web.asked) == 4


def test_stretches_follow_one_another_over_the_whole_run_under_one_as_of(web: Web) -> None:
    web.answers = [(200, export(1))]
    assert len(list(web.reader().lines("as-of", 120, 1000))) == 3
    bounds = [(asked["start"], asked["end"]) for _, asked in web.asked]
    assert bounds[0][0] == lines.range_of(RUN, 0, 1)[0]
    assert bounds[-1][1] == lines.range_of(RUN, 0, 120)[1]
    assert [end for _, end in bounds[:-1]] == [start for start, _ in bounds[1:]]
    assert {(asked["as_of"], asked["q"], asked["source"]) for _, asked in web.asked} == {
        ("as-of", f'challenge.run:"{RUN}"', "challenge")
    }


def test_an_as_of_that_went_by_is_told_from_a_server_that_does_not_answer(web: Web) -> None:
    web.answers = [(410, b'{"detail": "this as_of is too old"}')]
    with pytest.raises(Stale, match="too old"):
        list(web.reader().lines("as-of", 1, 100))


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([BUSY], "the database restarts"),
        ([None], "does not answer"),
        ([(200, export(1, complete=False))], "broke off"),
        ([(403, b'{"detail": "not yours"}')], "not yours"),
    ],
)
def test_what_cannot_be_read_proves_nothing(answers: list[Any], why: str, web: Web) -> None:
    web.answers = answers
    with pytest.raises(Unreadable, match=why):
        list(web.reader(patience=0.05).lines("as-of", 1, 100))


def test_a_refusal_for_good_is_not_asked_again(web: Web) -> None:
    web.answers = [(403, b"{}")]
    with pytest.raises(Unreadable):
        web.reader().place()
    assert len(web.asked) == 1


def test_a_batch_is_there_when_a_search_shows_it_and_not_when_nothing_answers(web: Web) -> None:
    web.answers = [(200, b'{"logs": []}'), BUSY, None, None, (200, b'{"logs": [{}]}')]
    reader = web.reader()
    assert [reader.is_there(3) for _ in range(4)] == [False, False, False, True]
    assert (web.asked[0][1]["start"], web.asked[0][1]["end"]) == lines.range_of(RUN, 3, 4)


# ---- the rest ----


def test_quarantine_is_read_page_by_page(web: Web) -> None:
    page = {"entries": [{"id": 5, "line": 2, "reason": "bad_json", "batch": "b", "beginning": "x"}]}
    web.answers = [(200, msgspec.json.encode({**page, "next": cursor})) for cursor in ("there", None)]
    found = list(web.reader().quarantine("2026-11-24T12:00:00Z"))
    assert [number for number, _ in found] == [5, 5]
    assert [asked.get("cursor") for _, asked in web.asked] == [None, "there"]


def test_the_bytes_of_an_entry_come_as_they_are(web: Web) -> None:
    web.answers = [(200, msgspec.json.encode({"base64": base64.b64encode(b"\xff\x00").decode()}))]
    assert web.reader().raw(5) == b"\xff\x00"


def test_a_receipt_that_nobody_has_is_none(web: Web) -> None:
    web.answers = [(404, b"{}"), BUSY, (200, b'{"state": "stored"}')]
    reader = web.reader()
    assert reader.receipt("b") is None
    assert reader.receipt("b") == {"state": "stored"}


# ---- who reads, and where ----

PAGE = b'<form><input type="hidden" name="csrfmiddlewaretoken" value="masked"></form>'


def test_a_person_logs_in_by_the_form_and_reads_with_the_session(web: Web) -> None:
    web.answers = [
        (200, PAGE, ("Set-Cookie", "csrftoken=secret; Path=/")),
        (302, b"", ("Set-Cookie", "sessionid=mine; HttpOnly"), ("Set-Cookie", "csrftoken=fresh")),
        (200, b'{"logs": [], "as_of": "a", "as_of_time": "t"}'),
    ]
    headers = login.session(web.url, "ada", "pass word")
    assert web.asked[1][1] == {"csrfmiddlewaretoken": "masked", "username": "ada", "password": "pass word"}
    assert web.heads[1]["Cookie"] == "csrftoken=secret"
    reader = Reader(Target(web.url, ""), RUN, "challenge", headers=headers)
    assert reader.place() == ("a", "t")
    assert web.heads[2]["Cookie"] == "csrftoken=fresh; sessionid=mine"
    assert web.heads[2]["Authorization"] == ""


@pytest.mark.parametrize("answers", [[(200, PAGE)], [(200, b"no form")], [(404, b"")], [None]])
def test_a_log_in_that_fails_says_so(answers: list[Any], web: Web) -> None:
    web.answers = answers
    with pytest.raises(NoSession, match=r"refuses the log-in|no log-in page|does not answer"):
        login.session(web.url, "ada", "wrong")


NOWHERE = {"VAR_DIR": "/nowhere"}
SET = {
    **NOWHERE, "LOGBOOM_INGEST_URL": "http://i", "LOGBOOM_INGEST_TOKEN": "it", "LOGBOOM_WEB_URL": "http://w",
    "LOGBOOM_READ_TOKEN": "rt",
}  # fmt: skip


def test_what_is_given_wins_over_the_environment() -> None:
    assert targets.find(Given(), SET) == Given("http://i", "it", "http://w", "rt")
    assert targets.find(Given("http://x", "y"), SET) == Given("http://x", "y", "http://w", "rt")
    assert targets.find(Given(), NOWHERE) == Given()


def test_a_token_may_lie_in_a_file(tmp_path: Any) -> None:
    (tmp_path / "token").write_text("from file\n")
    assert (
        targets.find(Given(), {**SET, "LOGBOOM_READ_TOKEN_FILE": str(tmp_path / "token")}).read_token
        == "from file"
    )
    with pytest.raises(targets.NoTarget, match="cannot be read"):
        targets.find(Given(), {**SET, "LOGBOOM_READ_TOKEN_FILE": str(tmp_path / "none")})


def test_what_is_missing_is_named(tmp_path: Any) -> None:
    with pytest.raises(targets.NoTarget, match="--ingest-url or LOGBOOM_INGEST_URL"):
        targets.target("ingest", None, "t")
    with pytest.raises(targets.NoTarget, match="--read-token or LOGBOOM_READ_TOKEN"):
        targets.target("read", "http://w", None)
    with pytest.raises(targets.NoTarget, match="no http:// or https:// address"):
        targets.target("read", "w:80", "t")


def test_only_the_addresses_of_what_runs_here_are_local(tmp_path: Any) -> None:
    (tmp_path / "up.json").write_text('{"ingest_url": "http://i", "web_url": "http://w", "read_token": "r"}')
    here = {"VAR_DIR": str(tmp_path)}
    assert targets.is_local(targets.find(Given(), here), here)
    assert not targets.is_local(Given("http://i", None, "http://other"), here)
    assert not targets.is_local(Given(), NOWHERE)
