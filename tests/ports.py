"""The ingest port as production runs it, and what a sender does to it."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.senders import GOOD, Answer, metric
from webapp import roles
from webapp.local import servers


@dataclass
class Port:
    port: int
    process: subprocess.Popen[bytes]

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named, encode_chunked=not isinstance(body, bytes | None))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def post(self, body: Any, token: str = GOOD, **headers: str) -> Answer:
        given = {"Authorization": f"Bearer {token}", "Content_Type": "application/x-ndjson"} | headers
        return self.request("POST", "/logs", body, **given)

    def figures(self, *names: str) -> list[float]:
        text = self.request("GET", "/metrics").body
        return [metric(text, name) for name in names]

    def refused(self, reason: str) -> float:
        return self.figures(f'logboom_ingest_refused_total{{reason="{reason}"}}')[0]

    def told(self, code: str) -> float:
        return self.figures(f'logboom_ingest_requests_total{{code="{code}"}}')[0]

    def until(self, true: Callable[[Answer], bool], body: bytes, token: str) -> Answer:
        """The first answer that is so; what was published or drained is seen within a second."""
        end = time.monotonic() + 20
        while not true(answer := self.post(body, token)):
            assert time.monotonic() < end, answer.body
            time.sleep(0.05)
        return answer

    def until_accepted(self, body: bytes, token: str = GOOD) -> Answer:
        return self.until(lambda answer: answer.status == 202, body, token)

    def until_refused(self, body: bytes, token: str, code: str) -> Answer:
        return self.until(lambda answer: answer.json.get("code") == code, body, token)

    def cut(self, *head: str, body: bytes) -> None:
        """Says this much and hangs up."""
        lines = [
            "POST /logs HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {GOOD}",
            "Content-Type: text/plain",
        ]
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall("\r\n".join([*lines, *head, "", ""]).encode() + body)

    def memory_mib(self) -> float:
        """The most that the serving process ever held."""
        (worker,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        status = Path(f"/proc/{worker}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


@contextlib.contextmanager
def serving(broker_url: str, log: Path, **environment: str) -> Iterator[Port]:
    port = servers.free_port()
    command = roles.command("ingest")
    command[command.index("--port") + 1] = str(port)
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            env={
                **os.environ,
                "ROLE": "ingest",
                "BROKER_URL": broker_url,
                "BROKER_WAIT_SECONDS": "20",
                **environment,
            },
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: listens(port), process, log)
        yield Port(port, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def wait_for(true: Any, process: subprocess.Popen[bytes], log: Path) -> None:
    servers.wait_until(true, process, "ingest", log)
