"""What was accepted, and where each batch of it is: the promises that are held against an installation.

After every step each batch is looked for where the broker says it is. At the end nothing is taken on trust:
lines, refused lines, states, books and the ledger are all told from what was sent.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import redis

from ingest.buffer import STATES, Buffer, Offer, State
from ingest.envelope import Envelope, keyed_id, pack
from ingest.record import Reject
from tests.plant import Plant, Shelf
from tests.rows import NOW_US, record
from webapp.logs import balance, ledger
from workers import sift
from workers.settle import DEATHS
from workers.spool import BAD, OLD

RANK = {State.QUEUED: 0, State.SPILLED: 1, State.STORED: 2, State.DUPLICATE: 2, State.QUARANTINED: 2}
HASH = b"#" * 32
BAD_ROW = b'{"no": '  # attributes that no jsonb column takes


@dataclass
class Sent:
    """One batch, by its first acceptance and by those of its repeats."""

    offer: Offer
    messages: list[str]
    bad: frozenset[int]  # lines that the database refuses, from 1
    refused: int  # lines that ingest refused
    readable: bool
    acceptances: list[int] = field(default_factory=list)
    states: dict[int, State] = field(default_factory=dict)  # of each acceptance, as last seen
    deaths: int = 0
    forgotten: bool = False  # by the broker, a minute after its end

    @property
    def id(self) -> uuid.UUID:
        return self.offer.batch

    @property
    def newest(self) -> int:
        return self.acceptances[-1]

    @property
    def final(self) -> bool:
        return bool(self.states) and RANK[self.states[self.newest]] == 2

    def put_away(self) -> str | None:
        """Why it cannot be stored in part."""
        if not self.readable:
            return "unreadable"
        return "poison" if len(self.bad) > sift.MOST else None

    def good(self) -> list[str]:
        return [message for number, message in enumerate(self.messages, 1) if number not in self.bad]

    def quarantined(self) -> list[tuple[int | None, str]]:
        if why := self.put_away():
            return [(None, why)]
        refused = [(number, "bad_json") for number in range(1, self.refused + 1)]
        return [*refused, *((number, "refused_by_database") for number in self.bad)]


@dataclass(frozen=True)
class Kind:
    """What a batch is to be like."""

    lines: int
    bad: frozenset[int]
    refused: int
    readable: bool
    keyed: bool


def make(number: int, source: int, kind: Kind) -> Sent:
    planted = frozenset(line for line in kind.bad if line <= kind.lines)
    messages = [f"{number}.{line}" for line in range(1, kind.lines + 1)]
    records = [
        record(message, attributes=BAD_ROW if line in planted else b"{}")
        for line, message in enumerate(messages, 1)
    ]
    rejects = [Reject(line, "bad_json", "No JSON.", b"{") for line in range(1, kind.refused + 1)]
    payload = pack(Envelope(source, "native", NOW_US, HASH, records, rejects))
    key = number.to_bytes(4, "big") if kind.keyed else None
    offer = Offer(
        batch=keyed_id(source, key, HASH) if key else uuid.uuid5(uuid.NAMESPACE_OID, str(number)),
        source=source,
        dialect="native",
        rows=kind.lines,
        rejects={"bad_json": kind.refused} if kind.refused else {},
        content_hash=HASH,
        payload=payload if kind.readable else b"\x01no frame",
        key=key,
    )
    return Sent(offer, messages, planted, kind.refused, kind.readable)


class Accepted:
    """All that was, and the looks at where it is."""

    def __init__(self, plant: Plant, conn: psycopg.Connection[Any]) -> None:
        self.plant, self.conn = plant, conn
        self.buffer = Buffer(plant.client)
        self.shelf = Shelf()
        self.all: list[Sent] = []
        self.looks_at_disks = True

    def took(self, sent: Sent, acceptance: int) -> None:
        if not sent.acceptances:
            self.all.append(sent)
        if acceptance not in sent.acceptances:
            sent.acceptances.append(acceptance)
            sent.states[acceptance] = State.QUEUED
            sent.forgotten = False

    # ---- after every step ----

    def look(self) -> None:
        for disk in (worker.disk for worker in self.plant.workers):
            self.shelf.learn(disk)
        watched = [sent for sent in self.all if not sent.final]
        if not watched:
            return
        self._follow(watched)
        self._must_be_kept([sent for sent in watched if sent.states[sent.newest] is not State.QUEUED])

    def _follow(self, watched: Sequence[Sent]) -> None:
        pipe = self.plant.client.pipeline(transaction=False)
        for sent in watched:
            pipe.hmget(b"m:" + sent.id.bytes, "a", "s", "d")
            pipe.exists(b"b:" + sent.id.bytes)
        answers = pipe.execute()
        for sent, (acceptance, letter, deaths), there in zip(
            watched, answers[::2], answers[1::2], strict=True
        ):
            assert acceptance, f"{sent.id} is lost: the broker knows nothing of it"
            assert int(acceptance) == sent.newest, f"{sent.id} was accepted once more"
            state = STATES[letter]
            before = sent.states[sent.newest]
            assert state is before or RANK[state] > RANK[before], f"{sent.id} went from {before} to {state}"
            assert bool(there) == (state is State.QUEUED), f"{sent.id} is {state}, its payload is not so"
            sent.states[sent.newest] = state
            sent.deaths = max(sent.deaths, int(deaths or 0))

    def _must_be_kept(self, elsewhere: Sequence[Sent]) -> None:
        """The broker has let go of them: they are in the database, or in a file that no power cut takes."""
        if not elsewhere:
            return
        stored = self.ledgered(elsewhere)
        spilled = self._on_disks() if self.looks_at_disks else None
        for sent in elsewhere:
            if sent.final:
                assert sent.id in stored, f"{sent.id} is lost: the broker has let go of it, nobody has it"
            elif spilled is not None and sent.id not in stored:
                assert sent.id.bytes in spilled, f"{sent.id} is lost if the power goes now"

    def _on_disks(self) -> set[bytes]:
        return {
            batch
            for worker in self.plant.workers
            for inode in worker.disk.certain()
            for batch in self.shelf.of(inode).places
        }

    def ledgered(self, some: Iterable[Sent]) -> dict[uuid.UUID, tuple[Any, ...]]:
        rows = self.conn.execute(
            "SELECT batch, acceptance, seg, first_pos, rows, rejected, quarantined, content_hash <> ''"
            " FROM log_batch WHERE batch = ANY(%s)",
            [[sent.id for sent in some]],
        ).fetchall()
        return {row[0]: row[1:] for row in rows}

    # ---- at the end ----

    def settle_accounts(self) -> None:
        """Everything has come to rest."""
        stored = self.ledgered(self.all)
        excused = self._damaged()
        for sent in self.all:
            if sent.id not in stored:
                assert sent.id.bytes in excused, f"{sent.id} is lost: {sent}"
                assert sent.states[sent.newest] is State.SPILLED
        self._lines_are_whole(stored)
        self._quarantine_is_what_was_planted(stored)
        self._states_agree(stored, excused)
        self._books_balance()
        self._ledger_misses(stored)

    def _damaged(self) -> set[bytes]:
        """What may be missing: in a file that was set aside and that says so."""
        found: set[bytes] = set()
        for worker in self.plant.workers:
            aside = {path.name for path in worker.spool.aside()} if worker.spool else set()
            there = {name for name in worker.disk.names if name.endswith((BAD, OLD))}
            assert aside == there, f"set aside are {there}, told are {aside}"
            for name in aside:
                inode = worker.disk.names[name]
                assert (worker.disk.directory / name).read_bytes() == inode.data
                layout = self.shelf.of(inode)
                good = set() if name.endswith(OLD) else layout.readable(inode.flips)
                found |= set(layout.places) - good
        return found

    def _lines_are_whole(self, stored: dict[uuid.UUID, tuple[Any, ...]]) -> None:
        lines = self.conn.execute("SELECT seg, pos, message FROM log ORDER BY seg, pos").fetchall()
        expected = []
        for sent in self.all:
            if sent.id in stored:
                _, seg, first, rows, *_, parsed = stored[sent.id]
                good = sent.good() if parsed else []
                assert rows == len(good), f"{sent.id} is not whole: {rows} of {len(good)} lines"
                expected += [(seg, first + at, message) for at, message in enumerate(good)]
        found, wanted = Counter(message for *_, message in lines), Counter(m for *_, m in expected)
        assert not found - wanted, f"stored twice, or never sent: {found - wanted}"
        assert not wanted - found, f"lost: {wanted - found}"
        assert lines == sorted(expected), "positions are not those of the ledger"
        segments = self.conn.execute("SELECT seg, rows FROM log_segment WHERE rows > 0").fetchall()
        assert dict(segments) == Counter(seg for seg, *_ in lines), "segments count other lines"

    def _quarantine_is_what_was_planted(self, stored: dict[uuid.UUID, tuple[Any, ...]]) -> None:
        rows = self.conn.execute("SELECT batch, line, reason FROM quarantine").fetchall()
        found: dict[uuid.UUID, list[tuple[int | None, str]]] = {}
        for batch, line, reason in rows:
            found.setdefault(batch, []).append((line, reason))
        by_id = {sent.id: sent for sent in self.all}
        assert found.keys() <= by_id.keys()
        for sent in (by_id[batch] for batch in stored):
            here = found.get(sent.id, [])
            if here == [(None, "deadly")]:
                assert sent.deaths >= DEATHS, f"put away after {sent.deaths} deaths"
            else:
                assert Counter(here) == Counter(sent.quarantined()), f"{sent} has {here}"

    def _states_agree(self, stored: dict[uuid.UUID, tuple[Any, ...]], excused: set[bytes]) -> None:
        """Of a batch that rotted after its COMMIT, before the broker was told, the broker never hears."""
        for sent in self.all:
            if sent.id.bytes in excused and sent.states[sent.newest] is State.SPILLED:
                continue
            if sent.id in stored:
                kept, *_, parsed = stored[sent.id]
                assert kept == sent.acceptances[0]
                expected = dict.fromkeys(sent.acceptances, State.DUPLICATE)
                expected[kept] = State.STORED if parsed else State.QUARANTINED
                assert sent.states == expected, f"{sent} is in the ledger as {expected[kept]}"
            assert sent.forgotten or self.buffer.state(sent.id) is sent.states[sent.newest]

    def _books_balance(self) -> None:
        books: Counter[tuple[int, str]] = Counter()
        for minute in self.buffer.minutes():
            for name in ("accepted", "queued", *RANK):
                books[minute.source, name] += getattr(minute, name)
            books[minute.source, "refused"] += sum(minute.refused.values())
        expected: Counter[tuple[int, str]] = Counter()
        for sent in self.all:
            source = sent.offer.source
            for state in sent.states.values():
                expected[source, "accepted"] += sent.offer.rows
                expected[source, state.value] += sent.offer.rows
                expected[source, "refused"] += sent.refused
        assert books == expected, f"the books say {books}, what was accepted {expected}"
        self._held_agrees(expected)

    def _held_agrees(self, expected: Counter[tuple[int, str]]) -> None:
        depth = self.buffer.depth()
        assert (depth.due, depth.leased, depth.queued_rows) == (0, 0, 0)
        for source, held in depth.by_source.items():
            assert held.spilled_rows == expected[source, "spilled"]
        spilled = [sent for sent in self.all if sent.states[sent.newest] is State.SPILLED]
        assert depth.spilled == len(spilled)

    def _ledger_misses(self, stored: dict[uuid.UUID, tuple[Any, ...]]) -> None:
        """Exactly the acceptances that rotted, a repeat's too: never silently gone."""
        balance.copy_minutes(self.buffer, self.conn)
        minutes = [minute.minute for minute in self.buffer.minutes()]
        missing: Counter[int] = Counter()
        if minutes:
            found = ledger.read(self.conn, self.buffer, min(minutes), max(minutes) + 1)
            for place, line in found.lines.items():
                missing[place.source] += line.difference
        expected: Counter[int] = Counter()
        for sent in self.all:
            committed = sent.id in stored and stored[sent.id][0] == sent.newest
            if sent.states[sent.newest] is State.SPILLED and not committed:
                expected[sent.offer.source] += sent.offer.rows
        assert missing == expected, f"the ledger misses {missing}, gone are {expected}"


def forget(client: redis.Redis, sent: Sent) -> None:
    """A minute after its end, and an hour after it was accepted."""
    client.delete(b"m:" + sent.id.bytes, *client.keys("k:*"))
    sent.forgotten = True


RESET = "; ".join(
    f"DELETE FROM {table}"
    for table in (
        "log", "log_batch", "log_segment", "log_segment_slot", "quarantine", "log_minute", "log_stretch",
    )
)  # fmt: skip
