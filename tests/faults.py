"""What breaks things on purpose: a proxy that cuts or swallows, a file layer that fails and forgets, and
kills.

A crash inside a process is `Crash`, a BaseException that nothing under test may catch; a crash of a process
is a real SIGKILL.
"""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from workers.spool import Files


class Crash(BaseException):
    """The machine stops here."""


class FaultyFiles(Files):
    """A real directory with a memory of what a power cut would leave: only what was synced.

    `fail_at` is the number of the operation that fails, from 1; a write fails after half.
    """

    def __init__(self, directory: Path, *, fail_at: int = 0, failure: BaseException | None = None) -> None:
        self.directory = directory
        self.operations: list[str] = []
        self._fail_at = fail_at
        self._failure = failure or Crash()
        self._durable = self._snapshot()

    def write(self, path: Path, data: bytes) -> None:
        if self._is_next_to_fail("write"):
            path.write_bytes(data[: len(data) // 2])
            raise self._failure
        super().write(path, data)

    def rename(self, old: Path, new: Path) -> None:
        self._perhaps_fail("rename")
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self._perhaps_fail("unlink")
        super().unlink(path)

    def sync_directory(self, path: Path) -> None:
        self._perhaps_fail("sync_directory")
        self._durable = self._snapshot()

    def cut_power(self) -> None:
        """The directory as after a reboot: every rename and unlink since the last sync undone."""
        for path in self.directory.iterdir():
            path.unlink()
        for name, data in self._durable.items():
            (self.directory / name).write_bytes(data)

    def _perhaps_fail(self, operation: str) -> None:
        if self._is_next_to_fail(operation):
            raise self._failure

    def _is_next_to_fail(self, operation: str) -> bool:
        self.operations.append(operation)
        return len(self.operations) == self._fail_at

    def _snapshot(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.directory.iterdir() if path.is_file()}


class Proxy:
    """A TCP proxy on a free loopback port.

    `cut` ends every connection and refuses new ones; `swallow` keeps them open and says nothing; `mute` lets
    through what clients say and swallows the answers; `delay` is slow; `mend` ends what was swallowed and
    lets new connections through.
    """

    DELAY_SECONDS = 0.1  # for each piece, in either direction

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._mode = "pass"
        self._pairs: list[socket.socket] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        self._mode = "cut"
        self._drop_all()

    def swallow(self) -> None:
        self._mode = "swallow"

    def mute(self) -> None:
        self._mode = "mute"

    def delay(self) -> None:
        self._mode = "delay"

    def mend(self) -> None:
        self._mode = "pass"  # first: a connection that opens in between must not lose its beginning
        self._drop_all()

    def close(self) -> None:
        self._mode = "closed"
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        self._drop_all()

    def _accept(self) -> None:
        while self._mode != "closed":
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._mode == "cut":
                client.close()
                continue
            with self._lock:
                self._pairs.append(client)
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(client.close)
            server = stack.enter_context(socket.create_connection(self._target, 5))
            with self._lock:
                self._pairs.append(server)
            chooser = stack.enter_context(selectors.DefaultSelector())
            chooser.register(client, selectors.EVENT_READ, server)
            chooser.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in chooser.select():
                    source, sink = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    data = source.recv(65536)
                    if not data:
                        return
                    if self._mode == "delay":
                        time.sleep(self.DELAY_SECONDS)
                    if self._mode in ("pass", "delay") or (self._mode == "mute" and source is client):
                        sink.sendall(data)

    def _drop_all(self) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for one in pairs:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxied(port: int, host: str = "127.0.0.1") -> Iterator[Proxy]:
    proxy = Proxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()


def descendants(pid: int) -> list[int]:
    """The process and everything under it, parents first."""
    found = [pid]
    for one in found:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # gone meanwhile
            for task in Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process and all its children stopped: their sockets still acknowledge, nobody answers."""
    os.kill(pid, signal.SIGSTOP)  # first: it has no more children after this
    family = descendants(pid)
    try:
        signal_all(family[1:], signal.SIGSTOP)
        yield
    finally:
        signal_all(reversed(family), signal.SIGCONT)


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    for one in pids:
        with contextlib.suppress(ProcessLookupError):  # gone meanwhile
            os.kill(one, number)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(10)
