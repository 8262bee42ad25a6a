"""The bounds of one request, as one value that pure code takes as an argument."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    wire_bytes: int = 16 * 1024**2
    inflated_bytes: int = 64 * 1024**2
    lines: int = 50_000  # of one body, blank ones counted
    line_bytes: int = 256 * 1024
    fields: int = 256  # attributes of one line, after flattening
    depth: int = 16  # of objects and arrays inside one line
    batch_days: int = 40  # distinct days one batch may touch
    future_seconds: int = 24 * 3600  # later than this after receipt: clamped
