"""A file shipped again, interrupted, grown, renamed or rewritten: every line once, in any order of events."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from ingest import shipment
from ingest.chunks import Chunk
from ingest.client import Answer, Refused, Rejected, Target, Unreachable
from ingest.formats import Setting
from ingest.journal import Journal, JournalBusy
from ingest.outgoing import Label
from ingest.shipment import Tally


class Ledger:
    """Stands for the server's promise: a key seen before is a duplicate. Fails when told to."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.fail_after: int | None = None
        self.lose_after: int | None = None  # takes that many, then one more whose answer is lost

    def post(self, body: bytes, key: str, content_type: str = "") -> Answer:
        if self.fail_after == 0:
            raise Unreachable("gone")
        if self.fail_after is not None:
            self.fail_after -= 1
        duplicate = key in self.bodies
        assert self.bodies.setdefault(key, body) == body
        if self.lose_after is not None:
            self.lose_after -= 1
            if self.lose_after < 0:
                raise Unreachable("gone")
        return Answer("b", body.count(b"\n"), [], duplicate)

    def lines(self) -> int:
        return sum(body.count(b"\n") for body in self.bodies.values())


Ship = Callable[..., Tally]
PLAIN = Label("app", "box")


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def ship(ledger: Ledger, tmp_path: Path) -> Ship:
    def run(path: Path, from_start: bool = False, state: str = "state", label: Label = PLAIN) -> Tally:
        with path.open("rb") as file:
            return shipment.ship_file(
                file,
                ledger,
                tmp_path / state,
                label,
                from_start=from_start,
                on_chunk=lambda c, a: None,
            )

    return run


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(2500)))
    return path


def test_a_second_shipment_sends_nothing(ship: Ship, log: Path) -> None:
    assert ship(log).sent == 2500
    assert ship(log) == Tally(skipped=2500)


def test_from_the_start_every_batch_is_known(ship: Ship, ledger: Ledger, log: Path) -> None:
    ship(log)
    assert ship(log, from_start=True) == Tally(known=2500)
    assert ledger.lines() == 2500


def test_without_its_journal_a_file_is_still_known(ship: Ship, ledger: Ledger, log: Path) -> None:
    ship(log)
    assert ship(log, state="other").known == 2500
    assert ledger.lines() == 2500


def test_an_interrupted_shipment_goes_on_where_it_stopped(ship: Ship, ledger: Ledger, log: Path) -> None:
    ledger.fail_after = 1
    with pytest.raises(Unreachable):
        ship(log)
    ledger.fail_after = None
    assert ship(log) == Tally(sent=1500, skipped=1000)


def test_a_file_that_grew_sends_its_new_lines(ship: Ship, ledger: Ledger, log: Path) -> None:
    ship(log)
    with log.open("ab") as file:
        file.write(b"new\n" * 1200)
    assert ship(log) == Tally(sent=1200, skipped=2500)
    assert ship(log, from_start=True).sent == 0
    assert ledger.lines() == 3700


@pytest.mark.parametrize("label", [Label("app", "box"), Label("app", "box", "UTC")])
def test_a_lost_answer_is_no_second_copy_though_the_file_grew_meanwhile(
    ship: Ship, ledger: Ledger, log: Path, label: Label
) -> None:
    ledger.lose_after = 2
    with pytest.raises(Unreachable):
        ship(log, label=label)
    ledger.lose_after = None
    with log.open("ab") as file:
        file.write(b"new\n" * 700)
    assert ship(log, label=label) == Tally(sent=700, known=500, skipped=2000)
    assert ledger.lines() == 3200
    assert ship(log, label=label, from_start=True) == Tally(known=3200)


def test_a_rotated_file_is_not_sent_again(ship: Ship, log: Path) -> None:
    ship(log)
    assert ship(log.rename(log.with_suffix(".log.1"))).sent == 0


def test_a_short_file_that_grew_past_its_first_kib_is_the_same(
    ship: Ship, ledger: Ledger, tmp_path: Path
) -> None:
    path = tmp_path / "short"
    path.write_bytes(b"a\nb\n")
    ship(path)
    with path.open("ab") as file:
        file.write(b"c" * 3000 + b"\n")
    assert ship(path) == Tally(sent=1, skipped=2)


def test_a_file_cut_to_nothing_and_filled_again_is_sent(ship: Ship, log: Path) -> None:
    ship(log)
    os.truncate(log, 0)
    log.write_bytes(b"another life\n")
    assert ship(log).sent == 1


def test_a_file_rewritten_shorter_under_the_same_head_is_sent_from_its_start(
    ship: Ship, tmp_path: Path
) -> None:
    path, head = tmp_path / "fixed", b"#" * 1024 + b"\n"
    path.write_bytes(head + b"old\n" * 100)
    ship(path)
    path.write_bytes(head + b"new\n")
    assert ship(path).sent == 2
    assert ship(path) == Tally(skipped=2)


def test_two_cannot_ship_one_file_at_once(ship: Ship, log: Path, tmp_path: Path) -> None:
    ship(log)
    held = Journal(next((tmp_path / "state").glob("*.ndjson")))
    with held, pytest.raises(JournalBusy, match="another process"):
        ship(log)


def test_a_chunk_without_one_good_line_is_reported_and_passed(log: Path) -> None:
    class Picky:
        def post(self, body: bytes, key: str, content_type: str = "") -> Answer:
            raise Refused(400, "nothing good", {"rejected": [{"line": 1, "reason": "too_old"}]})

    chunk = next(iter(cut_one(log)))
    answer = shipment.post(Picky(), "f", chunk, Label("app", "box"), None)
    assert answer.rejected == [Rejected(1, "too_old")]


def test_lines_the_server_had_from_another_version_are_known(log: Path) -> None:
    class Remembering:
        def post(self, body: bytes, key: str, content_type: str = "") -> Answer:
            raise Refused(409, "This Idempotency-Key came with other content.")

    chunk = next(iter(cut_one(log)))
    answer = shipment.post(Remembering(), "f", chunk, Label("app", "box"), None)
    assert answer.duplicate
    assert answer.accepted == 1000


def test_traces_are_one_record_and_shipped_once_however_often(
    ship: Ship, ledger: Ledger, tmp_path: Path
) -> None:
    path, looked_into = tmp_path / "app.log", Label("app", "box", "UTC")
    record = b"2026-11-24 12:00:00 ERROR x\n" + b"\tat a.B.c(D.java:1)\n" * 6
    path.write_bytes(record * 400)
    assert ship(path, label=looked_into) == Tally(sent=2800)
    assert ship(path, label=looked_into, from_start=True) == Tally(known=2800)
    assert ship(path, label=looked_into, state="other") == Tally(known=2800)
    assert ledger.lines() == 400


def test_a_refused_record_is_named_by_its_first_line_and_counts_all_of_its_lines(log: Path) -> None:
    class Strict:
        def post(self, body: bytes, key: str, content_type: str = "") -> Answer:
            return Answer("b", 1, [Rejected(2, "too_old")], False)

    log.write_bytes(b"x\n2026-11-24 12:00:00 ERROR x\n\tat a.B.c(D.java:1)\ny\n")
    (chunk,) = cut_one(log)
    answer = shipment.post(Strict(), "f", chunk, Label("app", "box", "UTC"), Setting())
    assert answer.accepted == 2
    assert list(shipment.complaints("app.log", chunk, answer)) == ["app.log:2: too_old"]


def test_lines_are_read_in_the_year_and_the_zone_of_their_file(
    ship: Ship, ledger: Ledger, tmp_path: Path
) -> None:
    path = tmp_path / "messages"
    path.write_bytes(b"Dec 31 12:00:00 box cron: x\nFeb  1 12:00:00 box cron: y\n")
    january = datetime(2026, 1, 15, tzinfo=UTC).timestamp()
    os.utime(path, (january, january))
    ship(path, label=Label("app", "box", "Europe/Berlin"))
    (body,) = ledger.bodies.values()
    times = [msgspec.json.decode(line)["time"] for line in body.splitlines()]
    wanted = ["2025-12-31T11:00:00+00:00", "2025-02-01T11:00:00+00:00"]
    assert times == [int(datetime.fromisoformat(text).timestamp()) * 10**9 for text in wanted]


def test_a_file_once_sent_plain_stays_plain(ship: Ship, ledger: Ledger, log: Path) -> None:
    ship(log)
    with log.open("ab") as file:
        file.write(b"2026-11-24 12:00:00 INFO x\n")
    ship(log, label=Label("app", "box", "UTC"))
    last = msgspec.json.decode(list(ledger.bodies.values())[-1])
    assert last == {"message": "2026-11-24 12:00:00 INFO x", "service": "app", "host": "box"}


def test_rejected_lines_are_named_by_their_number_in_the_file(log: Path) -> None:
    _, second, _ = cut_one(log)
    answer = Answer("b", 999, [Rejected(5, "too_old")], False)
    assert list(shipment.complaints("app.log", second, answer)) == ["app.log:1005: too_old"]


def test_what_one_server_was_sent_says_nothing_of_another(tmp_path: Path) -> None:
    one, two = (shipment.journal_directory(tmp_path, Target("http://a", token)) for token in ("t1", "t2"))
    assert one != two


def test_a_journal_cut_short_by_a_crash_keeps_what_was_whole(tmp_path: Path) -> None:
    with Journal(tmp_path / "j") as journal:
        journal.append([1, 2])
    with (tmp_path / "j").open("ab") as file:
        file.write(b"[3,")
    with Journal(tmp_path / "j") as journal:
        assert journal.entries == [[1, 2]]
        journal.append([5, 6])
    assert (tmp_path / "j").read_bytes() == b"[1,2]\n[5,6]\n"


def cut_one(path: Path) -> list[Chunk]:
    with path.open("rb") as file:
        return list(shipment.chunks.chunks(file, shipment.Place(), []))
