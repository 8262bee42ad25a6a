"""Make the Secret of this installation once, and never change what is in it.

Run by a Job with a Role that may create Secrets and read and fill up this one. It is not part of the release:
rendering stays the same each time, no upgrade and no GitOps controller turns the secrets over, and what was
encrypted or hashed with them on the volumes still fits when the release is removed and installed again.
Only Python's own library: the image may be any version of Logboom. And never by the name of one of its
modules: where a script lies Python looks first.
"""

import base64
import binascii
import json
import os
import secrets
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PATIENCE_SECONDS = 120.0  # a network policy may reach the node after the pod did
LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that look alike


def random_text() -> str:
    """Fits into a URL as it is."""
    return secrets.token_urlsafe(36)


def spoken() -> str:
    """About 93 bits, in pieces that can be read aloud."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))


def ingest_token() -> str:
    """As ingest/directory.py makes them: the last six characters are the upper 30 bits of CRC32."""
    body = f"lb_ingest_{base32(secrets.token_bytes(20))}"
    checksum = (binascii.crc32(body.encode()) >> 2) << 10
    return body + base32(checksum.to_bytes(5, "big"))[:6]


def base32(data: bytes) -> str:
    return base64.b32encode(data).decode().lower()


WANTED: dict[str, Callable[[], str]] = {
    "secret-key": random_text,
    "database-password": random_text,
    "broker-password": random_text,
    "cache-password": random_text,
    "admin-password": spoken,
    "ingest-token": ingest_token,
    "demo-token": ingest_token,
}


class ApiServer:
    """The few requests of this Job. An answer is (status, document)."""

    def __init__(self, url: str, account: Path) -> None:
        self.url = url
        self.token = (account / "token").read_text().strip()
        authority = account / "ca.crt"
        self.context = ssl.create_default_context(cafile=str(authority)) if authority.exists() else None

    def ask(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10, context=self.context) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode(errors="replace")


def ensure(server: ApiServer, namespace: str, name: str, labels: dict[str, str]) -> str:
    """What was done, in words. Two of these Jobs at once: the slower one is told 409 and looks again."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    status, found = server.ask("GET", f"{path}/{name}")
    if status == 404:
        metadata = {"name": name, "labels": labels}
        made = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": values(WANTED)}
        status, found = server.ask("POST", path, made)
        if status == 409:
            return ensure(server, namespace, name, labels)
        return told(status, found, 201, f"made Secret {name}")
    told(status, found, 200, "")
    missing = {key: make for key, make in WANTED.items() if key not in (found.get("data") or {})}
    if not missing:
        return f"Secret {name} is complete; nothing was changed"
    # The version it was read in goes along, so that of two writers the second is refused and starts anew.
    change = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}, "data": values(missing)}
    status, found = server.ask("PATCH", f"{path}/{name}", change)
    return told(status, found, 200, f"added to Secret {name}: {', '.join(missing)}")


def values(wanted: dict[str, Callable[[], str]]) -> dict[str, str]:
    return {key: base64.b64encode(make().encode()).decode() for key, make in wanted.items()}


def told(status: int, answer: Any, wanted: int, words: str) -> str:
    if status != wanted:
        raise SystemExit(f"the API server answered {status}: {answer}")
    return words


def main() -> None:
    environment = os.environ
    host, port = environment["KUBERNETES_SERVICE_HOST"], environment["KUBERNETES_SERVICE_PORT"]
    server = ApiServer(f"https://{f'[{host}]' if ':' in host else host}:{port}", ACCOUNT)
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            labels = json.loads(environment["SECRET_LABELS"])
            print(ensure(server, environment["NAMESPACE"], environment["SECRET_NAME"], labels))
            return
        except OSError as error:
            if time.monotonic() > until:
                sys.exit(f"the API server does not answer: {error}")
            time.sleep(2)


if __name__ == "__main__":
    main()
