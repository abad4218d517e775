"""HTTP of the Kubeflow Pipelines server for tests: reads requests, writes answers, and fails when it is told to."""

import contextlib
import email
import json
import re
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import yaml

if TYPE_CHECKING:
    from tests.pipelines.kubeflow_server import KubeflowServer


class HTTPError(Exception):
    """The answer to a request that cannot be carried out."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status, self.message = status, message


def uploaded(body: bytes, content_type: str) -> dict:
    """The pipeline's spec from a multipart upload."""
    message = email.message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    (part,) = message.get_payload()
    if part.get_param("name", header="content-disposition") != "uploadfile":
        raise HTTPError(400, "the upload has no file")
    return next(yaml.load_all(part.get_payload(decode=True), getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


class Handler(BaseHTTPRequestHandler):
    """Reads requests and writes answers; what they mean is `KubeflowServer`'s."""

    kubeflow: "KubeflowServer"
    protocol_version = "HTTP/1.1"
    # Head and body leave together: apart, each answer would wait 40 ms for the client's acknowledgement of its head.
    wbufsize = -1

    def do_GET(self):
        self._serve()

    do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_):
        """No log."""

    def _serve(self):
        # Who comes through the Kubernetes API's proxy names the service first.
        kubeflow, url = (
            self.kubeflow,
            urlsplit(re.sub(r"^/api/v1/namespaces/[^/]+/services/[^/]+/proxy/+", "/", self.path)),
        )
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        kubeflow.requests.append(f"{self.command} {url.path}")
        kubeflow.authorizations.append(self.headers.get("Authorization"))
        kubeflow.cookies.append(self.headers.get("Cookie"))
        fault = kubeflow.fault(self.command, url.path)
        if fault == "silence":
            kubeflow.await_closing()
        elif fault == "login":
            self._send(200, b"<html>Log in</html>", "text/html")
        elif fault == "reset":
            self.close_connection = True
        elif isinstance(fault, int):
            self._send(fault, json.dumps({"code": 13, "message": f"told to fail with {fault}"}).encode())
        elif kubeflow.token and self.headers.get("Authorization") != f"Bearer {kubeflow.token}":
            self._send(401, b'{"code": 16, "message": "who are you?"}')
        else:
            self._carry_out(url.path, query, body, lost=fault == "lost")

    def _carry_out(self, path: str, query: dict[str, str], body: bytes, lost: bool):
        try:
            answer = self.kubeflow.answer(self.command, path, query, body, self.headers.get("Content-Type", ""))
        except HTTPError as error:
            self._send(error.status, json.dumps({"code": 3, "message": error.message}).encode())
            return
        self.close_connection |= lost
        if not lost:
            is_text = isinstance(answer, str)
            content = answer if is_text else json.dumps(answer)
            self._send(200, content.encode(), "text/plain" if is_text else "application/json")

    def _send(self, status: int, content: bytes, content_type: str = "application/json"):
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
