import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.artifacts import files, raw_dataset
from components.artifacts.raw_dataset import ImageWriter, RawDataset
from components.console import UserError

QUALITY = {"schema_version": 1, "kind": "raw dataset", "source": {"name": "test"}}


def manifest(images) -> pd.DataFrame:
    rows = [(image, "NORMAL", "train", f"00{number}", "ab", 3, 2) for number, image in enumerate(images)]
    return pd.DataFrame(rows, columns=list(raw_dataset.MANIFEST_COLUMNS))


def write(folder: Path, images: dict[str, bytes], archive_bytes: int = 1000) -> Path:
    folder.mkdir(exist_ok=True)
    with ImageWriter(folder, archive_bytes) as writer:
        for image, content in images.items():
            writer.add(image, content)
    raw_dataset.save(folder, manifest(images).assign(extra=1), QUALITY)
    return folder


def test_a_further_zip_begins_where_the_limit_would_be_passed(tmp_path):
    images = {
        name: name.encode() * size for name, size in {"a": 60, "b": 40, "c": 1, "d": 250, "e": 10, "f": 90}.items()
    }
    raw = RawDataset.load(write(tmp_path / "raw", images, archive_bytes=100))
    names = {path.name: zipfile.ZipFile(path).namelist() for path in raw.folder.glob("*.zip")}
    assert names == {"images.zip": ["a", "b"], "images-1.zip": ["c"], "images-2.zip": ["d"], "images-3.zip": ["e", "f"]}
    with raw.open_images() as reader:
        assert {name: reader.read(name) for name in images} == images


def test_zips_hold_the_bytes_as_they_are_and_no_date(tmp_path):
    with ImageWriter(tmp_path) as writer:
        writer.add('train/NORMAL/ü, "1".jpeg', b"x" * 500)
    with zipfile.ZipFile(tmp_path / "images.zip") as archive:  # whole, although the writer still exists
        assert [item.date_time for item in archive.infolist()] == [(1980, 1, 1, 0, 0, 0)]
    assert b"x" * 500 in (tmp_path / "images.zip").read_bytes()


def test_odd_names_survive_manifest_and_zip(tmp_path):
    images = {name: name.encode() for name in ("N/a,b.jpeg", 'N/"q".png', "N/ü\n1.png", "N/ sp ace ", "N/NA")}
    raw = RawDataset.load(write(tmp_path / "raw", images))
    assert list(raw.manifest.columns) == list(raw_dataset.MANIFEST_COLUMNS)
    assert raw.manifest["image"].tolist() == list(images)
    assert raw.manifest["patient"].tolist()[0] == "000"
    assert raw.manifest["width"].tolist() == [3] * 5
    assert raw.quality == QUALITY
    with raw.open_images() as reader:
        assert {name: reader.read(name) for name in raw.manifest["image"]} == images


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "quality.json").unlink(), "is not a complete raw dataset: it has no quality.json"),
        (lambda folder: (folder / "manifest.csv").unlink(), "is not a complete raw dataset: it has no manifest.csv"),
        (lambda folder: files.write_json(folder / "quality.json", QUALITY | {"kind": "evaluation"}), "'evaluation'"),
        (
            lambda folder: manifest([]).drop(columns=["sha256", "image"]).to_csv(folder / "manifest.csv"),
            "manifest.csv lacks the columns image, sha256; run",
        ),
    ],
)
def test_a_raw_dataset_that_is_not_whole_is_not_loaded(tmp_path, spoil, message):
    folder = write(tmp_path / "raw", {"a": b"a"})
    spoil(folder)
    with pytest.raises(UserError, match=message):
        RawDataset.load(folder)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "b is in no zip of the raw dataset, .*: run ingest again"),
        (lambda path: path.write_bytes(path.read_bytes()[:-30]), "images-1.zip is damaged .*; run the step"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"yyy", b"yzy")), "images-1.zip is damaged .*CRC"),
    ],
)
def test_a_missing_or_damaged_zip_is_named(tmp_path, spoil, message):
    raw = RawDataset.load(write(tmp_path / "raw", {"a": b"xxx", "b": b"yyy"}, archive_bytes=3))
    spoil(raw.folder / "images-1.zip")
    with pytest.raises(UserError, match=message), raw.open_images() as reader:
        assert reader.read("a") == b"xxx"
        reader.read("b")


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=30)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=1, max_size=6, unique=True))
def test_every_name_that_ingest_lets_through_survives_manifest_and_zip(tmp_path, names):
    images = {name: name.encode() for name in names}
    raw = RawDataset.load(write(tmp_path / "raw", images))
    assert raw.manifest["image"].tolist() == names
    with raw.open_images() as reader:
        assert {name: reader.read(name) for name in raw.manifest["image"]} == images
