"""Places for requests, and what becomes of who finds none."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest.errors import NoThreads
from ingest.gate import LOOK_SECONDS, Gate


class Taken:
    """A gate with one place, which a thread has taken until it is told to leave."""

    def __init__(self, patience: float) -> None:
        self.now, self.cut = 0.0, [0.0][:0]
        self.gate = Gate(1, 30.0, cut=self.cut.append, clock=lambda: self.now, patience=patience)
        self.inside, self.leave = threading.Event(), threading.Event()

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
    assert not taken.cut


def test_where_none_comes_free_whoever_comes_is_refused_and_the_silent_are_cut_off() -> None:
    taken = Taken(patience=0.01)
    with ThreadPoolExecutor(1) as pool:
        stays = pool.submit(taken.stay)
        assert taken.inside.wait(10)
        for _ in range(3):
            with pytest.raises(NoThreads) as refusal, taken.gate.place():
                pass
        assert (refusal.value.status, refusal.value.retry_after) == (503, 2)
        assert taken.cut == [30.0], "once a second is enough"
        taken.now += LOOK_SECONDS
        with pytest.raises(NoThreads), taken.gate.place():
            pass
        assert len(taken.cut) == 2
        taken.leave.set()
        stays.result(10)
    with taken.gate.place():
        pass
