"""What detection gives for a line, and what it has to be told because lines leave it out."""

from datetime import UTC, datetime, tzinfo

import msgspec

Value = str | int | msgspec.Raw  # Raw is a number in the sender's own digits


class Found(msgspec.Struct, frozen=True):
    """Only what the line says: a field it does not name is empty here."""

    message: str  # what follows the recognised header, or the whole line
    time: int | None = None  # nanoseconds since 1970 UTC
    severity: int | None = None  # 1 to 24
    service: str = ""
    host: str = ""
    trace_id: str = ""
    span_id: str = ""
    attributes: dict[str, Value] = {}


class Setting(msgspec.Struct, frozen=True):
    """The zone of a time without one, and the latest moment a time without a year may stand for."""

    zone: tzinfo = UTC
    latest: datetime = datetime(2100, 1, 1, tzinfo=UTC)
