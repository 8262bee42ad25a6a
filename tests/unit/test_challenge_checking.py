"""The checker of a challenge is right only if it turns red: each row is one thing that may go wrong."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
import pytest

from tests.challenged import RUN, head
from webapp.challenge import checking, lines
from webapp.challenge.checking import Quarantine, Recount, Resting
from webapp.challenge.journal import Account, Entry
from webapp.challenge.lines import Line, Place

HEAD = head()
SIZE = 8
# Number, outcome, poison: what is in the store below is what such outcomes promise.
ACCEPTED, POISONED, THERE, NOT_THERE, REFUSED, GARBAGE, HALF_POISON = range(7)
OUTCOMES = {
    ACCEPTED: ("accepted", 0), POISONED: ("accepted", 3), THERE: ("unknown", 2), NOT_THERE: ("unknown", 2),
    REFUSED: ("refused", 1), GARBAGE: ("refused", 2), HALF_POISON: ("unknown", 2),
}  # fmt: skip


def id_of(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012d}"


def entry(number: int) -> Entry:
    outcome, poison = OUTCOMES[number]
    answered = outcome == "accepted" or number == GARBAGE
    size = 0 if number in (GARBAGE, HALF_POISON) else SIZE
    made = lines.make(RUN, number, size, poison)
    return Entry(
        run=RUN, batch=number, n=size, sha256=made.sha256, outcome=outcome, poison=poison,
        id=id_of(number) if answered else "",
    )  # fmt: skip


@dataclass
class Store:
    """What a reader gives back: a list of lines and of quarantined lines, to be spoilt by the tests."""

    there: list[Line] = field(default_factory=list)
    resting: list[Resting] = field(default_factory=list)

    def put(self, number: int) -> None:
        one = entry(number)
        began = lines.began_ns(RUN) + number * lines.BATCH_NS
        for position in range(one.n):
            _, line = lines.line(RUN, number, position, began + position * lines.STEP_NS)
            self.there.append(msgspec.structs.replace(line, batch=id_of(number)))
        for planted in lines.make(RUN, number, one.n, one.poison).planted:
            start = planted.raw.decode("utf-8", "replace")[:120]
            self.resting.append(Resting(planted.line, planted.reason, id_of(number), start, planted.raw))

    def line(self, number: int, position: int) -> int:
        return next(
            at for at, one in enumerate(self.there) if lines.place_of(one, RUN) == Place(number, position)
        )

    def poison(self, number: int, which: int = 0) -> int:
        wanted = (RUN, Place(number, which))
        return next(at for at, one in enumerate(self.resting) if lines.planted_at(one.beginning) == wanted)


def judged(store: Store, entries: Iterable[Entry] | None = None) -> dict[str, int]:
    """Differences by kind."""
    account = Account(HEAD, {one.batch: one for one in entries or map(entry, OUTCOMES)})
    recount, quarantine = Recount(RUN), Quarantine(RUN)
    for line in store.there:
        recount.add(line)
    for resting in store.resting:
        quarantine.add(resting)
    found: dict[str, int] = {}
    for one in checking.differences(account, recount, quarantine):
        found[one.kind] = found.get(one.kind, 0) + one.count
    return found


@pytest.fixture
def store() -> Store:
    made = Store()
    for number in (ACCEPTED, POISONED, THERE, GARBAGE, HALF_POISON):
        made.put(number)
    return made


def test_a_store_that_kept_every_promise_has_no_difference(store: Store) -> None:
    assert judged(store) == {}


def changed(store: Store, at: int, **change: object) -> None:
    store.there[at] = msgspec.structs.replace(store.there[at], **change)


def lose_a_line(store: Store) -> None:
    del store.there[store.line(ACCEPTED, 3)]


def lose_a_batch(store: Store) -> None:
    store.there = [one for one in store.there if one.batch != id_of(ACCEPTED)]


def double_a_line(store: Store) -> None:
    store.there.append(store.there[store.line(ACCEPTED, 3)])


def double_a_batch(store: Store) -> None:
    store.there += [
        msgspec.structs.replace(one, batch=id_of(99)) for one in store.there if one.batch == id_of(ACCEPTED)
    ]


def alter_a_message(store: Store) -> None:
    changed(store, store.line(ACCEPTED, 3), message="something else")


def alter_a_number(store: Store) -> None:
    at = next(at for at, one in enumerate(store.there) if "order.total" in one.attributes)
    changed(store, at, attributes={**store.there[at].attributes, "order.total": Decimal("12.1")})


def swap_two_places(store: Store) -> None:
    first, second = store.line(ACCEPTED, 1), store.line(ACCEPTED, 2)
    one, other = store.there[first].attributes, store.there[second].attributes
    changed(store, first, attributes={**one, "challenge.position": 2})
    changed(store, second, attributes={**other, "challenge.position": 1})


def half_of_an_unknown_batch(store: Store) -> None:
    store.there = [
        one
        for one in store.there
        if one.batch != id_of(THERE) or one.attributes["challenge.position"] < SIZE / 2
    ]


def an_unknown_batch_without_its_poison(store: Store) -> None:
    del store.resting[store.poison(THERE)]


def poison_of_an_unknown_batch_without_its_lines(store: Store) -> None:
    store.there = [one for one in store.there if one.batch != id_of(THERE)]


def half_of_the_poison_of_an_unknown_batch(store: Store) -> None:
    del store.resting[store.poison(HALF_POISON)]


def an_unknown_batch_altered(store: Store) -> None:
    changed(store, store.line(THERE, 1), host="elsewhere")


def an_unknown_batch_twice(store: Store) -> None:
    store.there += [one for one in store.there if one.batch == id_of(THERE)]


def a_refused_batch_stored(store: Store) -> None:
    store.put(REFUSED)
    del store.resting[store.poison(REFUSED)]


def poison_of_a_refused_batch(store: Store) -> None:
    store.put(REFUSED)
    store.there = [one for one in store.there if one.batch != id_of(REFUSED)]


def lose_poison(store: Store) -> None:
    del store.resting[store.poison(POISONED, 1)]


def lose_poison_of_a_body_of_garbage(store: Store) -> None:
    del store.resting[store.poison(GARBAGE, 1)]


def double_poison(store: Store) -> None:
    store.resting.append(store.resting[store.poison(POISONED)])


def poison_nobody_planted(store: Store) -> None:
    _, raw = lines.poisoned(RUN, POISONED, 3)
    store.resting.append(Resting(12, "bad_json", id_of(POISONED), raw.decode(), raw))


def a_good_line_in_quarantine(store: Store) -> None:
    sent, _ = lines.line(RUN, ACCEPTED, 3, lines.began_ns(RUN))
    store.resting.append(Resting(4, "refused_by_database", id_of(ACCEPTED), sent.decode()[:120], sent))


def a_whole_batch_in_quarantine(store: Store) -> None:
    lose_a_batch(store)
    store.resting.append(Resting(None, "poison", id_of(ACCEPTED), "93c4 10ff", b"\x93\xc4\x10\xff"))


def poison_for_another_reason(store: Store) -> None:
    at = store.poison(POISONED)
    store.resting[at] = store.resting[at]._replace(reason="too_long")


def poison_of_another_batch(store: Store) -> None:
    at = store.poison(POISONED)
    store.resting[at] = store.resting[at]._replace(batch=id_of(99))


def poison_with_other_bytes(store: Store) -> None:
    at = store.poison(POISONED)
    store.resting[at] = store.resting[at]._replace(raw=b"cut off")


def a_batch_nobody_sent(store: Store) -> None:
    _, line = lines.line(RUN, 77, 0, lines.began_ns(RUN))
    store.there.append(line)


def a_line_beyond_its_batch(store: Store) -> None:
    _, line = lines.line(RUN, ACCEPTED, SIZE, lines.began_ns(RUN))
    store.there.append(msgspec.structs.replace(line, batch=id_of(ACCEPTED)))


def a_line_with_no_place(store: Store) -> None:
    _, line = lines.line(RUN, ACCEPTED, 0, lines.began_ns(RUN))
    store.there.append(msgspec.structs.replace(line, attributes={"challenge.run": RUN}))


def another_batchs_id(store: Store) -> None:
    for position in range(SIZE):
        changed(store, store.line(ACCEPTED, position), batch=id_of(99))


def another_source(store: Store) -> None:
    changed(store, store.line(ACCEPTED, 0), source="default")


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lose_a_line, {"lost": 1, "partial": 1}),
        (lose_a_batch, {"lost": SIZE}),
        (double_a_line, {"twice": 1}),
        (double_a_batch, {"twice": SIZE, "other batch": 1}),
        (alter_a_message, {"altered": 1}),
        (alter_a_number, {"altered": 1}),
        (swap_two_places, {"altered": 1}),
        (half_of_an_unknown_batch, {"partial": 1}),
        (an_unknown_batch_without_its_poison, {"poison not in quarantine": 1}),
        (poison_of_an_unknown_batch_without_its_lines, {"quarantined too often": 2}),
        (half_of_the_poison_of_an_unknown_batch, {"poison not in quarantine": 1}),
        (an_unknown_batch_altered, {"altered": 1}),
        (an_unknown_batch_twice, {"twice": SIZE}),
        (a_refused_batch_stored, {"refused and yet stored": SIZE}),
        (poison_of_a_refused_batch, {"quarantined too often": 1}),
        (lose_poison, {"poison not in quarantine": 1}),
        (lose_poison_of_a_body_of_garbage, {"poison not in quarantine": 1}),
        (double_poison, {"quarantined too often": 1}),
        (poison_nobody_planted, {"quarantined too often": 1}),
        (a_good_line_in_quarantine, {"quarantined too often": 1}),
        (a_whole_batch_in_quarantine, {"lost": SIZE, "quarantined too often": 1}),
        (poison_for_another_reason, {"quarantined otherwise": 1}),
        (poison_of_another_batch, {"quarantined otherwise": 1}),
        (poison_with_other_bytes, {"quarantined otherwise": 1}),
        (a_batch_nobody_sent, {"never sent": 1}),
        (a_line_beyond_its_batch, {"never sent": 1}),
        (a_line_with_no_place, {"never sent": 1}),
        (another_batchs_id, {"other batch": 1}),
        (another_source, {"other source": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_checker_turns_red(spoil: Callable[[Store], None], found: dict[str, int], store: Store) -> None:
    spoil(store)
    assert judged(store) == found


def test_poison_of_another_run_in_the_same_source_is_nobodys_business(store: Store) -> None:
    _, raw = lines.poisoned("20261124T110000Z-0badcafe", 0, 0)
    store.resting.append(Resting(1, "bad_json", id_of(5), raw.decode(), raw))
    assert judged(store) == {}


def test_an_answer_that_was_not_as_promised_is_a_difference(store: Store) -> None:
    odd = msgspec.structs.replace(entry(ACCEPTED), odd="accepted 7 of 8 lines")
    others = [entry(number) for number in OUTCOMES if number != ACCEPTED]
    assert judged(store, [odd, *others]) == {"answers not as promised": 1}


def test_a_batch_that_this_version_makes_otherwise_is_not_called_good(store: Store) -> None:
    other = msgspec.structs.replace(entry(ACCEPTED), sha256="0" * 64)
    others = [entry(number) for number in OUTCOMES if number != ACCEPTED]
    assert judged(store, [other, *others]) == {"not judged": SIZE}


# ---- receipts and ledger ----

RECEIPT = {"state": "stored", "accepted": SIZE, "stored": SIZE, "rejected": 3}


@pytest.mark.parametrize(
    "receipt",
    [
        None,
        {**RECEIPT, "state": "queued"},
        {**RECEIPT, "stored": SIZE - 1},
        {**RECEIPT, "accepted": SIZE + 1},
        {**RECEIPT, "rejected": 0},
    ],
)
def test_a_receipt_that_says_otherwise_is_a_difference(receipt: dict[str, object] | None) -> None:
    assert [one.count for one in checking.receipt_differences(entry(POISONED), receipt)] == [1]
    assert not list(checking.receipt_differences(entry(POISONED), RECEIPT))


ACCOUNT = Account(HEAD, {number: entry(number) for number in OUTCOMES})
STORED = 3 * SIZE
LEDGER = {
    "accepted": STORED, "stored": STORED, "difference": 0, "moving": 0,
    "refused": {"not_an_object": 1, "bad_time": 1, "too_old": 1, "bad_number": 1, "bad_json": 1},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"difference": 1}, "ledger out of balance"),
        ({"difference": -1}, "ledger out of balance"),
        ({"moving": 5}, "ledger out of balance"),
        ({"accepted": 2 * SIZE - 1}, "ledger knows less"),
        ({"stored": STORED - 1}, "ledger knows less"),
        ({"refused": {**LEDGER["refused"], "too_old": 0}}, "ledger knows less"),
    ],
    ids=json.dumps,
)
def test_a_ledger_that_says_otherwise_is_a_difference(change: dict[str, object], kind: str) -> None:
    found = checking.ledger_differences(ACCOUNT, STORED, {**LEDGER, **change})
    assert [one.kind for one in found] == [kind]


def test_a_ledger_may_know_more_for_other_runs_are_in_the_same_source() -> None:
    more = {**LEDGER, "accepted": 10 * STORED, "stored": 10 * STORED}
    assert checking.ledger_differences(ACCOUNT, STORED, more) == []
