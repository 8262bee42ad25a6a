"""The Job that makes the Secret, against an API server that is a dictionary."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from ingest import directory
from tests.chart import charts


@dataclass
class Cluster:
    """An API server with nothing but Secrets."""

    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    slower: bool = False  # another Job makes the Secret between our look and our try

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.asked.append(method)
        name = path.removeprefix("/api/v1/namespaces/log-system/secrets").lstrip("/")
        if method == "POST":
            if self.slower:
                self.slower = False
                self.secrets[body["metadata"]["name"]] = {**body, "metadata": {"resourceVersion": "1"}}
                return 409, {"message": "already exists"}
            self.secrets[body["metadata"]["name"]] = {**body, "metadata": {"resourceVersion": "1"}}
            return 201, body
        if name not in self.secrets:
            return 404, {"message": "not found"}
        found = self.secrets[name]
        if method == "PATCH":
            assert body["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"]
            found["data"] |= body["data"]
        return 200, found


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def script() -> Any:
    spec = spec_from_file_location("chart_secrets", charts.CHART / "files" / "make_secret.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server(script: Any, cluster: Cluster, tmp_path: Path) -> Iterator[Any]:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            assert self.headers["Authorization"] == "Bearer account"
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            status, document = cluster.answer(self.command, self.path, json.loads(body or b"null"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        do_GET = do_POST = do_PATCH = handle_any

        def log_message(self, format: str, *args: object) -> None:
            """Not of interest."""

    (tmp_path / "token").write_text("account\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield script.ApiServer(f"http://127.0.0.1:{http.server_port}", tmp_path)
        http.shutdown()


def kept(cluster: Cluster) -> dict[str, str]:
    return {
        key: base64.b64decode(value).decode()
        for key, value in cluster.secrets["logboom-secrets"]["data"].items()
    }


def test_the_secret_is_made_once_with_every_key_that_the_pods_want(
    script: Any, server: Any, cluster: Cluster
) -> None:
    script.ensure(server, "log-system", "logboom-secrets", {"a": "b"})
    first = kept(cluster)
    wanted = {
        entry["valueFrom"]["secretKeyRef"]["key"]
        for pod in charts.pods(charts.objects(charts.EVERYTHING))
        for container in pod.containers
        for entry in container.get("env", [])
        if "secretKeyRef" in entry.get("valueFrom", {})
    }
    assert first.keys() == wanted
    assert directory.well_formed(first["ingest-token"]) and directory.well_formed(first["demo-token"])
    assert all(value.replace("-", "").replace("_", "").isalnum() for value in first.values())
    assert "nothing was changed" in script.ensure(server, "log-system", "logboom-secrets", {})
    assert kept(cluster) == first


def test_a_key_that_a_later_version_wants_is_added_and_the_others_stay(
    script: Any, server: Any, cluster: Cluster
) -> None:
    script.ensure(server, "log-system", "logboom-secrets", {})
    old = kept(cluster)
    del cluster.secrets["logboom-secrets"]["data"]["demo-token"]
    assert "demo-token" in script.ensure(server, "log-system", "logboom-secrets", {})
    assert {**kept(cluster), "demo-token": old["demo-token"]} == old


def test_the_slower_of_two_jobs_takes_what_the_faster_made(
    script: Any, server: Any, cluster: Cluster
) -> None:
    cluster.slower = True
    assert "nothing was changed" in script.ensure(server, "log-system", "logboom-secrets", {})
    assert cluster.asked == ["GET", "POST", "GET"]


def test_a_refusal_ends_the_job_with_what_the_api_server_said(
    script: Any, server: Any, cluster: Cluster
) -> None:
    cluster.answer = lambda method, path, body: (403, {"message": "forbidden"})  # type: ignore[method-assign]
    with pytest.raises(SystemExit, match="answered 403.*forbidden"):
        script.ensure(server, "log-system", "logboom-secrets", {})
