"""As much of the API server as the chart's Jobs ask for: Secrets, over TLS, within what their Roles allow.

It stands in a pod of its own behind the address that every container is told, so that the way to it is
subject to policies. Tokens are those that were mounted; what one may do is read from the rendered Roles.
"""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chart.charts import Object
from tests.rig.network import inside, run

if TYPE_CHECKING:
    from tests.rig.cluster import Cluster

VERBS = {"GET": "get", "POST": "create", "PATCH": "patch"}


def certificate(where: Path, address: str) -> tuple[Path, Path]:
    """(certificate, key), its own authority."""
    made, key = where / "apiserver.crt", where / "apiserver.key"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-days", "2", "-subj", "/CN=kubernetes", "-addext", f"subjectAltName=IP:{address}", "-addext"]
    words += ["keyUsage=critical,digitalSignature,keyCertSign", "-keyout", str(key), "-out", str(made)]
    run("openssl", *words)
    return made, key


class ApiServer:
    def __init__(self, cluster: "Cluster", certificate: Path, key: Path) -> None:
        self.cluster = cluster
        self.lock = threading.Lock()
        self.refused: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.context = context

    def serve(self, network: str, address: str, port: int) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                token = self.headers["Authorization"].removeprefix("Bearer ")
                status, document = server.answer(token, self.command, self.path, json.loads(body or b"null"))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            do_GET = do_POST = do_PATCH = handle_any

            def log_message(self, format: str, *args: object) -> None:
                """Not of interest."""

        with inside(network):
            self.http = ThreadingHTTPServer((address, port), Handler)
        self.http.socket = self.context.wrap_socket(self.http.socket, server_side=True)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def answer(self, token: str, method: str, path: str, body: Any) -> tuple[int, Object]:
        _, _, _, _, namespace, resource, *rest = path.split("/")
        name = rest[0] if rest else ""
        if not self.allowed(token, VERBS[method], namespace, resource, name):
            self.refused.append(f"{VERBS[method]} {resource} {name}")
            return 403, {"message": f"forbidden: {VERBS[method]} {resource} {name}"}
        with self.lock:
            return self.secret(method, namespace, name, body)

    def allowed(self, token: str, verb: str, namespace: str, resource: str, name: str) -> bool:
        account = self.cluster.account(token)
        for binding in self.cluster.of_kind("RoleBinding"):
            subjects = {(each["name"], each["namespace"]) for each in binding["subjects"]}
            if account is None or (account, namespace) not in subjects:
                continue
            role = self.cluster.find("Role", binding["roleRef"]["name"], namespace)
            for rule in (role or {"rules": []})["rules"]:
                names = rule.get("resourceNames")
                if verb in rule["verbs"] and resource in rule["resources"] and (not names or name in names):
                    return True
        return False

    def secret(self, method: str, namespace: str, name: str, body: Any) -> tuple[int, Object]:
        name = name or body["metadata"]["name"]
        found = self.cluster.find("Secret", name, namespace)
        if method == "POST":
            if found:
                return 409, {"message": "already exists"}
            self.put(namespace, body, 1)
            return 201, body
        if found is None:
            return 404, {"message": "not found"}
        if method == "PATCH":
            version = found["metadata"]["resourceVersion"]
            if body["metadata"].get("resourceVersion", version) != version:
                return 409, {"message": "the object has been modified"}
            found = {**found, "data": {**found["data"], **body["data"]}}
            self.put(namespace, found, int(version) + 1)
        return 200, found

    def put(self, namespace: str, secret: Object, version: int) -> None:
        metadata = {**secret["metadata"], "namespace": namespace, "resourceVersion": str(version)}
        self.cluster.beside(namespace, {**secret, "kind": "Secret", "metadata": metadata})
