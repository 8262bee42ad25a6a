"""Detection: a line of text -> what it says of time, severity, service, host and more. Pure, line by line.

No clock, no memory of earlier lines: a line under the same setting always gives the same answer, so that what
is sent twice is the same twice. The first sign of a line picks the few forms that could be it; each form is a
bounded, anchored pattern. A line of no known form is its own message, with nothing made up beside it.
"""

from collections.abc import Callable

from ingest.formats import application, logfmt, syslog, terse, web
from ingest.formats.found import Found, Setting, Value

__all__ = ["Found", "Setting", "Value", "detect"]

Form = Callable[[str, Setting], Found | None]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
DIGIT: tuple[Form, ...] = (
    syslog.rsyslog,
    web.nginx_error,
    terse.logcat,
    application.dated,
    terse.hadoop,
    terse.redis,
    application.named_month,
    application.seconds,
    web.access,
    terse.bluegene,
    application.prefixed,
)
LETTER: tuple[Form, ...] = (
    syslog.unprioritised,
    terse.klog,
    application.american,
    application.dated,
    application.timeless,
    logfmt.logfmt,
    web.access,
    application.prefixed,
    terse.bluegene,
)
BRACKET: tuple[Form, ...] = (
    web.apache_error,
    application.dated,
    application.named_month,
    application.timeless,
    web.access,
)
OTHER: tuple[Form, ...] = (terse.bluegene, web.access, application.dated, application.prefixed)
FORMS: dict[str, tuple[Form, ...]] = {
    **dict.fromkeys("0123456789", DIGIT),
    **dict.fromkeys(LETTERS, LETTER),
    "[": BRACKET,
    "<": (syslog.prioritised, application.dated),
    **dict.fromkeys(" \t{", ()),  # a line that goes on, or JSON that is broken
}


def detect(line: str, setting: Setting) -> Found:
    for form in FORMS.get(line[:1], OTHER):
        if (found := form(line, setting)) is not None:
            return found
    return Found(line)
