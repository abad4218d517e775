"""Kaggle's interface as kagglehub calls it, on a server of this machine."""

import base64
import json
import zipfile

import pytest
from kagglehub import clients
from kagglesdk import kaggle_env

from components import retries
from components.console import UserError
from components.ingest.ingest import ingest
from components.ingest.sources import open_source
from components.parameters import IngestParameters

from .file_server import send

SERVICE = "/v1/datasets.DatasetApiService"


@pytest.fixture
def api(server, monkeypatch, tmp_path, write_kaggle):
    """A server with a dataset; `api.denied` is the status it answers with instead."""
    monkeypatch.setattr(retries, "ATTEMPTS", 3)
    # kagglehub names who calls it; below pytest and beside TensorFlow, looking for that takes most of a test.
    monkeypatch.setattr(clients, "get_user_agent", lambda: "kagglehub")
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, server.url)
    write_kaggle(tmp_path / "chest_xray", train=1, val=1, test=1)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        for path in sorted((tmp_path / "chest_xray").rglob("*.jpeg")):
            archive.write(path, path.relative_to(tmp_path))
    server.files["/signed/archive.zip"] = (tmp_path / "archive.zip").read_bytes()
    server.denied = 0
    original = server.answer

    def answer(request):
        if not request.path.startswith(SERVICE):
            return original(request)
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        server.asked.append((request.command, request.path, dict(request.headers) | {"body": body}))
        if server.plan:
            return send(request, server.plan.pop(0), b"")
        if server.denied:
            text = json.dumps({"code": server.denied, "message": "no"}).encode()
            return send(request, server.denied, text, Content_Type="application/json")
        if request.path.endswith("/GetDataset"):
            return send(request, 200, b'{"currentVersionNumber": 2}', Content_Type="application/json")
        return send(request, 302, b"", Location=f"/signed/archive.zip?signature={len(server.asked)}")

    server.answer = answer
    return server


def calls(api):
    return [path.rpartition("/")[2] for _, path, _ in api.asked if path.startswith(SERVICE)]


def test_the_newest_version_is_loaded_and_ingested(tmp_path, api, capsys):
    report = ingest(tmp_path / "raw", IngestParameters(source="kaggle"))
    assert report["images"] == 12
    assert report["source"]["description"] == "the dataset paultimothymooney/chest-xray-pneumonia of Kaggle"
    assert calls(api) == ["GetDataset", "DownloadDataset"]
    body = api.asked[1][2]["body"]
    assert (body["ownerSlug"], body["datasetSlug"]) == ("paultimothymooney", "chest-xray-pneumonia")
    assert body["datasetVersionNumber"] == 2
    assert "paultimothymooney/chest-xray-pneumonia in version 2" in capsys.readouterr().out


def test_another_dataset_and_version_can_be_named(tmp_path, api):
    assert ingest(tmp_path / "raw", IngestParameters(source="kaggle", path="me/mine/versions/7"))["images"] == 12
    assert calls(api) == ["DownloadDataset"]
    assert api.asked[0][2]["body"]["datasetVersionNumber"] == 7


@pytest.mark.usefixtures("api")
def test_a_second_run_takes_the_archive_from_the_cache_though_its_url_is_new(tmp_path, capsys):
    ingest(tmp_path / "raw", IngestParameters(source="kaggle"))
    ingest(tmp_path / "raw", IngestParameters(source="kaggle"))
    assert "has been downloaded before and has not changed" in capsys.readouterr().out


def test_an_interrupted_download_goes_on_where_it_stopped(tmp_path, api, content):
    api.files["/signed/archive.zip"] = content
    original = api.answer
    cuts = iter([True])

    def answer(request):
        if request.path.startswith("/signed/") and not request.headers.get("User-Agent", "").startswith("kagglehub"):
            api.plan = [("cut", 2_000_000)] if next(cuts, False) else []
        return original(request)

    api.answer = answer
    with pytest.raises(UserError, match="neither a zip nor a tar"):
        open_source(IngestParameters(source="kaggle")).fetch(tmp_path)
    (start,) = [headers["Range"] for *_, headers in api.asked if "Range" in headers]
    assert 1_000_000 <= int(start.removeprefix("bytes=").rstrip("-")) <= 2_000_000


@pytest.mark.parametrize("named", ["token", "key", "nothing"])
def test_credentials_are_those_of_the_environment(tmp_path, api, monkeypatch, named):
    if named == "token":
        monkeypatch.setenv("KAGGLE_API_TOKEN", "sesame")
    if named == "key":
        monkeypatch.setenv("KAGGLE_USERNAME", "me")
        monkeypatch.setenv("KAGGLE_KEY", "secret")
    ingest(tmp_path / "raw", IngestParameters(source="kaggle"))
    expected = {"token": "Bearer sesame", "key": f"Basic {base64.b64encode(b'me:secret').decode()}", "nothing": None}
    assert api.asked[0][2].get("Authorization") == expected[named]
    loads = [headers for _, path, headers in api.asked if path.startswith("/signed/")]
    assert loads[-1].get("Authorization") is None, "our own download of the signed URL carries no credentials"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (
            401,
            r"Kaggle refuses access to .* \(it answers 401\): set KAGGLE_API_TOKEN, or KAGGLE_USERNAME",
        ),
        (
            403,
            r"Kaggle refuses access to .* \(it answers 403\): set KAGGLE_API_TOKEN, or KAGGLE_USERNAME",
        ),
        (404, r"Kaggle has no dataset me/mine that you may see .*check the id, or set KAGGLE_API_TOKEN"),
    ],
)
def test_a_refusal_names_the_missing_credentials_and_is_not_repeated(tmp_path, api, status, message):
    api.denied = status
    with pytest.raises(UserError, match=message):
        open_source(IngestParameters(source="kaggle", path="me/mine")).fetch(tmp_path)
    assert len(api.asked) == 1


def test_an_error_that_passes_is_waited_for(tmp_path, api, capsys):
    api.plan = [500, 503]
    assert ingest(tmp_path / "raw", IngestParameters(source="kaggle"))["images"] == 12
    assert "at the moment (it answers 500): try again later; attempt 2 of 3 in 0 s" in capsys.readouterr().out


def test_an_error_that_does_not_pass_ends_the_run(tmp_path, api):
    api.plan = [500] * 10
    with pytest.raises(UserError, match=r"Kaggle does not provide .* at the moment \(it answers 500\): try again"):
        open_source(IngestParameters(source="kaggle")).fetch(tmp_path)
    assert len(api.asked) == retries.ATTEMPTS


def test_where_kaggle_cannot_be_reached_it_says_so(tmp_path, api):
    api.close()
    with pytest.raises(UserError, match=r"Kaggle cannot be reached .*: check the network"):
        open_source(IngestParameters(source="kaggle")).fetch(tmp_path)


def test_a_hostile_archive_of_kaggle_is_refused(tmp_path, api):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../evil", b"")
    api.files["/signed/archive.zip"] = (tmp_path / "evil.zip").read_bytes()
    with pytest.raises(UserError, match=r"versions/2 contains '\.\./\.\./evil', which leads out"):
        open_source(IngestParameters(source="kaggle")).fetch(tmp_path)
