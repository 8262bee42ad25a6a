"""Logboom's own front door: NDJSON, a JSON array, {"logs": [...]}, one object, or plain text by lines.

Known names, the first that is there wins, others stay attributes: time|timestamp, message|msg|body,
severity|level, service, host, trace_id, span_id, attributes. A line takes the quickest way that holds it:

- quickly: a typed decoder that knows only these names and leaves `attributes` unparsed;
- openly: typed as well, and once more as unparsed fields, of which the unknown join the attributes;
- carefully: every field unparsed, whatever its kind, two names for one thing included.

After some lines in a row that needed a slower way, a body is not tried the quick way again: a failed try
After some lines in a row that needed a slower way, a body is no longer tried the quick way: a failed try
only a refused line is looked at for half surrogate pairs.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from enum import Enum

import msgspec
from msgspec import Raw

from ingest import repair
from ingest.errors import BadBody, TooLarge, UnsupportedMedia
from ingest.limits import Limits
from ingest.normalise import EMPTY, BadLine, Normaliser
from ingest.record import Flag, LogRecord, Reject

MOST_MISSES = 4  # the quick way pays while it holds four lines in ten
QUARANTINED_BYTES = 64 * 1024  # of a refused line
LEADING = 1024  # where the first sign of a document is looked for
COMMAS_A_LINE = 40  # in an array of the greatest length; more is taken for an attack on memory
BOM = b"\xef\xbb\xbf"
NULL = b"null"
TIME, LEVEL, MESSAGE = ("time", "timestamp"), ("severity", "level"), ("message", "msg", "body")
KNOWN = {*TIME, *LEVEL, *MESSAGE, "service", "host", "trace_id", "span_id", "attributes"}
REPAIRED = Flag.TEXT_REPAIRED.value
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Form(Enum):
    LINES = "NDJSON"
    JSON = "one JSON document, or NDJSON all the same"
    TEXT = "plain text"


FORMS = {
    "application/json": Form.JSON,
    "text/json": Form.JSON,
    "": Form.JSON,
    "application/x-www-form-urlencoded": Form.JSON,  # what `curl -d` says when it is told nothing
    "application/x-ndjson": Form.LINES,
    "application/ndjson": Form.LINES,
    "application/jsonl": Form.LINES,
    "application/jsonlines": Form.LINES,
    "application/x-jsonlines": Form.LINES,
    "application/stream+json": Form.LINES,
    "text/plain": Form.TEXT,
}
CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")


def form_of(content_type: str) -> Form:
    kind, _, parameters = content_type.lower().partition(";")
    form = FORMS.get(kind.strip())
    if form is None and kind.strip().endswith("+json"):
        form = Form.JSON
    if form is None:
        wanted = "application/json, application/x-ndjson or text/plain"
        raise UnsupportedMedia(f"Content-Type {content_type[:80]!r} is not read here; {wanted} is")
    charset = parameters.partition("charset=")[2].partition(";")[0].strip(' "')
    if charset and charset not in CHARSETS:
        raise UnsupportedMedia(f"charset {charset[:40]!r} is not read here; UTF-8 is")
    return form


class Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    time: str | int | None = None
    timestamp: str | int | None = None
    message: str | None = None
    msg: str | None = None
    body: str | None = None
    severity: str | int | None = None
    level: str | int | None = None
    service: str | None = None
    host: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    attributes: Raw = Raw(EMPTY)


class OpenLine(Line, forbid_unknown_fields=False, gc=False):
    time: str | int | float | None = None  # type: ignore[assignment]
    timestamp: str | int | float | None = None  # type: ignore[assignment]


class Wrapped(msgspec.Struct, forbid_unknown_fields=True):
    logs: Raw


_line = msgspec.json.Decoder(Line)
_open_line = msgspec.json.Decoder(OpenLine)
_fields = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_wrapped = msgspec.json.Decoder(Wrapped)
_whole = msgspec.json.Decoder(Raw)
_text = msgspec.json.Decoder(str)


class Decoded(msgspec.Struct, frozen=True):
    records: list[LogRecord]
    rejects: list[Reject]


def decode(body: bytes, form: Form, normaliser: Normaliser) -> Decoded:
    """Never raises for what a line holds; a body that is too much as a whole raises TooLarge or BadBody."""
    body = body.removeprefix(BOM)
    reader = Reader(body, normaliser)
    if form is Form.TEXT:
        return collect(split(body, normaliser.limits), reader.message)
    try:
        lines = document(body, form, normaliser.limits)
    except BadLine as bad:
        return Decoded([], [kept(1, bad, body)])
    return collect(lines, reader.line)


def collect(lines: Iterable[bytes], read: Callable[[bytes], LogRecord]) -> Decoded:
    records: list[LogRecord] = []
    rejects: list[Reject] = []
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            records.append(read(line))
        except BadLine as bad:
            rejects.append(kept(number, bad, line.rstrip(b"\r\n")))
    if not records and not rejects:
        raise BadBody("there is no line in the body")
    return Decoded(records, rejects)


def kept(number: int, bad: BadLine, raw: bytes) -> Reject:
    """With as much of the line as the quarantine holds, and how much that left out."""
    dropped = max(0, len(raw) - QUARANTINED_BYTES)
    return Reject(number, bad.reason, bad.detail, raw[:QUARANTINED_BYTES], dropped)


def document(body: bytes, form: Form, limits: Limits) -> Iterable[bytes]:
    """The items of an array, or the lines of anything else. BadLine: JSON that is a broken array."""
    first = body[:LEADING].lstrip()[:1]
    if first == b"[":
        return array_or_lines(body, limits) if form is Form.LINES else array(body, limits)
    if first != b"{" or form is Form.LINES:
        return split(body, limits)
    return wrapped(body, limits) or single(body, limits) or split(body, limits)


def split(body: bytes, limits: Limits) -> Iterable[bytes]:
    """Line by line, ends included, and without a second copy of the body."""
    if body.count(b"\n") > limits.lines:
        raise too_many(limits)
    return io.BytesIO(body)


def array(body: bytes, limits: Limits) -> Iterable[bytes]:
    bound_array(body, limits)
    wrong: Exception | None = None
    for text in mended(body):
        try:
            return originals(_items.decode(text), text, body, limits)
        except NOT_JSON as error:
            wrong = wrong or error
    raise not_json(wrong)


def array_or_lines(body: bytes, limits: Limits) -> Iterable[bytes]:
    """Of who says that these are lines: a first one that only begins like an array takes none along."""
    try:
        return array(body, limits)
    except (BadLine, TooLarge):
        return split(body, limits)


def wrapped(body: bytes, limits: Limits) -> Iterable[bytes] | None:
    """The items of {"logs": [...]}; None if the body is something else."""
    if b'"logs"' not in body[:LEADING]:
        return None
    for text in mended(body):
        try:
            logs = _wrapped.decode(text).logs
        except NOT_JSON:
            continue
        if bytes(memoryview(logs)[:1]) != b"[":
            return None
        bound_array(body, limits)
        return originals(_items.decode(logs), text, body, limits)
    return None


def single(body: bytes, limits: Limits) -> list[bytes] | None:
    """One object, over several lines perhaps; None if the body is more than that."""
    if len(body) > limits.line_bytes:
        return None
    for text in mended(body):
        try:
            _whole.decode(text)
        except NOT_JSON:
            continue
        return [body.strip()]
    return None


def mended(body: bytes) -> Iterator[bytes]:
    """The body, and if that did not do, the body without half surrogate pairs: same positions in both."""
    yield body
    if b"\\u" in body:
        yield repair.escapes(body)


def originals(items: list[Raw], text: bytes, body: bytes, limits: Limits) -> Iterator[bytes]:
    """The items as they were sent, also where `text` was mended: the reader mends and flags line by line."""
    if len(items) > limits.lines:
        raise too_many(limits)
    return map(bytes, items) if text is body else spans(items, text, body)


def spans(items: list[Raw], text: bytes, body: bytes) -> Iterator[bytes]:
    position = text.find(b"[")
    for item in map(bytes, items):
        position = text.find(item, position)
        yield body[position : position + len(item)]
        position += len(item)


def bound_array(body: bytes, limits: Limits) -> None:
    """Items are counted only once they are decoded; `[1,1,1,…` must not get that far."""
    if body.count(b",") > COMMAS_A_LINE * limits.lines:
        raise TooLarge("too many values in one array: send fewer, or send NDJSON")


def too_many(limits: Limits) -> TooLarge:
    return TooLarge(f"more than {limits.lines} lines in one body")


def not_json(error: Exception | None) -> BadLine:
    if isinstance(error, msgspec.ValidationError):
        return BadLine("not_an_object", str(error))
    if isinstance(error, RecursionError):
        return BadLine("too_deep", "nested too deeply to be read")
    return BadLine("bad_json", str(error))


class Reader:
    """Reads the lines of one body; remembers what its earlier lines taught."""

    def __init__(self, body: bytes, normaliser: Normaliser) -> None:
        self.normaliser = normaliser
        self.record, self.flat, self.flatten = normaliser.record, normaliser.flat, normaliser.flatten
        self.longest = normaliser.limits.line_bytes
        # One byte is found four times as fast as six, and most bodies have no escape at all.
        escaped = b"\\" in body and b"\\u0000" in body
        self.doubtful = escaped or b"\0" in body or not repair.is_utf8(body)
        self.misses = 0  # lines in a row that the quick way could not hold

    def message(self, line: bytes) -> LogRecord:
        """A line of plain text."""
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        self.check_length(line)
        text = repair.text(line) if self.doubtful else line.decode()
        flags = REPAIRED if self.doubtful and text.encode() != line else 0
        return self.record(None, None, "", "", text, None, None, EMPTY, flags)

    def line(self, line: bytes) -> LogRecord:
        flags = 0
        if len(line) > self.longest:
            self.check_length(line.strip())
        if self.doubtful:
            flags = REPAIRED if (text := repair.json_line(line)) != line else 0
            line = text
        try:
            return self.read(line, flags)
        except NOT_JSON as error:
            if (text := repair.json_line(line)) == line:
                raise not_json(error) from error
        try:
            return self.read(text, REPAIRED)
        except NOT_JSON as error:
            raise not_json(error) from error

    def check_length(self, line: bytes) -> None:
        if len(line) > self.longest:
            raise BadLine("too_long", f"{len(line)} bytes in one line, at most {self.longest} are taken")

    def read(self, line: bytes, flags: int) -> LogRecord:
        if self.misses < MOST_MISSES and (record := self.quickly(line, flags)) is not None:
            self.misses = 0
            return record
        record = self.openly(line, flags)
        if record is None:
            record = self.carefully(line, flags)
        self.misses += 1
        return record

    def quickly(self, line: bytes, flags: int) -> LogRecord | None:
        try:
            sent = _line.decode(line)
        except NOT_JSON:
            return None
        attributes = bytes(sent.attributes)
        if attributes == EMPTY or self.flat(attributes):
            return self.typed(sent, attributes, flags)
        return None

    def openly(self, line: bytes, flags: int) -> LogRecord | None:
        try:
            sent = _open_line.decode(line)
        except NOT_JSON:
            return None
        known = _fields.decode(line)
        fields = {name: raw for name, raw in known.items() if name not in KNOWN}
        if "attributes" in known:
            join(fields, known["attributes"])
        if sent.time.__class__ is float:  # a float has lost digits, its text has not
            sent.time = bytes(known["time"]).decode()
        if sent.timestamp.__class__ is float:
            sent.timestamp = bytes(known["timestamp"]).decode()
        return self.typed(sent, self.flatten(fields) if fields else EMPTY, flags)

    def typed(self, line: Line, attributes: bytes, flags: int) -> LogRecord | None:
        """None where two names are given for one thing, or no message: then the careful way has to look."""
        time, level, message = line.time, line.severity, line.message
        if line.timestamp is not None:
            if time is not None:
                return None
            time = line.timestamp
        if line.level is not None:
            if level is not None:
                return None
            level = line.level
        if message is None or line.msg is not None or line.body is not None:
            given = [text for text in (message, line.msg, line.body) if text is not None]
            if len(given) != 1:
                return None
            message = given[0]
        service, host = line.service or "", line.host or ""
        return self.record(
            time, level, service, host, message, line.trace_id, line.span_id, attributes, flags
        )

    def carefully(self, line: bytes, flags: int) -> LogRecord:
        fields = _fields.decode(line)
        if not fields:
            raise BadLine("empty", "an object without a single field")
        time = take(fields, *TIME)
        level = take(fields, *LEVEL)
        message = take(fields, *MESSAGE) or ""
        service, host = take(fields, "service") or "", take(fields, "host") or ""
        trace_id, span_id = take(fields, "trace_id"), take(fields, "span_id")
        nested = fields.pop("attributes", None)
        if nested is not None:
            join(fields, nested)
        attributes = self.flatten(fields) if fields else EMPTY
        return self.record(time, level, service, host, message, trace_id, span_id, attributes, flags)


def take(fields: dict[str, Raw], *names: str) -> str | None:
    """Out of the fields, the first of these names that says anything; what is no text gives its JSON."""
    for name in names:
        raw = fields.pop(name, None)
        if raw is None:
            continue
        value = bytes(raw)
        if value[:1] == b'"':
            return value[1:-1].decode() if b"\\" not in value else _text.decode(value)
        if value != NULL:
            return value.decode()
    return None


def join(fields: dict[str, Raw], nested: Raw) -> None:
    """The members of `attributes` go over fields of the same name; another kind of value is a field too."""
    value = bytes(nested)
    if value[:1] == b"{":
        fields.update(_fields.decode(value))
    elif value != NULL:
        fields["attributes"] = nested
