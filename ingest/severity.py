"""What senders call the importance of a line, as OpenTelemetry's numbers 1 to 24.

The words are those of OpenTelemetry, syslog, and the logging libraries of Python, Java, .NET, Go, PHP and
Android, in any case. Where OpenTelemetry's own tables disagree about a word (critical is ERROR2 from syslog,
FATAL from .NET) the more severe reading holds: a critical line must not hide among errors.
"""

from ingest.record import Severity

WORDS: dict[str, int] = {
    **{f"{level.name.lower()}{step}": level + step - 1 for level in Severity for step in range(1, 5)},
    **{level.name.lower(): int(level) for level in Severity},
    **dict.fromkeys(("verbose", "finest", "finer", "v", "t"), 1),
    **dict.fromkeys(("fine", "dbg", "d"), 5),
    "config": 8,
    **dict.fromkeys(("information", "informational", "inf", "log", "i"), 9),
    **dict.fromkeys(("notice", "success"), 10),
    **dict.fromkeys(("warning", "wrn", "w"), 13),
    **dict.fromkeys(("err", "severe", "failure", "e"), 17),
    **dict.fromkeys(("critical", "crit", "ftl", "dpanic", "f"), 21),
    "alert": 22,
    **dict.fromkeys(("emergency", "emerg", "panic"), 23),
}
# Spelled out in the usual cases, so that a line costs one look-up and no lower().
KNOWN: dict[str | int, int] = {
    **{form: number for word, number in WORDS.items() for form in (word, word.upper(), word.title())},
    **{form: number for number in range(1, 25) for form in (number, str(number))},
}


def parse(value: str | int) -> int | None:
    """1 to 24, or None for what is not known (its text is then kept as an attribute)."""
    number = KNOWN.get(value)
    if number is None and isinstance(value, str):
        return KNOWN.get(value.strip().lower())
    return number
