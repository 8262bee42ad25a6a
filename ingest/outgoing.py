"""Lines of a file as the body of a request: JSON as it is, everything else as `formats` reads it."""

import os
import socket
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from ingest import chunks
from ingest.formats import Found, Setting, Value, detect, traces

LOCALTIME = Path("/etc/localtime")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEAST_NANOS = 10**17  # the server takes a shorter number for microseconds


class NoZone(ValueError):
    """Permanent: a zone that this machine has no table of."""


@dataclass(frozen=True)
class Label:
    """What a line that is not JSON does not say itself; kept, so that it never changes for a file."""

    service: str
    host: str
    zone: str | None = None  # of times without one; None: no line is looked into

    @property
    def reading(self) -> str:
        return repr(astuple(self))


class Outgoing(msgspec.Struct, omit_defaults=True):
    message: str
    time: int | str | None = None
    severity: int | None = None
    service: str = ""
    host: str = ""
    trace_id: str = ""
    span_id: str = ""
    attributes: dict[str, Value] = {}


_encode = msgspec.json.Encoder().encode


def label_for(path: Path, service: str | None, zone: str | None) -> Label:
    return Label(service or chunks.service_of(path), socket.gethostname(), zone)


def local_zone() -> str:
    """The name of this machine's zone as far as it has one; a zone with a name is the same elsewhere."""
    if named := os.environ.get("TZ", "").removeprefix(":"):
        return named
    _, found, name = str(LOCALTIME.resolve()).partition("/zoneinfo/")
    if found:
        return name
    return str(LOCALTIME) if LOCALTIME.exists() else "UTC"


def zone_named(name: str) -> tzinfo:
    if name in ("UTC", "Etc/UTC"):
        return UTC
    try:
        if name == str(LOCALTIME):
            with LOCALTIME.open("rb") as table:
                return ZoneInfo.from_file(table, "localtime")
        return ZoneInfo(name)
    except (OSError, ValueError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise NoZone(f"{name!r} cannot be read as a zone: {error}") from error
    except KeyError as error:
        raise NoZone(f"{name!r} is no zone this machine knows; --zone UTC or Europe/Berlin is.") from error


def setting_of(label: Label, latest: float) -> Setting | None:
    """`latest` in seconds since 1970; None where lines are to go as they are."""
    if label.zone is None:
        return None
    return Setting(zone_named(label.zone), EPOCH + timedelta(seconds=latest))


def starts_of(lines: Sequence[bytes], setting: Setting | None) -> list[int]:
    """Which lines begin a record; every one where lines are not looked into."""
    return traces.starts(lines) if setting else list(range(len(lines)))


def body(lines: list[bytes], starts: list[int], label: Label, setting: Setting | None) -> bytes:
    """NDJSON in the lines' order, a record for each of `starts`; an empty line is a record too."""
    records = (
        as_record(lines[start], label, setting, lines[start + 1 : end])
        for start, end in pairwise([*starts, len(lines)])
    )
    return b"\n".join(records) + b"\n"


def as_record(line: bytes, label: Label, setting: Setting | None, more: Sequence[bytes] = ()) -> bytes:
    """A JSON object goes as it is; every other line becomes one, `more` the further lines of its message."""
    bare = line.strip()
    if not more and bare.startswith(b"{") and bare.endswith(b"}") and is_object(bare):
        return bare
    text = line.decode("utf-8", "replace")
    found = detect(text, setting) if setting else Found(text)
    return _encode(
        Outgoing(
            "\n".join([found.message, *(each.decode("utf-8", "replace") for each in more)]),
            None if found.time is None else written(found.time),
            found.severity,
            found.service or label.service,
            found.host or label.host,
            found.trace_id,
            found.span_id,
            found.attributes,
        )
    )


def written(nanos: int) -> int | str:
    if nanos >= LEAST_NANOS:
        return nanos
    seconds, rest = divmod(nanos, 10**9)
    return f"{EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def is_object(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=dict)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
