"""The deadline: what is late loses its socket, what is not keeps it."""

import socket
from collections.abc import Iterator

import pytest

from workers.deadline import Watchdog


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    with ours, theirs:
        yield ours, theirs


def test_a_call_that_is_never_answered_is_cut_off(pair: tuple[socket.socket, socket.socket]) -> None:
    with Watchdog().within(0.05) as leash:
        leash.hold(pair[0].fileno())
        assert pair[0].recv(1) == b""  # would wait 10 s and raise, were it not shut
    assert leash.expired


def test_a_call_that_ends_in_time_keeps_its_socket(pair: tuple[socket.socket, socket.socket]) -> None:
    watchdog, (other, quiet) = Watchdog(), socket.socketpair()
    with watchdog.within(0.05) as leash:
        leash.hold(pair[0].fileno())
    with other, quiet, watchdog.within(0.1) as later:
        later.hold(other.fileno())
        assert other.recv(1) == b""  # the watchdog has been past the first deadline by now
    pair[1].send(b"x")
    assert pair[0].recv(1) == b"x"
    assert not leash.expired


def test_a_shorter_deadline_set_later_is_kept_too(pair: tuple[socket.socket, socket.socket]) -> None:
    watchdog = Watchdog()
    with watchdog.within(60), watchdog.within(0.05) as short:
        short.hold(pair[0].fileno())
        assert pair[0].recv(1) == b""


def test_a_socket_that_comes_after_the_deadline_is_shut_at_once(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    with Watchdog().within(60) as leash:
        leash.cut()
        leash.hold(pair[0].fileno())
        assert pair[0].recv(1) == b""
