"""What a decoder found in a line -> a LogRecord that the store can take as it is, or BadLine with the reason.

One `Normaliser` serves one batch: it knows the clock's reading, the source's retention, and which days the
batch has touched so far. Attributes come as JSON text that is known to be sound UTF-8 without NUL; what
PostgreSQL's jsonb would still refuse, or would blow up, is refused here.
"""

import re
from binascii import unhexlify
from collections.abc import Mapping

import msgspec

from ingest import severity, timestamps
from ingest.limits import Limits
from ingest.record import Flag, LogRecord

LONGEST_NAME = 255  # characters of service and host
LONGEST_NUMBER = 15_000  # digits: numeric holds 16,383 after the point
LARGEST_EXPONENT = 999  # 1e999 is written out with a thousand digits at every reading
BRACKET = ord("[")
LEAST_FIELD = len(b'"":0,')
MICROSECONDS = 1_000_000
DAY_US = 86_400 * MICROSECONDS
EMPTY = b"{}"

# Digits become 0 and E becomes e, so that one search finds an exponent of four digits. It also finds some
# hexadecimal text, so EXPONENT, over what is outside strings, decides.
DIGITS = bytes(ord("0") if chr(code).isdecimal() else code for code in range(128)).replace(b"E", b"e")
FOLDED = DIGITS + bytes(range(128, 256))
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
EXPONENT = re.compile(rb"[eE]([+-]?\d+)")
LONG_NUMBER = re.compile(rb"[\d.]{%d}" % LONGEST_NUMBER)
UUID_FORM = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.encode
_severity = severity.KNOWN.get  # one look-up for nearly every line


class BadLine(ValueError):
    """Permanent, for this line only."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Normaliser:
    def __init__(self, limits: Limits, received_us: int, retention_days: int) -> None:
        self.limits = limits
        self.received_us = received_us
        self.retention_days = retention_days
        self.oldest_us = received_us - retention_days * DAY_US
        self.latest_us = received_us + limits.future_seconds * MICROSECONDS
        self.depth = limits.depth
        self.days: set[int] = set()
        self.day_start = self.day_end = 0  # of the day that the last line fell on
        # Up to this length attributes cannot have too many fields or too long a number.
        self.short = min(LEAST_FIELD * limits.fields, LONGEST_NUMBER)

    def record(
        self,
        time: str | int | None,
        level: str | int | None,
        service: str,
        host: str,
        message: str,
        trace_id: str | None,
        span_id: str | None,
        attributes: bytes,
        flags: int,
    ) -> LogRecord:
        """`attributes` is what `flat` or `flatten` gave."""
        nanos = 0
        if time is None:
            time_us = self.received_us
            flags |= Flag.TIME_MISSING.value
        else:
            time_us, nanos = self.moment(time)
            if time_us > self.latest_us:
                attributes = with_field(attributes, "original_time", time)
                time_us, nanos = self.received_us, 0
                flags |= Flag.TIME_CLAMPED.value
        if not self.day_start <= time_us < self.day_end:
            self.enter_day(time_us)
        number = None
        if level is not None:
            number = _severity(level) or severity.parse(level)
            if number is None and level != "":
                attributes = with_field(attributes, "severity_text", str(level))
        trace = span = None
        if trace_id is not None:
            trace = identifier(trace_id, 16)
            if trace is None and trace_id:
                attributes = with_field(attributes, "trace_id", trace_id)
        if span_id is not None:
            span = identifier(span_id, 8)
            if span is None and span_id:
                attributes = with_field(attributes, "span_id", span_id)
        if len(service) > LONGEST_NAME or len(host) > LONGEST_NAME:
            raise BadLine("name_too_long", f"service and host hold at most {LONGEST_NAME} characters")
        return LogRecord(
            time_us, nanos, self.received_us, number, service, host, message, trace, span, attributes, flags
        )

    def moment(self, time: str | int) -> tuple[int, int]:
        try:
            moment = timestamps.parse(time)
        except timestamps.BadTime as error:
            raise BadLine("bad_time", str(error)) from error
        if moment[0] < self.oldest_us:
            raise BadLine("too_old", f"{time} is older than the {self.retention_days} days that are kept")
        return moment

    def enter_day(self, time_us: int) -> None:
        day = time_us // DAY_US
        if day not in self.days:
            if len(self.days) >= self.limits.batch_days:
                raise BadLine(
                    "too_many_days", f"one batch may touch {self.limits.batch_days} days, this is one more"
                )
            self.days.add(day)
        self.day_start, self.day_end = day * DAY_US, (day + 1) * DAY_US

    def flat(self, attributes: bytes) -> bool:
        """Is this JSON an object fit to be stored as it is? A quick no may be wrong, a yes never is."""
        # Numbers and finds: `b"[" in attributes` takes five times as long, it raises and catches inside.
        return (
            attributes.rfind(b"{") == 0
            and len(attributes) <= self.short  # few fields, and no number of monstrous length
            and (BRACKET not in attributes or attributes.count(b"[") < self.depth)
            and attributes.translate(FOLDED, b"+-").find(b"0e0000") < 0
        )

    def flatten(self, fields: Mapping[str, msgspec.Raw]) -> bytes:
        """Nested objects become dotted names, a later one of the same name wins; arrays and numbers stay."""
        attributes = _encode(fields)
        if self.flat(attributes):
            return attributes
        found: dict[str, msgspec.Raw] = {}
        self.collect(fields, "", 1, found)
        if len(found) > self.limits.fields:
            raise BadLine(
                "too_many_fields", f"{len(found)} attributes, at most {self.limits.fields} are kept"
            )
        attributes = _encode(found)
        if not self.flat(attributes):
            for raw in found.values():
                check_value(bytes(raw), self.limits)
        return attributes

    def collect(
        self, fields: Mapping[str, msgspec.Raw], prefix: str, depth: int, found: dict[str, msgspec.Raw]
    ) -> None:
        if depth > self.limits.depth:
            raise too_deep(self.limits)
        for name, raw in fields.items():
            value = bytes(raw)
            inner = _fields.decode(value) if value[:1] == b"{" else None
            if inner:
                self.collect(inner, f"{prefix}{name}.", depth + 1, found)
            else:  # an empty object stays a value: its name would be lost otherwise
                found[prefix + name] = raw


def check_value(value: bytes, limits: Limits) -> None:
    """One attribute's JSON: not too deep, and no number that PostgreSQL cannot hold or would blow up."""
    if value[:1] == b'"':
        return
    bare = STRING.sub(b'""', value)
    if bare.count(b"[") + bare.count(b"{") >= limits.depth:
        check_depth(bare, limits)
    exponents = (found[1] for found in EXPONENT.finditer(bare))
    if LONG_NUMBER.search(bare) or any(
        len(digits) > 20 or abs(int(digits)) > LARGEST_EXPONENT for digits in exponents
    ):
        raise BadLine(
            "bad_number",
            f"a number of more than {LONGEST_NUMBER} digits or an exponent beyond {LARGEST_EXPONENT}",
        )


def check_depth(bare: bytes, limits: Limits) -> None:
    """`bare` has no text inside its strings, so each bracket counts; the line's object is the first level."""
    depth = 1
    for byte in bare:
        if byte in b"[{":
            depth += 1
        elif byte in b"]}":
            depth -= 1
        if depth > limits.depth:
            raise too_deep(limits)


def too_deep(limits: Limits) -> BadLine:
    return BadLine("too_deep", f"nested deeper than {limits.depth} levels")


def identifier(text: str, size: int) -> bytes | None:
    """The bytes of a hexadecimal id; None where it is not one, or is all zeros, which means "no id"."""
    if len(text) == 36 and size == 16 and UUID_FORM.fullmatch(text):
        text = text.replace("-", "")
    if len(text) != 2 * size:
        return None
    try:
        value = unhexlify(text)
    except ValueError:
        return None
    return value if any(value) else None


def with_field(attributes: bytes, name: str, value: str | int) -> bytes:
    """Last, so that it wins over a field of the sender's with the same name."""
    added = _encode(name) + b":" + _encode(value)
    if attributes == EMPTY:
        return b"{" + added + b"}"
    return attributes.rstrip()[:-1] + b"," + added + b"}"
