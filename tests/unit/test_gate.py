"""Places for requests, and what becomes of who finds none."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest.errors import NoThreads
from ingest.gate import Gate


class Taken:
    """A gate with one place, which a thread has taken until it is told to leave."""

    def __init__(self, patience: float) -> None:
        self.cuts, self.looked_again = 0, threading.Event()
        self.gate = Gate(1, self.cut, patience=patience, look_seconds=0.01)
        self.inside, self.leave = threading.Event(), threading.Event()

    def cut(self) -> None:
        self.cuts += 1
        if self.cuts == 2:
            self.looked_again.set()

    def stay(self) -> None:
        with self.gate.place():
            self.inside.set()
            assert self.leave.wait(30)


def test_a_place_that_comes_free_is_waited_for() -> None:
    taken = Taken(patience=30)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(taken.stay)
        assert taken.inside.wait(10)
        second = pool.submit(taken.stay)
        taken.leave.set()
        first.result(10)
        second.result(10)
    assert taken.cuts == 0


def test_where_none_comes_free_whoever_comes_is_refused_and_the_slow_are_cut_off() -> None:
    taken = Taken(patience=0.01)
    with ThreadPoolExecutor(1) as pool:
        stays = pool.submit(taken.stay)
        assert taken.inside.wait(10)
        for _ in range(3):
            with pytest.raises(NoThreads) as refusal, taken.gate.place():
                pass
        assert (refusal.value.status, refusal.value.retry_after) == (503, 2)
        assert taken.looked_again.wait(10), "also when nobody else comes"
        taken.leave.set()
        stays.result(10)
    with taken.gate.place():
        pass
