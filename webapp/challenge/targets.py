"""Where a challenge sends and where it reads: what was given, else the environment, else what runs here.

LOGBOOM_INGEST_URL, LOGBOOM_INGEST_TOKEN, LOGBOOM_WEB_URL, LOGBOOM_READ_TOKEN; a token also as a file, by the
same name with _FILE. Two addresses and two rights, so LOGBOOM_URL and LOGBOOM_TOKEN would not say which.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ingest.client import NoTarget, Target, local_installation


@dataclass(frozen=True)
class Targets:
    ingest: Target
    web: Target
    headers: Mapping[str, str]  # of a session; empty where the token reads


@dataclass(frozen=True)
class Given:
    """As on the command line; None: not given."""

    ingest_url: str | None = None
    ingest_token: str | None = None
    web_url: str | None = None
    read_token: str | None = None


def find(given: Given, environ: Mapping[str, str] = os.environ) -> Given:
    """The same with what the environment and the installation here know; what is still missing is None."""
    local = local_installation(environ)
    return Given(
        given.ingest_url or environ.get("LOGBOOM_INGEST_URL") or local.get("ingest_url"),
        given.ingest_token or secret("LOGBOOM_INGEST_TOKEN", environ),
        given.web_url or environ.get("LOGBOOM_WEB_URL") or local.get("web_url"),
        given.read_token or secret("LOGBOOM_READ_TOKEN", environ) or local.get("read_token"),
    )


def secret(name: str, environ: Mapping[str, str]) -> str | None:
    if not (path := environ.get(f"{name}_FILE")):
        return environ.get(name)
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise NoTarget(f"{name}_FILE={path}: cannot be read ({error.strerror}).") from error


def is_local(found: Given, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether both addresses are those of the installation that runs here."""
    local = local_installation(environ)
    wanted = local.get("ingest_url"), local.get("web_url")
    return None not in wanted and (found.ingest_url, found.web_url) == wanted


def target(kind: str, url: str | None, token: str | None) -> Target:
    """Raises NoTarget with what would name it."""
    words = kind.upper()
    if not url:
        option = "--ingest-url" if kind == "ingest" else "--web-url"
        variable = "LOGBOOM_INGEST_URL" if kind == "ingest" else "LOGBOOM_WEB_URL"
        raise NoTarget(f"no address to {verb(kind)}: use {option} or {variable}, or `make up`.")
    if not url.startswith(("http://", "https://")):
        raise NoTarget(f"{url!r} is no http:// or https:// address.")
    if token is None:
        raise NoTarget(f"no token to {verb(kind)} with: use --{kind}-token or LOGBOOM_{words}_TOKEN.")
    return Target(url.rstrip("/"), token)


def verb(kind: str) -> str:
    return "send to" if kind == "ingest" else "read"
