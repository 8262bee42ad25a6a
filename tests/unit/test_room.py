"""How many bytes of bodies a process holds at once."""

import io

import pytest

from ingest.bodies import read
from ingest.errors import BadBody, NoMemory
from ingest.room import Room


def test_a_body_that_does_not_fit_beside_the_others_is_refused_unread() -> None:
    room, unread = Room(100), io.BytesIO(b"x" * 50)
    with room.holding(io.BytesIO(), 60), pytest.raises(NoMemory) as refusal, room.holding(unread, 50):
        pass
    assert unread.tell() == 0
    assert (refusal.value.status, refusal.value.retry_after) == (503, 1)


def test_what_has_left_makes_room() -> None:
    room = Room(100)
    for _ in range(3):
        with room.holding(io.BytesIO(b"x" * 100), 100) as stream:
            assert len(read(stream, 100, 100)) == 100


def test_a_body_of_unannounced_length_takes_its_place_as_it_comes() -> None:
    room, body = Room(150_000), io.BytesIO(b"x" * 200_000)
    with pytest.raises(NoMemory), room.holding(body, None) as stream:
        read(stream, None, 1_000_000)
    assert body.tell() < 200_000
    with room.holding(io.BytesIO(), 150_000):
        pass  # all of it was given back


def test_a_body_that_broke_off_holds_nothing() -> None:
    room = Room(100)
    with pytest.raises(BadBody), room.holding(io.BytesIO(b"cut"), 100) as stream:
        read(stream, 100, 100)
    with room.holding(io.BytesIO(), 100):
        pass
