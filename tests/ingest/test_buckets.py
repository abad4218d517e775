"""Google Cloud Storage and S3 by their own protocols, against an emulator and a server on this machine."""

import gzip
import tarfile
import time
import zipfile
from pathlib import Path

import boto3
import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import RefreshError
from google.cloud import storage
from hypothesis import given
from hypothesis import strategies as st

from components.console import UserError
from components.ingest.ingest import ingest
from components.ingest.sources import buckets, open_source
from components.ingest.sources.buckets import Object, _places
from components.object_stores import gcs, s3
from components.parameters import IngestParameters, PreprocessParameters
from components.preprocess.preprocess import preprocess

from .file_server import send

ENOUGH = {"train": 8, "val": 1, "test": 2}


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_zip(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in files_of(folder).items():
            file.writestr(name, content)
    return archive


def fetched(source: str, workspace: Path) -> dict[str, bytes]:
    workspace.mkdir()
    return files_of(open_source(IngestParameters(source=source)).fetch(workspace))


def fingerprint(tmp_path: Path, source: str, path: str = "") -> str:
    ingest(tmp_path / "raw", IngestParameters(source=source, path=path))
    return preprocess(
        tmp_path / "raw", tmp_path / "prepared", tmp_path / "summary", PreprocessParameters(image_size=32)
    )["fingerprint"]


@pytest.mark.medium
def test_a_folder_a_zip_and_a_bucket_give_the_same_dataset(tmp_path, store, write_kaggle):
    data = tmp_path / "chest_xray"
    write_kaggle(data, **ENOUGH)
    archive = write_zip(data, tmp_path / "data.zip")
    store.put(store.bucket, {f"sets/chest_xray/{name}": content for name, content in files_of(data).items()})
    store.put(store.bucket, {"sets/data.zip": archive.read_bytes()})
    places = [("directory", data), ("directory", archive)]
    places += [(f"{store.place}/sets/chest_xray", ""), (f"{store.place}/sets/data.zip", "")]
    assert len({fingerprint(tmp_path, source, str(path)) for source, path in places}) == 1


def test_only_what_is_below_the_prefix_is_taken(tmp_path, store):
    store.put(store.bucket, {"a/x.png": b"1", "a/b/y.png": b"2", "ab/z.png": b"3", "a/b/": b"", "w": b""})
    assert fetched(f"{store.place}/a", tmp_path / "1") == {"x.png": b"1", "b/y.png": b"2"}
    assert fetched(f"{store.place}/", tmp_path / "2") == {
        "a/x.png": b"1",
        "a/b/y.png": b"2",
        "ab/z.png": b"3",
        "w": b"",
    }


@pytest.mark.slow
def test_more_files_than_a_page_of_the_listing_come_all(tmp_path, s3_store):
    objects = {f"data/{number}.png": str(number).encode() for number in range(1100)}
    s3_store.put(s3_store.bucket, objects)
    assert len(fetched(f"s3://{s3_store.bucket}/data", tmp_path / "1")) == 1100


def test_what_has_come_before_is_not_loaded_again_unless_it_changed(tmp_path, store, capsys):
    store.put(store.bucket, {"a/x": b"1", "a/y": b"2"})
    fetched(f"{store.place}/a", tmp_path / "1")
    store.put(store.bucket, {"a/y": b"3", "a/z": b"4"})
    assert fetched(f"{store.place}/a", tmp_path / "2") == {"x": b"1", "y": b"3", "z": b"4"}
    assert f"1 of 3 files of {store.place}/a are in the cache" in capsys.readouterr().out


@pytest.mark.medium
def test_an_interrupted_run_keeps_what_has_come(tmp_path, s3_store, cache, capsys):
    s3_store.put(s3_store.bucket, {f"a/{number}": bytes([number]) for number in range(40)})
    s3_store.faults += [("/a/7", "403 Forbidden")]
    with pytest.raises(UserError, match=r"refuses access \(it answers 403\)"):
        fetched(f"s3://{s3_store.bucket}/a", tmp_path / "1")
    assert not list(cache.rglob("*.partial"))
    kept = len([path for path in cache.rglob("*") if path.is_file()])
    assert len(fetched(f"s3://{s3_store.bucket}/a", tmp_path / "2")) == 40
    if kept:
        assert f"{kept} of 40 files" in capsys.readouterr().out


def test_a_store_that_answers_500_twice_is_asked_again(tmp_path, s3_store):
    s3_store.put(s3_store.bucket, {"a/x": b"1"})
    s3_store.faults += [("/a/x", "500 Internal Server Error")] * 2
    assert fetched(f"s3://{s3_store.bucket}/a", tmp_path / "1") == {"x": b"1"}


def test_an_archive_goes_on_where_it_stopped(tmp_path, store, monkeypatch, cache, capsys):
    monkeypatch.setattr(buckets, "PART", 1000)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").write_bytes(bytes(number % 251 for number in range(5000)))
    content = write_zip(tmp_path / "data", tmp_path / "data.zip").read_bytes()
    store.put(store.bucket, {"data.zip": content})
    source = open_source(IngestParameters(source=f"{store.place}/data.zip"))
    kind = gcs.Gcs if store.scheme == "gs" else s3.S3
    starts, read = [], kind.read

    def note(self, item, start, end):
        starts.append(start)
        if len(starts) == 4:
            raise UserError("cut")
        return read(self, item, start, end)

    monkeypatch.setattr(kind, "read", note)
    with pytest.raises(UserError, match="cut"):
        source.fetch(tmp_path / "1")
    assert next(cache.rglob("partial")).read_bytes() == content[:3000]
    assert files_of(source.fetch(tmp_path / "2")) == files_of(tmp_path / "data")
    assert starts[:6] == [0, 1000, 2000, 3000, 3000, 4000]
    assert "resuming after 0.0 MB" in capsys.readouterr().out
    starts.clear()
    source.fetch(tmp_path / "3")
    assert starts == []


def test_an_archive_that_changes_while_it_is_loaded_is_not_put_together_of_two(tmp_path, s3_store, monkeypatch):
    monkeypatch.setattr(buckets, "PART", 1000)
    s3_store.put(s3_store.bucket, {"data.zip": bytes(3000)})
    read = s3.S3.read

    def change(self, item, start, end):
        if start == 1000:
            s3_store.put(s3_store.bucket, {"data.zip": b"1" * 3000})
        return read(self, item, start, end)

    monkeypatch.setattr(s3.S3, "read", change)
    with pytest.raises(UserError, match="changed during its download: run again"):
        open_source(IngestParameters(source=f"s3://{s3_store.bucket}/data.zip")).fetch(tmp_path)


@pytest.mark.parametrize("prefix", ["", "/nothing", "/nothing.zip"])
def test_an_empty_place_is_named(tmp_path, store, prefix):
    store.put(store.bucket, {})
    with pytest.raises(UserError, match=f"{store.place}/?{prefix.strip('/')} contains no objects: check the bucket"):
        open_source(IngestParameters(source=f"{store.place}{prefix}")).fetch(tmp_path)


def test_a_bucket_that_is_not_there_is_named(tmp_path, store):
    with pytest.raises(UserError, match=rf"{store.scheme}://not-there-at-all.*\(it answers 404\): check the name"):
        open_source(IngestParameters(source=f"{store.scheme}://not-there-at-all/x")).fetch(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a/../../evil"], r"'a/\.\./\.\./evil', which leads out of its folder: that looks like an attack"),
        (["C:\\evil"], "which is an absolute path"),
        (["a//b", "a/b"], "'a/b' and 'a//b', which are the same file here"),
        (["a", "a/b"], "contains 'a' as a file and as a folder"),
        (["./"], "contains './', which does not name a file"),
    ],
)
def test_hostile_names_are_refused_before_anything_is_loaded(names, message):
    with pytest.raises(UserError, match=message):
        _places([Object(name, 1, "v") for name in names], "", "s3://b/")


def test_hostile_names_are_refused_in_a_real_listing(tmp_path, s3_store, cache):
    s3_store.put(s3_store.bucket, {"a/good.png": b"1", "a/../../evil.png": b"2"})
    with pytest.raises(UserError, match="leads out of its folder"):
        open_source(IngestParameters(source=f"s3://{s3_store.bucket}/a")).fetch(tmp_path)
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("mark", ["a", "a/", "a/b"])
def test_an_empty_object_of_a_folders_name_marks_the_folder(mark):
    places = _places([Object(mark, 0, "v"), Object("a/b/c", 1, "v")], "", "s3://b/")
    assert [path.as_posix() for path in places] == ["a/b/c"]


def test_keys_are_keys_and_an_empty_part_leads_nowhere_else():
    places = _places([Object("data//train/x", 1, "v"), Object("data///etc/passwd", 1, "v")], "data/", "s3://b/data")
    assert [path.as_posix() for path in places] == ["train/x", "etc/passwd"]


def test_objects_that_are_stored_as_gzip_are_unpacked(tmp_path, store):
    objects = {"a/x.jpeg": b"\xff\xd8" + bytes(5000), "a/y.csv": b"image,label\n" * 400}
    store.put(store.bucket, {name: gzip.compress(content) for name, content in objects.items()})
    assert fetched(f"{store.place}/a", tmp_path / "1") == {"x.jpeg": objects["a/x.jpeg"], "y.csv": objects["a/y.csv"]}
    assert fetched(f"{store.place}/a", tmp_path / "2") == {"x.jpeg": objects["a/x.jpeg"], "y.csv": objects["a/y.csv"]}


def test_so_is_an_archive_but_not_one_that_is_named_a_gzip(tmp_path, store):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").write_bytes(b"1")
    content = write_zip(tmp_path / "data", tmp_path / "data.zip").read_bytes()
    with tarfile.open(tmp_path / "data.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "data" / "x", "y")
    packed = (tmp_path / "data.tar.gz").read_bytes()
    store.put(store.bucket, {"data.zip": gzip.compress(content), "data.tar.gz": packed})
    assert fetched(f"{store.place}/data.zip", tmp_path / "1") == {"x": b"1"}
    assert fetched(f"{store.place}/data.tar.gz", tmp_path / "2") == {"y": b"1"}


def test_a_damaged_or_endless_gzip_is_named(tmp_path, s3_store, cache, monkeypatch):
    s3_store.put(s3_store.bucket, {"a/x": gzip.compress(bytes(5000))[:-9]})
    with pytest.raises(UserError, match=r"a/x is stored as gzip and damaged .*: upload it again"):
        fetched(f"s3://{s3_store.bucket}/a", tmp_path / "1")
    s3_store.put(s3_store.bucket, {"b/x": gzip.compress(bytes(5_000_000))})
    monkeypatch.setattr(buckets, "MAX_BYTES", 1_000_000)
    with pytest.raises(UserError, match="b/x unpacks to more than 1 MB: split it up"):
        fetched(f"s3://{s3_store.bucket}/b", tmp_path / "2")
    assert not [path for path in cache.rglob("*") if path.is_file() and path.name != "lock"]


def test_an_archived_object_is_told_from_a_forbidden_one(tmp_path, s3_store):
    s3_store.put(s3_store.bucket, {"a/x": b"1"})
    boto3.client("s3").put_object(Bucket=s3_store.bucket, Key="a/y", Body=b"2", StorageClass="GLACIER")
    with pytest.raises(UserError, match=r"an object of s3://.* is archived \(Glacier\), so it cannot be read: restore"):
        fetched(f"s3://{s3_store.bucket}/a", tmp_path / "1")


def test_readers_of_s3_pay_where_they_say_so(tmp_path, s3_store, monkeypatch):
    s3_store.put(s3_store.bucket, {"a/x": b"1"})
    monkeypatch.setenv("PNEUMONIA_BENCHMARK_REQUESTER_PAYS", "1")
    sent = []
    monkeypatch.setattr(s3, "open_bucket", lambda *given, real=s3.open_bucket: noted(real(*given), sent))
    assert fetched(f"s3://{s3_store.bucket}/a", tmp_path / "1") == {"x": b"1"}
    assert sent
    assert all(request.headers["x-amz-request-payer"] == b"requester" for request in sent)


def noted(bucket, sent):
    """A bucket of S3 that notes its requests."""
    bucket._client.meta.events.register("before-send.s3.*", lambda request, **_: sent.append(request))
    return bucket


def test_readers_of_google_are_told_to_name_who_pays(tmp_path, server, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    refusal = b'{"error": {"code": 400, "message": "Bucket is a requester pays bucket but no user project provided."}}'

    def answer(request):
        if "userProject=billed" in request.path:
            return send(request, 200, b'{"kind": "storage#objects"}', Content_Type="application/json")
        return send(request, 400, refusal, Content_Type="application/json")

    server.plan = [answer] * 10
    with pytest.raises(UserError, match="is a requester-pays bucket: set PNEUMONIA_BENCHMARK_REQUESTER_PAYS to the"):
        open_source(IngestParameters(source="gs://bucket/x")).fetch(tmp_path)
    monkeypatch.setenv("PNEUMONIA_BENCHMARK_REQUESTER_PAYS", "billed")
    with pytest.raises(UserError, match="contains no objects"):
        open_source(IngestParameters(source="gs://bucket/x")).fetch(tmp_path)


def test_what_google_refuses_is_said_in_its_own_words(tmp_path, server, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    refusal = b'{"error": {"message": "odd name"}}'
    server.plan = [lambda request: send(request, 400, refusal, Content_Type="application/json")] * 5
    with pytest.raises(UserError, match=r"gs://bucket refuses this \(.*odd name.*\): check the name"):
        open_source(IngestParameters(source="gs://bucket/x")).fetch(tmp_path)


def test_a_folders_mark_is_left_out_and_a_limit_is_kept(monkeypatch):
    assert list(_places([Object("a/", 0, "v"), Object("a/b", 1, "v")], "", "u")) == [Path("a/b")]
    monkeypatch.setattr(buckets, "MAX_FILES", 2)
    with pytest.raises(UserError, match="more than 2 objects"):
        _places([Object(str(number), 0, "v") for number in range(3)], "", "u")
    monkeypatch.setattr(buckets, "MAX_BYTES", 10**6)
    with pytest.raises(UserError, match="more than 1 MB: give a longer prefix"):
        _places([Object("a", 10**6 + 1, "v")], "", "u")


@given(st.lists(st.text(st.sampled_from("ab./\\:\0C"), max_size=8), max_size=5))
def test_whatever_the_names_every_place_is_below_the_folder(names):
    try:
        places = _places([Object(name, 1, "v") for name in names], "", "u")
    except UserError:
        return
    assert all(not path.is_absolute() and ".." not in path.parts for path in places)
    assert len(places) == len(set(names))


def test_without_credentials_a_bucket_is_read_anonymously_or_the_missing_ones_are_named(
    tmp_path, s3_store, monkeypatch
):
    s3_store.put(s3_store.bucket, {"a/x": b"1"})
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    s3_store.faults += [(s3_store.bucket, "403 Forbidden")]
    with pytest.raises(UserError, match="no credentials here, so set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        open_source(IngestParameters(source=f"s3://{s3_store.bucket}/a")).fetch(tmp_path)


def test_an_endpoint_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(UserError, match=r"s3://bucket does not answer \(.*127.0.0.1:9.*\): check AWS_ENDPOINT_URL"):
        open_source(IngestParameters(source="s3://bucket/x")).fetch(tmp_path)


@pytest.mark.parametrize("status", [401, 403])
def test_google_names_the_missing_credentials_and_is_not_asked_again(tmp_path, server, monkeypatch, status):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    server.plan = [status] * 5
    with pytest.raises(UserError, match=r"no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS to a key file"):
        open_source(IngestParameters(source="gs://bucket/x")).fetch(tmp_path)
    paths = [path for _, path, _ in server.asked]
    assert len(paths) == len(set(paths)), "no request is repeated"


def test_google_is_asked_again_after_an_error_that_passes(tmp_path, server, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    faults = [503, 500]

    def answer(request):
        if faults and request.path.startswith("/storage/v1/b/bucket/o?"):
            return send(request, faults.pop(0), b"")
        return send(request, 200, b'{"kind": "storage#objects"}', Content_Type="application/json")

    server.plan = [answer] * 10
    with pytest.raises(UserError, match="contains no objects"):
        open_source(IngestParameters(source="gs://bucket/x")).fetch(tmp_path)
    assert not faults


@pytest.mark.parametrize("content", [b"no json", b'{"type": "unknown"}'])
def test_a_key_file_of_google_that_does_not_work_is_named(tmp_path, monkeypatch, content):
    (tmp_path / "key.json").write_bytes(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    with pytest.raises(UserError, match="the key in GOOGLE_APPLICATION_CREDENTIALS does not work"):
        open_source(IngestParameters(source="gs://bucket/x")).fetch(tmp_path)


def test_google_names_the_role_that_an_account_lacks():
    client = storage.Client(project="p", credentials=AnonymousCredentials())
    bucket = gcs.Gcs("bucket", client, "Storage Object Viewer", anonymous=False)
    client.list_blobs = lambda *_, **__: (_ for _ in ()).throw(exceptions.Forbidden("no"))
    with pytest.raises(
        UserError, match=r"gs://bucket refuses access to this Google account .it answers 403.*Storage Object Viewer"
    ):
        list(bucket.below(""))
    client.list_blobs = lambda *_, **__: (_ for _ in ()).throw(RefreshError("expired"))
    with pytest.raises(UserError, match=r"the Google credentials do not work \(expired\)"):
        list(bucket.below(""))
