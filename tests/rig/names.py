"""The cluster's name server, run in a pod of its own: `python names.py ADDRESS RECORDS`.

RECORDS is a JSON file, {"name.log-system.svc.cluster.local": ["10.96.0.7"]}, replaced as a whole whenever
pods come and go and read again for each question. Only A records exist; a name that is not in the file does
not exist, one that has no addresses yet is answered without any. Python's own library alone.
"""

import json
import socket
import struct
import sys
from pathlib import Path

A, NO_SUCH_NAME = 1, 3
SECONDS = 5  # how long an answer may be kept, as in CoreDNS


def question(packet: bytes) -> tuple[str, int, int]:
    """(name, type, where the question ends)"""
    labels, at = [], 12
    while length := packet[at]:
        labels.append(packet[at + 1 : at + 1 + length].decode())
        at += 1 + length
    (kind,) = struct.unpack("!H", packet[at + 1 : at + 3])
    return ".".join(labels).lower(), kind, at + 5


def answer(packet: bytes, records: dict[str, list[str]]) -> bytes:
    name, kind, end = question(packet)
    known = name in records
    found = records.get(name, []) if kind == A else []
    flags = 0x8580 | (0 if known else NO_SUCH_NAME)
    head = packet[:2] + struct.pack("!HHHHH", flags, 1, len(found), 0, 0)
    pointer = struct.pack("!HHHIH", 0xC00C, A, 1, SECONDS, 4)
    return head + packet[12:end] + b"".join(pointer + socket.inet_aton(each) for each in found)


def main(address: str, records: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind((address, 53))
        while True:
            packet, client = door.recvfrom(4096)
            door.sendto(answer(packet, json.loads(records.read_text())), client)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
