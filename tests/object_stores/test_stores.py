"""Writing to Google Cloud Storage and S3 by their own protocols; tests/ingest/test_buckets.py has reading."""

import http.server
import subprocess
import sys
import threading

import pytest
from botocore.exceptions import ClientError
from google.api_core import exceptions
from google.auth import compute_engine
from google.auth.exceptions import RefreshError, TransportError

from components.console import UserError
from components.object_stores.store import ChangedError, UnsupportedError, open_bucket
from components.retries import TransientError


@pytest.fixture
def bucket(store):
    store.put(store.bucket, {})
    return open_bucket(store.scheme, store.bucket, writing=True)


def content(bucket, name):
    found = bucket.find(name)
    return found and bucket.read(found, 0, found.size)


def test_an_object_is_created_once(bucket):
    bucket.put("a", b"1", None)
    with pytest.raises(ChangedError):
        bucket.put("a", b"2", None)
    assert content(bucket, "a") == b"1"


def test_an_object_is_replaced_only_in_the_version_that_was_seen(bucket):
    first = bucket.put("a", b"1", None)
    second = bucket.put("a", b"2", first)
    assert bucket.find("a").version == second != first
    with pytest.raises(ChangedError):
        bucket.put("a", b"3", first)
    bucket.delete("a")
    with pytest.raises(ChangedError):
        bucket.put("a", b"3", second)
    assert bucket.find("a") is None


def test_an_object_that_is_deleted_while_it_is_read_has_changed(bucket):
    bucket.put("a", b"1", None)
    found = bucket.find("a")
    bucket.delete("a")
    with pytest.raises(ChangedError, match="changed during its download: run again"):
        bucket.read(found, 0, 1)


@pytest.mark.parametrize("size", [0, 1000, 20_000_000], ids=["empty", "small", "in parts"])
def test_a_file_replaces_an_object(bucket, tmp_path, size):
    bucket.put("a/b", b"old", None)
    body = bytes(range(250)) * (size // 250)
    (tmp_path / "file").write_bytes(body)
    bucket.upload(tmp_path / "file", "a/b")
    assert bucket.find("a/b").size == size
    bucket.save([(bucket.find("a/b"), tmp_path / "back")], lambda _: None)
    assert (tmp_path / "back").read_bytes() == body


def test_an_object_that_is_not_there_is_deleted_without_an_error(bucket):
    bucket.put("a", b"1", None)
    bucket.delete("a")
    bucket.delete("a")
    assert list(bucket.below("")) == []


@pytest.mark.parametrize("write", [lambda to, _: to.put("a", b"1", None), lambda to, file: to.upload(file, "a")])
def test_a_refusal_is_told_from_a_failure_that_may_pass(bucket, store, tmp_path, monkeypatch, write):
    monkeypatch.setattr("time.sleep", lambda _: None)
    (tmp_path / "file").write_bytes(b"1")
    store.fail = lambda *_: 403
    with pytest.raises(UserError, match=r"refuses access|is not public") as raised:
        write(bucket, tmp_path / "file")
    assert not isinstance(raised.value, TransientError)
    if store.scheme == "s3":
        assert "write and delete in the bucket" in str(raised.value)


def test_a_busy_store_may_be_asked_again(s3_store, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    s3_store.put(s3_store.bucket, {})
    s3_store.fail = lambda *_: 503
    (tmp_path / "file").write_bytes(b"1")
    bucket = open_bucket("s3", s3_store.bucket, writing=True)
    for write in (lambda: bucket.put("a", b"1", None), lambda: bucket.upload(tmp_path / "file", "a")):
        with pytest.raises(TransientError, match="answers 503"):
            write()


def test_a_bucket_that_is_not_there_is_no_changed_object(store):
    bucket = open_bucket(store.scheme, "not-there-at-all", writing=True)
    with pytest.raises(UserError, match="404") as raised:
        bucket.put("a", b"1", None)
    assert not isinstance(raised.value, ChangedError)


def test_a_store_without_conditions_is_told_from_others(s3_store):
    s3_store.put(s3_store.bucket, {})
    s3_store.fail = lambda *_: 501
    with pytest.raises(UnsupportedError):
        open_bucket("s3", s3_store.bucket, writing=True).put("a", b"1", None)


def test_nothing_is_added_to_what_is_uploaded_to_s3(s3_store, tmp_path):
    """By default boto3 sends a checksum after the content, which older stores take for a part of it."""
    s3_store.put(s3_store.bucket, {})
    bucket, sent = open_bucket("s3", s3_store.bucket, writing=True), []
    bucket._client.meta.events.register("before-send.s3.*", lambda request, **_: sent.append(request.headers))
    (tmp_path / "file").write_bytes(b"1")
    bucket.upload(tmp_path / "file", "a")
    bucket.put("b", b"1", None)
    assert len(sent) == 2
    assert not [name for headers in sent for name in headers if "checksum" in name.lower() or "trailer" in name.lower()]


def answer(code, status):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "HeadObject")


@pytest.mark.parametrize(
    ("code", "status", "message", "kind"),
    [
        ("ExpiredToken", 400, r"refuses access \(it answers 400: ExpiredToken\): check AWS_ACCESS_KEY_ID", UserError),
        (
            "400",
            400,
            r"refuses this \(it answers 400\): check the name, the region, .* credentials are valid",
            UserError,
        ),
        ("InvalidRequest", 400, r"refuses this \(it answers 400: InvalidRequest\): check", UserError),
        ("RequestTimeout", 400, "answers 400: RequestTimeout: run again later", TransientError),
        ("SlowDown", 503, "answers 503: SlowDown: run again later", TransientError),
    ],
)
def test_what_s3_answers_is_said_with_a_remedy(s3_store, monkeypatch, code, status, message, kind):
    bucket = open_bucket("s3", s3_store.bucket, writing=True)
    monkeypatch.setattr(bucket._client, "head_object", lambda **_: (_ for _ in ()).throw(answer(code, status)))
    with pytest.raises(UserError, match=message) as raised:
        bucket.find("a")
    assert type(raised.value) is kind


class WebPage(http.server.BaseHTTPRequestHandler):
    """Answers every request for a file as a console does."""

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_web_page_at_the_address_of_the_store_is_no_store(s3_store, monkeypatch):
    """For example MinIO's console, which has another port than its store."""
    with http.server.HTTPServer(("127.0.0.1", 0), WebPage) as console:
        answering = threading.Thread(target=console.handle_request)
        answering.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{console.server_port}")
        with pytest.raises(UserError, match="is no S3 store: check AWS_ENDPOINT_URL and its port"):
            open_bucket("s3", s3_store.bucket).find("a")
        answering.join()


@pytest.mark.usefixtures("s3_store")
def test_a_password_in_the_address_is_not_printed(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:secret@127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:9/bucket/a") as raised:
        open_bucket("s3", "bucket").find("a")
    assert "secret" not in str(raised.value)


def test_google_names_the_role_for_writing(monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    bucket = open_bucket("gs", "bucket", writing=True)
    bucket._anonymous = False
    bucket._client.list_blobs = lambda *_, **__: (_ for _ in ()).throw(exceptions.Forbidden("no"))
    with pytest.raises(UserError, match="Storage Object User on the bucket"):
        list(bucket.below(""))
    bucket._client.list_blobs = lambda *_, **__: (_ for _ in ()).throw(TransportError("no route"))
    with pytest.raises(TransientError, match=r"cannot be renewed .no route.: check the network"):
        list(bucket.below(""))


def test_a_metadata_server_that_is_away_may_be_asked_again(monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    bucket = open_bucket("gs", "bucket", writing=True)
    bucket._anonymous = False
    credentials = compute_engine.Credentials()

    def away(*_, **__):
        raise TransportError("no route")

    monkeypatch.setattr("google.auth.compute_engine._metadata.get", away)
    monkeypatch.setattr(bucket._client, "list_blobs", lambda *_, **__: credentials.refresh(None))
    with pytest.raises(TransientError, match=r"cannot be renewed .no route.: check the network"):
        list(bucket.below(""))
    revoked = RefreshError("revoked")
    monkeypatch.setattr(bucket._client, "list_blobs", lambda *_, **__: (_ for _ in ()).throw(revoked))
    with pytest.raises(UserError, match="log in again") as raised:
        list(bucket.below(""))
    assert not isinstance(raised.value, TransientError)


def test_the_libraries_are_imported_only_when_a_bucket_is_opened():
    code = "import sys, components.object_stores.store; print({'boto3', 'google.cloud.storage'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
