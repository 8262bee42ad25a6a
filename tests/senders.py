"""Who sends lines in tests: tokens of every kind, the directory that knows them, and the answers they get."""

import json
from dataclasses import dataclass
from typing import Any

from ingest.directory import Directory, SourceEntry, TokenEntry, digest, make_token

SOURCE, RETRYING = 7, 8
LINE = b'{"message": "hello", "service": "cart"}\n'
TOKENS = {
    make_token("ingest"): TokenEntry(SOURCE, "ingest", "good"),
    make_token("ingest"): TokenEntry(RETRYING, "ingest", "identical is retry"),
    make_token("ingest"): TokenEntry(SOURCE, "ingest", "off", disabled=True),
    make_token("ingest"): TokenEntry(99, "ingest", "source gone"),
    make_token("read"): TokenEntry(0, "read", "reader"),
}
GOOD, RETRIER, OFF, ORPHAN, READER = TOKENS
DIRECTORY = Directory(
    0,
    {digest(token): entry for token, entry in TOKENS.items()},
    {SOURCE: SourceEntry("shop"), RETRYING: SourceEntry("otlp", identical_is_retry=True)},
)


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def metric(text: bytes, name: str) -> float:
    found = [line for line in text.decode().splitlines() if line.startswith(name + " ")]
    return float(found[0].split()[-1]) if found else 0.0
