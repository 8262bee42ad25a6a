"""Somebody outside the release: a browser, a sender, a neighbour. Names are asked for as pods do."""

import http.client
import json
import re
import secrets
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from ingest.client import Sender, Target
from tests.rig import network
from tests.rig.cluster import DNS, Cluster, Stranger

REFUSED, UNANSWERED, ANSWERED = "refused", "no answer", "answered"
COOKIE = re.compile(r"([^=;]+)=([^;]*)")


def resolve(stranger: Stranger, name: str) -> str:
    """The address of a full name, by the cluster's own name server."""
    asked = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    packet = secrets.token_bytes(2) + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + asked + b"\0\1\0\1"
    with network.inside(stranger.network), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.settimeout(5)
        door.sendto(packet, (DNS, 53))
        answer = door.recv(4096)
    assert answer[6:8] != b"\0\0", f"{name} has no address"
    return socket.inet_ntoa(answer[-4:])


@dataclass
class Client:
    cluster: Cluster
    stranger: Stranger
    cookies: dict[str, str] = field(default_factory=dict)

    def address(self, service: str) -> str:
        return resolve(self.stranger, f"{service}.log-system.svc.cluster.local")

    def request(
        self, service: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, str, http.client.HTTPMessage]:
        """Through the Service, at its port 80, from a connection of its own."""
        connection = http.client.HTTPConnection(service, 80, timeout=30)
        connection.sock = network.connect(self.stranger.network, self.address(service), 80, 30)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request("GET" if body is None else "POST", path, body, given)
            answer = connection.getresponse()
            for cookie in answer.msg.get_all("Set-Cookie") or []:
                name, value = COOKIE.match(cookie).groups()  # type: ignore[union-attr]
                self.cookies[name] = value
            return answer.status, answer.read().decode(errors="replace"), answer.msg
        finally:
            connection.close()

    def log_in(self, password: str) -> None:
        status, page, _ = self.request("logboom-web", "/login/")
        assert status == 200, page
        [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        form = urlencode({"username": "admin", "password": password, "csrfmiddlewaretoken": token}).encode()
        status, page, _ = self.request(
            "logboom-web", "/login/", form, Content_Type="application/x-www-form-urlencoded"
        )
        assert status == 302 and "sessionid" in self.cookies, page

    def messages(self, query: str) -> list[str]:
        path = "/api/v1/logs/search?" + urlencode({"q": query})
        status, said, _ = self.request("logboom-web", path)
        assert status == 200, said
        return [line["message"] for line in json.loads(said)["logs"]]

    def fetch(self, address: str, port: int, path: str) -> str:
        """From a pod itself, as Prometheus does."""
        connection = http.client.HTTPConnection(address, port, timeout=30)
        connection.sock = network.connect(self.stranger.network, address, port, 30)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()


def knock(namespace: str, address: str, port: int, seconds: float = 0.7) -> str:
    """What comes of a connection: policies drop, so nothing does."""
    try:
        network.connect(namespace, address, port, seconds).close()
    except TimeoutError:
        return UNANSWERED
    except OSError:
        return REFUSED
    return ANSWERED


@dataclass
class Producer:
    """Sends numbered lines at a rate, each batch until it is answered; remembers every try that was not."""

    cluster: Cluster
    stranger: Stranger
    token: str
    service: str  # of the lines
    rate: float = 200.0
    batch: int = 10
    sent: int = 0
    waits: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None

    def __enter__(self) -> "Producer":
        self.thread = threading.Thread(target=self.guarded, name="producer")
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        if self.failure:
            raise self.failure

    def guarded(self) -> None:
        try:
            with network.inside(self.stranger.network):
                self.produce(resolve(self.stranger, "logboom-ingest.log-system.svc.cluster.local"))
        except BaseException as failure:  # of a thread: raised again by who made it
            self.failure = failure

    def produce(self, address: str) -> None:
        """By turns on a connection that is kept and on a new one: every pod is met, to its last moment."""
        target = Target(f"http://{address}", self.token)
        senders = [Sender(target, patience=120, on_wait=self.waited) for _ in range(2)]
        begun = time.monotonic()
        for number in self.numbers():
            self.over.wait(max(0.0, begun + self.sent / self.rate - time.monotonic()))
            kept = number % 2 == 0
            senders[kept].post(self.body(number), f"{self.service}-{number}")
            if not kept:
                senders[kept].close()
            self.sent += self.batch
        for sender in senders:
            sender.close()

    def numbers(self) -> Iterator[int]:
        number = 0
        while not self.over.is_set():
            yield number
            number += 1

    def body(self, number: int) -> bytes:
        first = number * self.batch
        lines: list[dict[str, Any]] = [
            {"service": self.service, "message": f"line {each}"} for each in range(first, first + self.batch)
        ]
        return "\n".join(map(json.dumps, lines)).encode()

    def waited(self, seconds: float, why: str) -> None:
        self.cluster.tell(f"the producer waits {seconds:.1f} s: {why}")
        self.waits.append(why)


@dataclass
class Reader:
    """Asks for a page again and again, each time by a connection of its own."""

    who: Client
    answers: Counter[int | str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Reader":
        self.thread = threading.Thread(target=self.read, name="reader")
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def read(self) -> None:
        who = Client(self.who.cluster, self.who.stranger)
        while not self.over.wait(0.1):
            try:
                self.answers[who.request("logboom-web", "/login/")[0]] += 1
            except (OSError, http.client.HTTPException) as broken:
                self.answers[f"{type(broken).__name__}: {broken}"] += 1
