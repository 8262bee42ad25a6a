"""Wires: a hub that routes between pods, each in a network namespace with one cable to it.

Addresses are the hub's to give and are never given twice, so that a count by address is a count by pod. All
traffic between pods is forwarded by the hub; its firewall is the place where policies hold. Processes on the
node itself (the kubelet's probes) stand in the hub and are not forwarded, as policies never stop them either.
"""

import contextlib
import ctypes
import itertools
import json
import os
import shutil
import socket
import subprocess
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests import database
from tests.rig.policies import SERVICES

TOOLS = ("ip", "nft", "runc", "openssl", "mount")
NODE = "10.244.0.1"
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
database.LACKING["rig"] = "rendered pods cannot be run (root, network namespaces, nft, runc, openssl)"


class Packet(NamedTuple):
    """The first of a connection."""

    source: str
    target: str
    protocol: str
    port: int


def able() -> bool:
    """Whether this machine lets us: root, the tools, network namespaces with a firewall, mounts."""
    if os.geteuid() != 0 or not all(shutil.which(tool) for tool in TOOLS):
        return False
    tried = "sysctl -qw net.ipv4.ip_forward=1 && nft add table inet tried && mount -t tmpfs none /mnt"
    words = ["unshare", "--net", "--mount", "sh", "-ec", tried]
    return subprocess.run(words, capture_output=True).returncode == 0


def run(*words: str | Path, given: str | None = None) -> str:
    done = subprocess.run([str(word) for word in words], input=given, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stderr}{given or ''}"
    return done.stdout


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread, and what it starts or opens, in another namespace; sockets stay where they began."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        enter(other)
        yield
    finally:
        enter(own)
        os.close(own)
        os.close(other)


def enter(descriptor: int) -> None:
    if LIBC.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def connect(namespace: str, address: str, port: int, timeout: float) -> socket.socket:
    with inside(namespace):
        return socket.create_connection((address, port), timeout)


@dataclass
class Hub:
    prefix: str = field(default_factory=lambda: f"rig{uuid.uuid4().hex[:5]}")
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(10))

    @property
    def name(self) -> str:
        return f"{self.prefix}-hub"

    def up(self) -> None:
        run("ip", "netns", "add", self.name)
        self.configure(
            self.name,
            "link set lo up",
            "link add services type bridge",
            "link set services up",
            f"route add {SERVICES} dev services",  # so that a Service without endpoints reaches the firewall
        )
        run("ip", "netns", "exec", self.name, "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def down(self) -> None:
        for line in run("ip", "netns", "list").splitlines():
            if line.startswith(f"{self.prefix}-"):
                run("ip", "netns", "del", line.split()[0])

    def attach(self) -> tuple[str, str]:
        """A new namespace on the hub: (its name, its address)."""
        with self.lock:
            number = next(self.numbers)
        own, cable = f"{self.prefix}-{number}", f"pod{number}"
        address = f"10.244.{number // 250}.{number % 250 + 2}"
        run("ip", "netns", "add", own)
        self.configure(
            self.name,
            f"link add {cable} type veth peer eth0 netns {own}",
            f"addr add {NODE}/32 dev {cable}",
            f"link set {cable} up",
            f"route add {address}/32 dev {cable}",
        )
        self.configure(
            own,
            "link set lo up",
            f"addr add {address}/32 dev eth0",
            "link set eth0 up",
            f"route add {NODE} dev eth0 scope link",
            f"route add default via {NODE}",
        )
        return own, address

    def detach(self, namespace: str) -> None:
        run("ip", "netns", "del", namespace)

    def configure(self, namespace: str, *lines: str) -> None:
        run("ip", "-n", namespace, "-batch", "-", given="\n".join(lines) + "\n")

    def load(self, rules: str) -> None:
        """All of them at once, or none."""
        run("ip", "netns", "exec", self.name, "nft", "-f", "-", given=rules)

    def counted(self, name: str) -> dict[Packet, int]:
        """One of the firewall's counts by pair: "used" or "refused"."""
        said = run("ip", "netns", "exec", self.name, "nft", "-j", "list", "set", "inet", "rig", name)
        [found] = [each["set"] for each in json.loads(said)["nftables"] if "set" in each]
        elements = [each["elem"] for each in found.get("elem", [])]
        return {Packet(*each["val"]["concat"]): each["counter"]["packets"] for each in elements}
