"""Lines with something in them to be found: a day of four services, a failure, and some that mean harm."""

import json
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.bench.installation import Installation

SERVICES = ("web", "checkout", "payments", "inventory")
TRACE = "\n".join(
    [
        "ValueError: no such order",
        *(f'  File "/app/step{n}.py", line {n}, in step' for n in range(12)),
    ]
)
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SCRIPT = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
FORMULA = '=HYPERLINK("http://evil.example","click")'
ESCAPES = "\x1b[2J\x1b]0;owned\x07 fine \u202egnp.exe"
ORDERS = 2100
BODY = 5000
PATIENCE = 60


def line(age: float, service: str, severity: str, message: str, **more: Any) -> dict[str, Any]:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=age)
    attributes = more.pop("attributes", {})
    return {
        "time": at.isoformat(),
        "service": service,
        "severity": severity,
        "message": message,
        "host": more.pop("host", f"node-{int(age) % 5}"),
        "attributes": attributes,
        **more,
    }


def ordinary(number: int) -> dict[str, Any]:
    status = 500 if number % 50 == 0 else 200
    return line(
        60 + number * 40.0,
        SERVICES[number % 4],
        ("error" if status == 500 else "warn" if number % 17 == 0 else "info"),
        f"GET /orders/{number} {status} in {number % 900} ms",
        attributes={"http.status_code": status, "duration_ms": number % 900, "region": f"eu-{number % 3}"},
    )


def failure() -> list[dict[str, Any]]:
    return [
        line(30 + n, service, "error", f"upstream {service} timed out", trace_id=TRACE_ID)
        for n, service in enumerate(SERVICES)
    ]


def odd() -> list[dict[str, Any]]:
    return [
        line(20, "payments", "error", TRACE),
        line(21, "web", "fatal", "out of memory"),
        line(22, "web", "info", SCRIPT),
        line(23, "web", "info", FORMULA),
        line(24, "web", "info", ESCAPES),
        line(25, "web", "info", "x" * 40_000),
        line(-7100, "inventory", "info", "from a clock that is ahead"),
        line(7200, "inventory", "info", "from a clock that is behind"),
    ]


def told() -> list[dict[str, Any]]:
    """All of it, as of now: a clock is ahead only of the moment at which it sends."""
    return [ordinary(number) for number in range(ORDERS)] + failure() + odd()


def crowd(made: Installation, lines: int) -> None:
    """So many lines that no test looks for, over the same day: what is looked for is then among many."""
    for begin in range(0, lines, BODY):
        numbers = range(begin, min(begin + BODY, lines))
        send(
            made, [line(60 + n * 86_400 / lines, "crowd", "debug", f"step {n}") for n in numbers], wait=False
        )
    until(lambda: ask(made, "status")["queued"]["rows"] == 0)


def send(made: Installation, lines: list[dict[str, Any]], *, wait: bool = True) -> dict[str, Any]:
    """One batch; its receipt once it is stored, or what ingest answered."""
    facts = made.facts
    request = urllib.request.Request(
        f"{facts['ingest_url']}/api/v1/logs",
        data="\n".join(json.dumps(one) for one in lines).encode(),
        headers={"Authorization": f"Bearer {facts['ingest_token']}", "Content-Type": "application/x-ndjson"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        accepted: dict[str, Any] = json.load(answer)
    assert accepted["accepted"] == len(lines), accepted
    if wait:
        until(lambda: ask(made, f"batches/{accepted['batch']}?wait=5s")["state"] == "stored")
    return accepted


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.2)


def ask(made: Installation, path: str) -> dict[str, Any]:
    facts = made.facts
    request = urllib.request.Request(
        f"{facts['web_url']}/api/v1/{path}", headers={"Authorization": f"Bearer {facts['read_token']}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
