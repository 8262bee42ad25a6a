"""How a challenge sends its batches, and what it takes an answer for; the server says what it is told to."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ingest.client import Target
from ingest.journal import Journal, JournalBusy
from tests.challenged import RUN, head, serving
from webapp.challenge import journal, lines, posting
from webapp.challenge.journal import Account, BadJournal, Book, Entry
from webapp.challenge.lines import Batch
from webapp.challenge.posting import SHARES, Load, Posting

HEAD = head()
BATCH = lines.make(RUN, 0, 5, 2)
PLAIN = lines.make(RUN, 0, 5)
GARBAGE = lines.make(RUN, 0, 0, 2)
BUSY = (503, {"code": "broker_gone", "detail": "it restarts"})

Reply = tuple[int, Any] | None  # None: the connection is closed without an answer


def taken(batch: Batch, /, **change: Any) -> Reply:
    rejected = [{"line": one.line, "reason": one.reason} for one in batch.planted]
    return 202, {"batch": "b-1", "accepted": batch.lines, "rejected": rejected, "duplicate": False, **change}


class Ingest(ThreadingHTTPServer):
    """Answers what it is told to, in order, the last answer for ever; remembers what arrived whole."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Reply] = [taken(PLAIN)]
        self.arrived: list[tuple[str | None, bytes]] = []
        self.broken = 0
        self.lock = threading.Lock()

    @property
    def target(self) -> Target:
        return Target(f"http://127.0.0.1:{self.server_address[1]}", "lb_ingest_x")

    def next_answer(self) -> Reply:
        with self.lock:
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Handler(BaseHTTPRequestHandler):
    server: Ingest

    def do_POST(self) -> None:
        wanted = int(self.headers["Content-Length"])
        body = self.rfile.read(wanted)
        if len(body) < wanted:
            self.server.broken += 1
            return
        self.server.arrived.append((self.headers["Idempotency-Key"], body))
        answer = self.server.next_answer()
        if answer is None:
            return
        content = json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(content)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:  # the client that hangs up
            self.server.broken += 1

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def ingest() -> Iterator[Ingest]:
    with serving(Ingest()) as server:
        yield server


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.01)


Send = Callable[..., Entry]


@pytest.fixture
def send(ingest: Ingest, tmp_path: Path) -> Iterator[Send]:
    """Sends one batch in a way, and gives the journal's last word on it."""
    with Journal(tmp_path / "journal.ndjson") as kept:
        book = Book(kept)
        book.begin(HEAD)

        def one(way: str, batch: Batch = PLAIN, patience: float = 20.0) -> Entry:
            sending = Posting(ingest.target, book, RUN, Load(1), tell=book.event)
            client = sending.client(patience)
            sending.one(client, batch, way)
            client.close()
            return book.account().batches[batch.number]

        yield one


# ---- what an answer means ----


def test_a_batch_that_is_accepted_has_its_id_and_its_time_in_the_journal(send: Send) -> None:
    entry = send("plain")
    assert (entry.outcome, entry.id, entry.odd, entry.again) == ("accepted", "b-1", "", 0)
    assert entry.ms > 0
    assert entry.sha256 == PLAIN.sha256


def test_a_good_agent_repeats_under_one_key_until_it_is_answered(ingest: Ingest, send: Send) -> None:
    ingest.answers = [None, BUSY, taken(PLAIN, duplicate=True)]
    entry = send("plain")
    assert (entry.outcome, entry.again, entry.duplicates) == ("accepted", 2, 1)
    assert ingest.arrived == [(PLAIN.key, PLAIN.body)] * 3


def test_the_timeline_says_when_nothing_was_accepted_and_when_it_was_again(
    ingest: Ingest, send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "TELL_SECONDS", 0.0)
    ingest.answers = [BUSY, BUSY, taken(PLAIN)]
    send("plain")
    written = (tmp_path / "journal.ndjson").read_text().splitlines()
    told = [json.loads(line)["event"]["what"] for line in written if '"event"' in line]
    assert told[0] == "nothing was accepted for 0.0 s: it restarts (503)"
    assert told[1].startswith("accepted again, after 0.") and told[1].endswith("s and 2 tries")


def test_what_passes_at_once_does_not_fill_the_timeline() -> None:
    told: list[str] = []
    answers = posting.Answers(told.append)
    answers.bad("it restarts")
    answers.good()
    assert told == []


@pytest.mark.parametrize("answer", [BUSY, None, (500, {}), (202, {"batch": 7})])
def test_without_a_good_answer_the_outcome_is_unknown_not_refused(
    answer: Reply, ingest: Ingest, send: Send
) -> None:
    ingest.answers = [answer]
    assert send("once").outcome == "unknown"
    assert send("plain", patience=0.1).outcome == "unknown"


def test_a_refusal_for_good_is_one_and_is_not_what_was_promised(ingest: Ingest, send: Send) -> None:
    ingest.answers = [(403, {"code": "forbidden", "detail": "switched off"})]
    entry = send("plain")
    assert (entry.outcome, entry.id, entry.why) == ("refused", "", "403 forbidden")
    assert entry.odd == "switched off (403)"


def test_a_refusal_after_a_try_that_was_not_answered_is_unknown(ingest: Ingest, send: Send) -> None:
    ingest.answers = [None, (403, {"code": "forbidden", "detail": "switched off"})]
    assert send("plain").outcome == "unknown"


def test_being_asked_to_slow_down_is_a_refusal_as_promised(ingest: Ingest, send: Send) -> None:
    ingest.answers = [(429, {"code": "overloaded", "detail": "full"})]
    entry = send("once")
    assert (entry.outcome, entry.odd) == ("refused", "")


def test_planted_poison_is_looked_for_in_the_answer(ingest: Ingest, send: Send) -> None:
    ingest.answers = [taken(BATCH)]
    assert send("poisoned", BATCH).odd == ""
    ingest.answers = [taken(BATCH, rejected=[])]
    assert send("poisoned", BATCH).odd.startswith("refused [], planted were [")


def test_an_answer_that_counts_otherwise_is_odd(ingest: Ingest, send: Send) -> None:
    ingest.answers = [taken(PLAIN, accepted=4)]
    assert send("plain").odd == "accepted 4 of 5 lines"


def test_a_body_of_garbage_is_refused_with_an_id_and_rests(ingest: Ingest, send: Send) -> None:
    problem = {"code": "nothing_good", "batch": "g-1", "rejected": taken(GARBAGE)[1]["rejected"]}
    ingest.answers = [(400, problem)]
    entry = send("garbage", GARBAGE)
    assert (entry.outcome, entry.id, entry.odd) == ("refused", "g-1", "")
    assert entry.resting
    ingest.answers = [(400, {**problem, "rejected": []})]
    assert send("garbage", GARBAGE).odd != ""


def test_a_load_that_is_ended_gives_up_what_it_tries_at_once(ingest: Ingest, tmp_path: Path) -> None:
    ingest.answers = [BUSY]
    with Journal(tmp_path / "journal.ndjson") as kept:
        book = Book(kept)
        sending = Posting(ingest.target, book, RUN, Load(1, shares={}, patience=600.0))
        sending.tell = lambda what: sending.stop.set()  # once nothing was accepted for a while
        sending.post(600.0)  # returns
        book.begin(HEAD)
        outcomes = {entry.outcome for entry in book.account().batches.values()}
    assert outcomes == {"unknown"}


# ---- the ways ----


def test_who_sends_once_sends_once_and_without_a_key(ingest: Ingest, send: Send) -> None:
    ingest.answers = [BUSY, taken(PLAIN)]
    send("once")
    assert ingest.arrived == [(None, PLAIN.body)]


def test_who_hangs_up_has_sent_the_whole_body_and_knows_nothing(ingest: Ingest, send: Send) -> None:
    assert send("hangup").outcome == "unknown"
    until(lambda: bool(ingest.arrived))
    assert ingest.arrived == [(PLAIN.key, PLAIN.body)]


def test_what_is_withheld_never_arrives_whole_and_counts_as_refused(ingest: Ingest, send: Send) -> None:
    entry = send("withheld")
    assert (entry.outcome, entry.id, entry.why) == ("refused", "", "the body broke off")
    until(lambda: bool(ingest.broken))
    assert ingest.arrived == []


def test_what_broke_off_may_be_sent_whole_afterwards(ingest: Ingest, send: Send) -> None:
    assert send("torn").outcome == "accepted"
    assert ingest.arrived == [(PLAIN.key, PLAIN.body)]


def test_a_batch_is_sent_twice_at_once_and_once_more_under_one_key(ingest: Ingest, send: Send) -> None:
    ingest.answers = [taken(PLAIN), taken(PLAIN, duplicate=True)]
    entry = send("twice")
    assert (entry.outcome, entry.duplicates, entry.odd) == ("accepted", 2, "")
    assert ingest.arrived == [(PLAIN.key, PLAIN.body)] * 3


def test_a_repeat_that_is_answered_with_another_batch_is_odd(ingest: Ingest, send: Send) -> None:
    ingest.answers = [taken(PLAIN), taken(PLAIN, batch="b-2", duplicate=True)]
    assert "answered as b-2 and {'b-1'}" in send("twice").odd


def test_a_repeat_that_is_taken_for_new_is_odd(send: Send) -> None:
    assert send("twice").odd == "a repeat under the same key was taken for new"


def test_the_first_answer_counts_where_the_repeat_has_none(ingest: Ingest, send: Send) -> None:
    ingest.answers = [taken(PLAIN), BUSY]
    entry = send("twice", patience=0.1)
    assert (entry.outcome, entry.id, entry.odd) == ("accepted", "b-1", "")


# ---- the load ----


def test_a_seed_draws_the_same_ways_again_and_every_way_in_its_share() -> None:
    load = Load(7, lines=1)
    drawn = [load.way(number) for number in range(5000)]
    assert drawn == [Load(7).way(number) for number in range(5000)]
    assert {way: round(drawn.count(way) / 5000, 2) for way in SHARES} == pytest.approx(
        dict(SHARES), abs=0.011
    )
    assert drawn.count("plain") > 3500


def test_only_what_is_to_be_poisoned_holds_poison_and_garbage_nothing_else() -> None:
    load = Load(7, lines=4)
    for number in range(300):
        batch, way = load.make(RUN, number)
        assert bool(batch.planted) == (way in ("poisoned", "garbage"))
        assert batch.lines == (0 if way == "garbage" else 4)


def test_batches_are_posted_at_the_rate_and_numbered_without_a_gap(ingest: Ingest, tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.ndjson") as kept:
        book = Book(kept)
        book.begin(HEAD)
        ingest.answers = [taken(lines.make(RUN, 0, 5))]
        Posting(ingest.target, book, RUN, Load(1, rate=100.0, lines=5, shares={})).post(1.0, first=3)
        account = book.account()
    assert sorted(account.batches) == list(range(3, 23))
    assert {entry.outcome for entry in account.batches.values()} == {"accepted"}


def test_a_sender_that_cannot_write_its_journal_stops(ingest: Ingest, tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.ndjson") as kept:
        book = Book(kept)
    with pytest.raises(OSError, match="Bad file descriptor"):  # it is closed
        Posting(ingest.target, book, RUN, Load(1)).post(5.0)
    assert ingest.arrived == []


# ---- the journal ----


def written(path: Path, *values: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def value_of(outcome: str, **more: Any) -> dict[str, Any]:
    return {"run": RUN, "batch": 0, "n": 5, "sha256": "s", "outcome": outcome, **more}


BEGUN = {"head": {name: getattr(HEAD, name) for name in HEAD.__struct_fields__}}


def test_a_batch_that_was_being_sent_when_the_sender_was_killed_is_unknown(tmp_path: Path) -> None:
    account = journal.read(written(tmp_path / "j", BEGUN, value_of("sending")))
    assert account.batches[0].outcome == "unknown"
    assert account.batches[0].why == "the sender was killed"


def test_the_last_word_on_a_batch_counts(tmp_path: Path) -> None:
    account = journal.read(written(tmp_path / "j", BEGUN, value_of("sending"), value_of("accepted", id="b")))
    assert account.of("accepted") == [account.batches[0]]
    assert account.beyond == 1


def test_half_a_last_line_was_never_relied_upon(tmp_path: Path) -> None:
    path = written(tmp_path / "j", BEGUN, value_of("sending"))
    path.write_text(path.read_text() + '{"run": "2026')
    assert journal.read(path).batches[0].outcome == "unknown"


@pytest.mark.parametrize("values", [(), ({"run": "x"},), ([],), (BEGUN, {"run": RUN, "batch": "x"})])
def test_another_file_is_refused_with_a_sentence(values: Any, tmp_path: Path) -> None:
    with pytest.raises(BadJournal, match="no journal of a challenge"):
        journal.read(written(tmp_path / "j", *values))


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(BadJournal, match="there is no journal"):
        journal.read(tmp_path / "j")
    assert not (tmp_path / "j").exists()


def test_a_journal_that_is_being_written_is_not_judged(tmp_path: Path) -> None:
    path = written(tmp_path / "j", BEGUN)
    with Journal(path), pytest.raises(JournalBusy):
        journal.read(path)


def test_the_ledger_is_asked_for_the_time_of_the_run_by_the_servers_clock(tmp_path: Path) -> None:
    account = Account(
        HEAD, {n: Entry(**{**value_of("accepted"), "batch": n, "at": 50.0 + n}) for n in range(61)}
    )
    assert account.span == ("2026-11-24T12:00:00Z", "2026-11-24T13:01:00.000000000Z")
