import hashlib
import inspect
import tarfile
import zipfile
from pathlib import Path

import pytest

from components.artifacts.names import SOURCES
from components.console import UserError
from components.ingest import synthetic
from components.ingest.ingest import ingest
from components.ingest.sources import directory, open_source, pneumoniamnist, simulated
from components.object_stores import store as object_stores
from components.parameters import IngestParameters, PreprocessParameters
from components.preprocess.preprocess import preprocess
from components.source_checks import check_url

from .test_medmnist import write as write_npz

SIMULATION = {"images": 50, "size": 64, "seed": 3, "difficulty": 0.25}


def write_zip(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder.parent))
    return archive


def write_tar(folder: Path, archive: Path) -> Path:
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, folder.name)
    return archive


def test_radiographs_are_drawn_as_asked_and_said_to_be_of_nobody(tmp_path, monkeypatch, capsys):
    calls, signature = [], inspect.signature(synthetic.write_radiographs)

    def draw(*arguments, **named):
        calls.append(signature.bind(*arguments, **named).arguments)
        calls[0].pop("on_progress")(20, 50)

    monkeypatch.setattr(simulated.synthetic, "write_radiographs", draw)
    monkeypatch.setattr(simulated.console.time, "monotonic", iter([0, 100, 100]).__next__)
    source = open_source(IngestParameters(synthetic_images=50, synthetic_size=64, seed=3, synthetic_difficulty=0.25))
    assert source.name == "synthetic"
    assert source.description() == "50 simulated radiographs of about 64 px (seed 3, difficulty 0.25): no real patients"
    assert source.fetch(tmp_path) == tmp_path
    assert calls == [SIMULATION | {"folder": tmp_path}]
    assert capsys.readouterr().out == "pneumonia-benchmark: ingest: 20 of 50 radiographs simulated\n"


def test_a_directory_is_used_where_it_is(tmp_path):
    (tmp_path / "data").mkdir()
    source = open_source(IngestParameters(source="directory", path=str(tmp_path / "data")))
    assert source.name == "directory"
    assert source.description() == "the folder data"
    assert source.fetch(tmp_path / "workspace") == tmp_path / "data"


def test_the_present_directory_has_a_name_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_source(IngestParameters(source="directory", path=".")).description() == f"the folder {tmp_path.name}"


@pytest.mark.parametrize("source", ["directory", "pneumoniamnist"])
def test_a_path_that_is_not_there_is_refused(tmp_path, source):
    with pytest.raises(UserError, match=f"there is no (folder|file) {tmp_path}/missing: give .* with --path"):
        open_source(IngestParameters(source=source, path=str(tmp_path / "missing"))).fetch(tmp_path)


@pytest.mark.parametrize(
    ("source", "given", "message"),
    [
        ("directory", {}, "the source directory needs a folder: give it with --path"),
        (
            "kagle",
            {},
            "there is no source 'kagle': choose one of synthetic, directory, kaggle, pneumoniamnist, https://",
        ),
        ("ftp://example.org/x", {}, "there is no source 'ftp://example.org/x'"),
        ("http://example.org/x.zip", {}, "is not encrypted"),
        ("gs://", {}, "gs:// names no bucket: write gs://bucket/prefix"),
        ("s3://Bad_Bucket/x", {}, "names no bucket"),
        ("kaggle", {"path": "../evil"}, "'../evil' is not a dataset of Kaggle: give owner/name"),
        ("kaggle", {"path": "owner/name/versions/x"}, "is not a dataset of Kaggle"),
        (
            "pneumoniamnist",
            {"pneumoniamnist_size": 30},
            "pneumoniamnist_size is 30, but must be one of 28, 64, 128",
        ),
        ("https://example.org/x.zip", {"sha256": "abc"}, "'abc' is not a SHA-256: give its 64 hexadecimal digits"),
        ("directory", {"path": "x", "sha256": "0" * 64}, "--sha256 is of the archive behind an https:// source"),
    ],
)
def test_a_source_that_cannot_be_had_is_refused(source, given, message):
    with pytest.raises(UserError, match=message):
        open_source(IngestParameters(source=source, **given))


def test_every_source_can_be_opened_and_says_what_it_is():
    places = {"directory": "somewhere", "kaggle": "", "pneumoniamnist": "", "synthetic": ""}
    assert [open_source(IngestParameters(source=name, path=places[name])).name for name in SOURCES] == list(SOURCES)
    assert (
        open_source(IngestParameters(source="kaggle")).description()
        == "the dataset paultimothymooney/chest-xray-pneumonia of Kaggle"
    )
    assert (
        open_source(IngestParameters(source="kaggle", path="me/mine/versions/3")).description()
        == "the dataset me/mine of Kaggle, version 3"
    )
    assert open_source(IngestParameters(source="pneumoniamnist")).description() == "PneumoniaMNIST at 128 px"
    assert open_source(IngestParameters(source="gs://bucket/a/b")).description() == "gs://bucket/a/b"
    assert open_source(IngestParameters(source="s3://bucket")).description() == "s3://bucket/"
    assert (
        open_source(IngestParameters(source="https://a.org/x.zip?key=secret")).description()
        == "the archive https://a.org/x.zip"
    )


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_an_archive_gives_the_dataset_of_the_folder_in_it(tmp_path, write_kaggle, write):
    write_kaggle(tmp_path / "chest_xray", train=8, val=1, test=2)
    fingerprints = set()
    for place in (tmp_path / "chest_xray", write(tmp_path / "chest_xray", tmp_path / "data.archive")):
        raw = ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(place)))
        assert raw["refused"] == []
        fingerprints.add(
            preprocess(
                tmp_path / "raw", tmp_path / "out", tmp_path / "summary.json", PreprocessParameters(image_size=32)
            )["fingerprint"]
        )
    assert len(fingerprints) == 1


def test_an_archive_behind_a_url_is_loaded_checked_and_ingested(tmp_path, server, write_kaggle, capsys):
    write_kaggle(tmp_path / "chest_xray", train=2, val=1, test=1)
    content = write_zip(tmp_path / "chest_xray", tmp_path / "data.zip").read_bytes()
    server.files["/data.zip"] = content
    server.plan = [500, ("cut", 1000)]
    digest = hashlib.sha256(content).hexdigest().upper()
    report = ingest(tmp_path / "raw", IngestParameters(source=f"{server.url}/data.zip?key=secret", sha256=digest))
    assert report["images"] == 16
    assert report["source"] == {"name": "https", "description": f"the archive {server.url}/data.zip"}
    assert "secret" not in (tmp_path / "raw" / "quality.json").read_text() + capsys.readouterr().out
    assert len(server.asked) == 3


def test_a_hostile_archive_behind_a_url_is_named_by_its_url(tmp_path, server):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../evil", b"")
    server.files["/a.zip"] = (tmp_path / "a.zip").read_bytes()
    with pytest.raises(UserError, match=rf"^{server.url}/a.zip contains '../evil', which leads out"):
        ingest(tmp_path / "raw", IngestParameters(source=f"{server.url}/a.zip"))


def test_a_token_from_the_environment_is_sent_and_missed_where_there_is_none(tmp_path, server, monkeypatch):
    server.plan = [403]
    with pytest.raises(
        UserError,
        match=r"answers 403.: if it requires a bearer token, set .* PNEUMONIA_BENCHMARK_TOKEN",
    ):
        open_source(IngestParameters(source=f"{server.url}/a.zip")).fetch(tmp_path)
    monkeypatch.setenv("PNEUMONIA_BENCHMARK_TOKEN", "sesame")
    server.plan = [401]
    with pytest.raises(UserError, match="it refused the token in the environment variable PNEUMONIA_BENCHMARK_TOKEN"):
        open_source(IngestParameters(source=f"{server.url}/a.zip")).fetch(tmp_path)
    assert [headers.get("Authorization") for *_, headers in server.asked] == [None, "Bearer sesame"]


@pytest.mark.parametrize(("size", "name"), [(28, "pneumoniamnist.npz"), (64, "pneumoniamnist_64.npz")])
def test_pneumoniamnist_comes_from_zenodo_with_its_checksum(tmp_path, server, monkeypatch, size, name):
    content = write_npz(tmp_path / "a.npz").read_bytes()
    server.files[f"/records/{name}"] = content
    monkeypatch.setattr(pneumoniamnist, "BASE_URL", f"{server.url}/records/")
    monkeypatch.setitem(pneumoniamnist.CHECKSUMS, size, f"md5:{hashlib.md5(content).hexdigest()}")  # noqa: S324
    server.plan = [("cut", len(content) // 2)]
    report = ingest(tmp_path / "raw", IngestParameters(source="pneumoniamnist", pneumoniamnist_size=size))
    assert report["images"] == 14
    assert report["source"]["description"] == f"PneumoniaMNIST at {size} px"
    assert server.asked[1][2]["Range"]


def test_pneumoniamnist_with_another_checksum_is_refused(tmp_path, server, monkeypatch):
    server.files["/pneumoniamnist.npz"] = write_npz(tmp_path / "a.npz").read_bytes()
    monkeypatch.setattr(pneumoniamnist, "BASE_URL", f"{server.url}/")
    with pytest.raises(UserError, match="and not md5:28209eda62fecd6e6a2d98b1501bb15f, so it is not used"):
        open_source(IngestParameters(source="pneumoniamnist", pneumoniamnist_size=28)).fetch(tmp_path)


def test_the_checksums_are_those_of_four_different_files_at_zenodo():
    assert list(pneumoniamnist.CHECKSUMS) == [28, 64, 128, 224]
    assert len(set(pneumoniamnist.CHECKSUMS.values())) == 4
    assert pneumoniamnist.BASE_URL == "https://zenodo.org/records/10519652/files/"
    check_url(pneumoniamnist.BASE_URL)


def test_modules_of_sources_are_found_by_their_scheme():
    assert set(object_stores._STORES) == {"gs", "s3"}
    assert directory.Directory(Path("x.zip")).description() == "the file x.zip"


@pytest.mark.parametrize("source", ["synthetic", "https://example.org/x.zip", "gs://bucket/x", "s3://bucket/x"])
def test_a_path_without_effect_is_refused(source):
    with pytest.raises(UserError, match="takes no path: give --source directory with --path, or leave that out"):
        open_source(IngestParameters(source=source, path="/data"))
