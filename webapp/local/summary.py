"""What `make up` says once everything runs: the addresses, and the first line to send and to find."""

from collections.abc import Mapping
from shlex import quote
from typing import Any

from ingest.story import SEARCHES
from webapp.local import installation, prepare

EDITIONS = {
    "plain": "plain PostgreSQL: one partition a day",
    "apache": "Apache edition: hypertable",
    "community": "Community edition: hypertable",
}


def text(facts: Mapping[str, Any], seconds: float, *, demo: bool) -> str:
    prepared = installation.read(prepare.RESULT)
    lines = [
        "",
        row(f"Logboom is up ({seconds:.0f} s)", "make down stops it, your data stays"),
        row(f"Dashboard  {facts['web_url']}", account(facts, new=not prepared["password_shown"])),
        row(f"Send here  {facts['ingest_url']}", f"Queue (Flower)  {facts['flower_url']}"),
        f"  Stored in  {prepared['server']} ({EDITIONS[facts['edition']]})",
        "  Your first line:",
        *curl(facts),
        "  Then:  ./logboom search service:hello    ./logboom tail    ./logboom ship /var/log/*.log",
    ]
    if demo:
        lines.extend(story())
    return "\n".join([*lines, ""])


def story() -> list[str]:
    """The searches are those that the explorer offers, over all time."""
    return [
        '  The demo, in source "demo": a shop whose orders failed for six minutes. Find out why:',
        *(f"    ./logboom search {quote(search)}" for _, search, _ in SEARCHES),
        "  Remove it: ./logboom demo clear",
    ]


def row(left: str, right: str) -> str:
    return f"  {left:<43} {right}"


def account(facts: Mapping[str, Any], *, new: bool) -> str:
    if new:
        return f"user {facts['admin_user']}   password {facts['admin_password']}  (shown once)"
    return f"user {facts['admin_user']}   password as it was"


def curl(facts: Mapping[str, Any]) -> list[str]:
    return [
        f'    curl {facts["ingest_url"]}/api/v1/logs -H "Authorization: Bearer {facts["ingest_token"]}" \\',
        """      -H "Content-Type: application/json" -d '{"service":"hello","message":"my first line"}'""",
    ]
