import hashlib
import json
import os
import struct
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from components.artifacts.raw_dataset import RawDataset
from components.console import UserError
from components.ingest.__main__ import main
from components.ingest.ingest import ingest


@pytest.fixture
def source(tmp_path, write_kaggle):
    """A folder in Kaggle's layout with one patient a class and split."""
    write_kaggle(tmp_path / "chest_xray", train=1, val=1, test=1)
    return tmp_path / "chest_xray"


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG that says how large the image is."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    end = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + end


def test_images_come_as_they_are_with_what_is_known_of_them(tmp_path, source, write_image):
    write_image(source / "train" / "NORMAL" / "scan.png", width=7, height=5)
    report = ingest(tmp_path / "raw", "directory", str(source))
    raw = RawDataset.load(tmp_path / "raw")
    assert raw.quality == report
    assert sorted(path.name for path in raw.folder.iterdir()) == ["images.zip", "manifest.csv", "quality.json"]
    assert len(raw.manifest) == 13
    with raw.open_images() as reader:
        for row in raw.manifest.itertuples():
            content = (source / row.image).read_bytes()
            split, label, _ = row.image.split("/")
            assert reader.read(row.image) == content
            assert row.sha256 == hashlib.sha256(content).hexdigest()
            assert (row.split, row.label) == (split.replace("val", "validation"), label)
            assert (row.width, row.height) == ((7, 5) if row.image.endswith("png") else (14, 10))
    patients = dict(zip(raw.manifest["image"], raw.manifest["patient"], strict=True))
    assert patients["train/NORMAL/IM-0001-0002.jpeg"] == "IM-0001"
    assert patients["test/PNEUMONIA/person6_virus_1.jpeg"] == "person6"
    assert patients["train/NORMAL/scan.png"] == "train/NORMAL/scan.png"


def test_the_report_says_what_was_read_and_how(tmp_path, source, write_image, capsys):
    write_image(source / "train" / "NORMAL" / "scan.png")
    copy = source / "test" / "NORMAL" / "IM-0001-0009.jpeg"
    copy.write_bytes((source / "train" / "NORMAL" / "IM-0001-0001.jpeg").read_bytes())
    report = ingest(tmp_path / "raw", "directory", str(source), seed=5)
    assert (report["kind"], report["schema_version"]) == ("raw dataset", 1)
    assert report["made_by"]["arguments"] == {
        **{"source": "directory", "path": str(source), "seed": 5},
        **{"synthetic_images": 1200, "synthetic_size": 160, "synthetic_difficulty": 0.5},
    }
    assert report["source"] == {"name": "directory", "description": "the folder chest_xray"}
    assert (report["images"], report["patients"], report["patient_unknown"], report["refused"]) == (14, 7, 1, [])
    assert report["counts"]["test"] == {"NORMAL": 3, "PNEUMONIA": 2}
    assert report["duplicates"]["across_splits"] == 1
    assert report["patients_in_several_splits"] == {"count": 1, "examples": ["IM-0001"]}
    assert capsys.readouterr().out.splitlines() == [
        "pneumonia-benchmark: ingest: 14 files found",
        "pneumonia-benchmark: ingest: 14 images of 7 patients, 0 files refused",
    ]


def write_text(path: Path) -> None:
    path.write_text("no image")


def write_gif(path: Path) -> None:
    Image.new("L", (4, 4)).save(path, "GIF")


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (Path.touch, "the file is empty"),
        (write_text, "not an image in one of the formats JPEG, PNG, BMP, TIFF"),
        (write_gif, "not an image in one of the formats JPEG, PNG, BMP, TIFF"),
        (lambda path: path.write_bytes(png_header(30_000, 30_000)), "the image has more than 100000000 pixels"),
        (
            lambda path: path.write_bytes(png_header(10_000, 10_001)),
            "the image has 10000 x 10001 pixels, more than 100000000",
        ),
        (lambda path: path.symlink_to("nowhere"), "cannot be read: No such file or directory"),
    ],
    ids=["empty", "text", "format", "huge", "a little too large", "broken link"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_unusable_file_is_set_aside_with_its_reason(tmp_path, source, write, reason):
    write(source / "train" / "PNEUMONIA" / "bad.jpeg")
    report = ingest(tmp_path / "raw", "directory", str(source))
    assert report["refused"] == [{"image": "train/PNEUMONIA/bad.jpeg", "reason": reason}]
    assert report["images"] == 12
    raw = RawDataset.load(tmp_path / "raw")
    assert not raw.manifest["image"].str.contains("bad").any()
    with raw.open_images() as reader:
        assert set(reader.archive_of) == set(raw.manifest["image"])


@pytest.mark.parametrize(
    ("name", "shown", "reason"),
    [
        (b"bad\xff.jpeg", "bad\\udcff.jpeg", "the file's name is not valid UTF-8"),
        (b"bad\r.jpeg", "bad\r.jpeg", "the file's name has a line break"),
        (b"bad\n.jpeg", "bad\n.jpeg", "the file's name has a line break"),
    ],
)
def test_a_file_with_an_impossible_name_is_set_aside(tmp_path, source, name, shown, reason):
    good = source / "train" / "NORMAL" / "IM-0001-0001.jpeg"
    try:
        (good.parent / os.fsdecode(name)).write_bytes(good.read_bytes())
    except OSError:
        pytest.skip("the file system has no such names")
    report = ingest(tmp_path / "raw", "directory", str(source))
    assert report["refused"] == [{"image": f"train/NORMAL/{shown}", "reason": reason}]
    assert json.loads((tmp_path / "raw" / "quality.json").read_text())["refused"] == report["refused"]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_largest_image_is_taken_and_only_its_header_read(tmp_path, source):
    (source / "train" / "NORMAL" / "large.png").write_bytes(png_header(10_000, 10_000))
    assert ingest(tmp_path / "raw", "directory", str(source))["images"] == 13


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (
            "train/NORMAL",
            r"the train split has no usable images of the class NORMAL \(2 files were refused\): add some",
        ),
        ("test/PNEUMONIA", r"the test split has no usable images of the class PNEUMONIA \(2 files.*check the folder"),
    ],
)
def test_a_split_without_a_class_ends_the_run_and_leaves_nothing(tmp_path, source, spoilt, message):
    for path in (source / spoilt).iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match=message):
        ingest(tmp_path / "raw", "directory", str(source))
    assert [path.name for path in tmp_path.iterdir()] == ["chest_xray"]


def test_a_dataset_without_a_class_ends_the_run(tmp_path, write_image):
    write_image(tmp_path / "data" / "NORMAL" / "a.png")
    (tmp_path / "data" / "PNEUMONIA").mkdir()
    (tmp_path / "data" / "PNEUMONIA" / "b.png").touch()
    with pytest.raises(UserError, match=r"the dataset has no usable images of the class PNEUMONIA \(1 files were refu"):
        ingest(tmp_path / "raw", "directory", str(tmp_path / "data"))


def test_without_any_usable_image_the_run_ends(tmp_path):
    for label in ("NORMAL", "PNEUMONIA"):
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / "a.png").touch()
    with pytest.raises(UserError, match=r"no usable images of the class NORMAL \(2 files were refused\): add some"):
        ingest(tmp_path / "raw", "directory", str(tmp_path / "data"))


def test_a_validation_split_may_lack_a_class(tmp_path, source):
    for path in (source / "val" / "NORMAL").iterdir():
        path.unlink()
    assert ingest(tmp_path / "raw", "directory", str(source))["counts"]["validation"] == {"NORMAL": 0, "PNEUMONIA": 2}


def test_the_source_itself_is_never_the_output(source):
    before = sorted(source.rglob("*"))
    with pytest.raises(UserError, match="chest_xray holds files that are no artifact"):
        ingest(source, "directory", str(source))
    assert sorted(source.rglob("*")) == before


def test_the_command_line_brings_a_folder_in(tmp_path, source, monkeypatch):
    words = ["ingest", "--source", "directory", "--path", str(source), "--output", str(tmp_path / "raw"), "--seed", "7"]
    monkeypatch.setattr(sys, "argv", words)
    main()
    assert RawDataset.load(tmp_path / "raw").quality["made_by"]["arguments"]["seed"] == 7


def test_the_command_line_tells_a_mistake_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ingest", "--source", "directory", "--output", str(tmp_path / "raw")])
    with pytest.raises(SystemExit, match="2"):
        main()
    error = "pneumonia-benchmark: error: the source directory needs a folder: give it with --path\n"
    assert capsys.readouterr().err == error
