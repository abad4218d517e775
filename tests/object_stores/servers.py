"""Servers on this machine that speak the protocols of Google Cloud Storage and S3."""

import contextlib
import functools
import logging
import socket
import threading
from http import HTTPStatus

import boto3
import pytest
from botocore.loaders import JSONFileLoader
from gcp_storage_emulator import server as emulator
from gcp_storage_emulator.handlers import objects
from google.cloud import storage
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

VARIABLES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
    *("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS", "PNEUMONIA_BENCHMARK_REQUESTER_PAYS"),
)


class _Server:
    """What both servers have.

    Attributes:
        fail: a function of "write" or "delete" and the name of an object; it gives a status to answer instead, or None.
    """

    def used(self, monkeypatch, tmp_path):
        """Names this server, and no other one, in the environment; its bucket has a name that no other test uses."""
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        self.asked.clear()
        self.fail = lambda *_: None
        self.bucket = f"bucket-{abs(hash(str(tmp_path))) % 10**12}"
        self.place = f"{self.scheme}://{self.bucket}"
        self._use(monkeypatch)
        return self


class GcsServer(_Server):
    """The emulator of Google Cloud Storage, with the preconditions of the real one.

    Attributes:
        asked: every request to write or delete an object, as (what, name of the object).
    """

    scheme = "gs"

    def __init__(self):
        self.asked, self.fail = [], lambda *_: None
        logging.getLogger("gcp_storage_emulator").setLevel(logging.ERROR)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._lock = threading.Lock()
        self._patch = pytest.MonkeyPatch()
        for _, handlers in emulator.HANDLERS:
            for method, handler in handlers.items():
                if handler in (objects.insert, objects.delete):
                    self._patch.setitem(handlers, method, functools.partial(self._conditional, handler))
        self._server = emulator.create_server("127.0.0.1", port, in_memory=True)
        self._server.start()
        self.url = f"http://127.0.0.1:{port}"

    def _conditional(self, handler, request, response, storage, **more):
        """https://cloud.google.com/storage/docs/request-preconditions: 0 means that there must be no such object."""
        bucket, name = request.params["bucket_name"], request.params.get("object_id")
        name = name or request.query.get("name", [None])[0] or request.data.get("meta", request.data)["name"]
        what = "delete" if handler is objects.delete else "write"
        with self._lock:
            self.asked.append((what, name))
            wanted = request.query.get("ifGenerationMatch", [None])[0]
            found = storage.objects.get(bucket, {}).get(name, {}).get("generation", "0")
            status = self.fail(what, name)
            if status is None and wanted not in (None, found):
                status = HTTPStatus.PRECONDITION_FAILED
            if status is None:
                return handler(request, response, storage, **more)
            response.status = HTTPStatus(status)
            response.json({"error": {"code": int(status), "message": "conditionNotMet"}})
            return None

    def _use(self, monkeypatch):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", self.url)

    def put(self, bucket, content):
        client = storage.Client.create_anonymous_client()
        client.project = "test"
        with contextlib.suppress(Exception):
            client.create_bucket(bucket)
        for name, body in content.items():
            client.bucket(bucket).blob(name).upload_from_string(body)

    def objects(self, bucket):
        client = storage.Client.create_anonymous_client()
        return {blob.name: blob.download_as_bytes() for blob in client.list_blobs(bucket)}

    def close(self):
        self._server.stop()
        self._patch.undo()


class S3Server(_Server):
    """moto's server, which speaks S3 over HTTP.

    Attributes:
        asked: every request as (method, path, range).
        faults: (part of a path, status) for coming requests to read, one each.
        conditions: whether it knows conditional writes; otherwise it ignores the condition, as older stores do.
    """

    scheme = "s3"

    def __init__(self):
        self.asked, self.faults, self.fail, self.conditions = [], [], lambda *_: None, True
        self._patch = pytest.MonkeyPatch()
        # For each client botocore reads its descriptions of S3 anew, which takes longer than most of the tests.
        load = functools.cache(functools.partial(JSONFileLoader._load_file, JSONFileLoader()))
        self._patch.setattr(JSONFileLoader, "_load_file", lambda _, path, open_: load(path, open_))
        self._app = DomainDispatcherApplication(create_backend_app)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._lock = threading.Lock()
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _answer(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.asked.append((method, path, environ.get("HTTP_RANGE")))
        fault = next((fault for fault in self.faults if fault[0] in path), None) if method == "GET" else None
        if fault:
            self.faults.remove(fault)
        what = {"PUT": "write", "POST": "write", "DELETE": "delete"}.get(method)
        name = path.lstrip("/").partition("/")[2]
        status = fault[1] if fault else what and name and self.fail(what, name)
        if status:
            start_response(str(status) if " " in str(status) else f"{status} No", [("Content-Length", "0")])
            return [b""]
        if not self.conditions and method == "PUT":
            for header in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"):
                environ.pop(header, None)
        with self._lock:  # a condition and what depends on it belong together
            return list(self._app(environ, start_response))

    def _use(self, monkeypatch):
        for name, value in {"ENDPOINT_URL": self.url, "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        self.faults.clear()
        self.conditions = True

    def put(self, bucket, content):
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=bucket)
        for name, body in content.items():
            client.put_object(Bucket=bucket, Key=name, Body=body)

    def objects(self, bucket):
        client = boto3.client("s3", region_name="us-east-1")
        listed = client.list_objects_v2(Bucket=bucket).get("Contents", ())
        return {item["Key"]: client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed}

    def close(self):
        self._server.shutdown()
        self._patch.undo()


SERVERS = {"gs": GcsServer, "s3": S3Server}


@contextlib.contextmanager
def running(scheme):
    """One of the two servers."""
    server = SERVERS[scheme]()
    try:
        yield server
    finally:
        server.close()
