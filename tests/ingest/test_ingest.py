import hashlib
import io
import json
import os
import re
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.artifacts.raw_dataset import RawDataset
from components.console import UserError
from components.ingest.__main__ import main
from components.ingest.ingest import ingest
from components.parameters import IngestParameters


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
    report = ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(source)))
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
    report = ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(source), seed=5))
    assert (report["kind"], report["schema_version"]) == ("raw dataset", 1)
    assert report["made_by"]["arguments"] == {
        **{"source": "directory", "path": str(source), "seed": 5},
        **{"synthetic_images": 1200, "synthetic_size": 160, "synthetic_difficulty": 0.5, "max_bad_fraction": 0.01},
        **{"sha256": "", "pneumoniamnist_size": 128},
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
        (write_text, "not an image in one of the formats JPEG, PNG, BMP, TIFF, DICOM"),
        (write_gif, "not an image in one of the formats JPEG, PNG, BMP, TIFF, DICOM"),
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
    report = ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(source), max_bad_fraction=0.1))
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
    report = ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(source), max_bad_fraction=0.1))
    assert report["refused"] == [{"image": f"train/NORMAL/{shown}", "reason": reason}]
    assert json.loads((tmp_path / "raw" / "quality.json").read_text())["refused"] == report["refused"]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_largest_image_is_taken_and_only_its_header_read(tmp_path, source):
    (source / "train" / "NORMAL" / "large.png").write_bytes(png_header(10_000, 10_000))
    assert ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(source)))["images"] == 13


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
        ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(source), max_bad_fraction=1))
    assert [path.name for path in tmp_path.iterdir()] == ["chest_xray"]


def test_a_dataset_without_a_class_ends_the_run(tmp_path, write_image):
    write_image(tmp_path / "data" / "NORMAL" / "a.png")
    (tmp_path / "data" / "PNEUMONIA").mkdir()
    (tmp_path / "data" / "PNEUMONIA" / "b.png").touch()
    with pytest.raises(UserError, match=r"the dataset has no usable images of the class PNEUMONIA \(1 files were refu"):
        ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(tmp_path / "data"), max_bad_fraction=1))


def test_without_any_usable_image_the_run_ends(tmp_path):
    for label in ("NORMAL", "PNEUMONIA"):
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / "a.png").touch()
    with pytest.raises(UserError, match=r"no usable images of the class NORMAL \(2 files were refused\): add some"):
        ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(tmp_path / "data"), max_bad_fraction=1))


def test_a_validation_split_may_lack_a_class(tmp_path, source):
    for path in (source / "val" / "NORMAL").iterdir():
        path.unlink()
    assert ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(source)))["counts"]["validation"] == {
        "NORMAL": 0,
        "PNEUMONIA": 2,
    }


def test_the_source_itself_is_never_the_output(source):
    before = sorted(source.rglob("*"))
    with pytest.raises(UserError, match="chest_xray contains other files than an artifact's"):
        ingest(source, IngestParameters(source="directory", path=str(source)))
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


def write_hospital(folder: Path, write_dicom, count: int = 3) -> dict[str, bytes]:
    """DICOM files in class folders, two of each patient, named after people; gives them by their path."""
    contents = {}
    for number in range(4 * count):
        label = ("NORMAL", "PNEUMONIA")[number % 2]
        pixels = np.random.default_rng(number).integers(4096, size=(20, 30)).astype(np.uint16)
        path = folder / label / "Doe" / f"Doe^Jane {number}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        tags = {"WindowCenter": 2048, "WindowWidth": 4096}
        path.write_bytes(write_dicom(pixels, PatientID=f"47{number // 4}{number % 2}", **tags))
        contents[str(path)] = path.read_bytes()
    return contents


def test_of_a_dicom_file_nothing_but_pixels_and_a_hashed_patient_is_carried_on(tmp_path, write_dicom):
    contents = write_hospital(tmp_path / "hospital", write_dicom)
    (tmp_path / "hospital" / "NORMAL" / "Doe" / "Roe^Jim").write_bytes(next(iter(contents.values()))[:-900])
    report = ingest(
        tmp_path / "raw", IngestParameters(source="directory", path=str(tmp_path / "hospital"), max_bad_fraction=0.1)
    )
    raw = RawDataset.load(tmp_path / "raw")
    for path in raw.folder.iterdir():
        assert not re.search(rb"Doe|Roe|DICM|\b47\d\d\b", path.read_bytes().replace(b'"hospital"', b""))
    digests = {hashlib.sha256(content).hexdigest() for content in contents.values()}
    assert set(raw.manifest["sha256"]) == digests
    assert set(raw.manifest["image"].str.extract(r"/dicom-(\w{16})\.png$")[0]) == {digest[:16] for digest in digests}
    assert raw.manifest.groupby("patient").size().tolist() == [2] * 6
    assert raw.manifest["patient"].str.fullmatch("patient-[0-9a-f]{16}").all()
    assert report["patient_unknown"] == 0
    (refused,) = report["refused"]
    assert re.fullmatch("NORMAL/dicom-[0-9a-f]{16}", refused["image"])
    with raw.open_images() as reader:
        for row in raw.manifest.itertuples():
            with Image.open(io.BytesIO(reader.read(row.image))) as image:
                assert (image.format, image.mode, image.size) == ("PNG", "L", (row.width, row.height))


def test_hashed_patients_are_equal_for_equal_data_or_keys_and_for_nothing_else(tmp_path, write_dicom, monkeypatch):
    monkeypatch.delenv("PNEUMONIA_BENCHMARK_PATIENT_KEY", raising=False)
    write_hospital(tmp_path / "one", write_dicom)
    write_hospital(tmp_path / "other", write_dicom, count=4)

    def patients(name: str) -> set[str]:
        ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(tmp_path / name)))
        return set(RawDataset.load(tmp_path / "raw").manifest["patient"])

    assert patients("one") == patients("one")
    assert not patients("one") & patients("other")
    monkeypatch.setenv("PNEUMONIA_BENCHMARK_PATIENT_KEY", "secret")
    assert patients("one") < patients("other")


def test_equal_dicom_files_both_stay_under_names_of_their_own(tmp_path, write_dicom):
    contents = write_hospital(tmp_path / "hospital", write_dicom)
    path, content = next(iter(contents.items()))
    Path(path).with_name("copy.dcm").write_bytes(content)
    report = ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(tmp_path / "hospital")))
    manifest = RawDataset.load(tmp_path / "raw").manifest
    assert report["duplicates"]["groups"] == 1
    assert manifest["image"].is_unique
    assert manifest["image"].str.endswith("-2.png").sum() == 1


def test_what_a_file_is_called_does_not_matter_only_what_is_in_it(tmp_path, source, write_dicom):
    image = source / "train" / "NORMAL" / "IM-0001-0001.jpeg"
    image.rename(image.with_suffix(".dcm.txt"))
    dicom = write_dicom(np.arange(256, dtype=np.uint8).reshape(16, 16))
    (source / "train" / "NORMAL" / "scan.jpeg").write_bytes(dicom)
    assert ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(source)))["images"] == 13


def test_more_bad_files_than_allowed_fail_the_run_with_the_first_ten_named(tmp_path, source):
    for number in range(12):
        (source / "train" / "NORMAL" / f"bad{number:02}.jpeg").touch()
    with pytest.raises(UserError) as raised:
        ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(source), max_bad_fraction=0.49))
    message = str(raised.value)
    assert message.startswith(
        "12 of 24 files cannot be used, more than 49%: train/NORMAL/bad00.jpeg (the file is empty); "
    )
    assert "bad09" in message
    assert "bad10" not in message
    assert message.endswith("; and 2 more: fix or remove them, or allow more with --max-bad-fraction")
    assert not (tmp_path / "raw").exists()
    assert (
        len(
            ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(source), max_bad_fraction=0.5))[
                "refused"
            ]
        )
        == 12
    )


@pytest.mark.parametrize("fraction", [-0.01, 1.01, float("nan")])
def test_a_fraction_of_bad_files_is_from_none_to_all(fraction):
    with pytest.raises(UserError, match=r"max_bad_fraction is .*, but must be a number from 0 to 1"):
        IngestParameters(max_bad_fraction=fraction)


def test_a_huge_file_is_refused_unread(tmp_path, source):
    with (source / "train" / "NORMAL" / "huge.jpeg").open("wb") as file:
        file.truncate(500_000_001)  # sparse: takes no room on the disk
    report = ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(source), max_bad_fraction=0.1))
    assert report["refused"] == [{"image": "train/NORMAL/huge.jpeg", "reason": "the file has more than 500 MB"}]


def test_folders_that_are_no_class_are_listed(tmp_path, source, write_image, capsys):
    write_image(source / "train" / "COVID" / "a.jpeg")
    write_image(source / "extra" / "NORMAL" / "b.jpeg")
    report = ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(source)))
    assert (report["images"], report["ignored_folders"]) == (12, ["extra", "train/COVID"])
    assert "ingest: ignored folders that are not a class: extra, train/COVID\n" in capsys.readouterr().out


def test_a_folder_whose_name_is_not_utf_8_is_refused_before_its_images_are_read(tmp_path):
    folder = tmp_path / "R\udcf6ntgen"
    folder.mkdir()
    with pytest.raises(UserError, match=r"Röntgen is not UTF-8: rename it".replace("ö", r"\\udcf6")):
        ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(folder)))


def test_messages_name_the_users_archive_and_not_where_it_was_unpacked(tmp_path):
    def zipped(name, entries):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for path, content in entries.items():
                archive.writestr(path, content)
        return str(tmp_path / name)

    for path, message in (
        (zipped("a.zip", {"NORMAL/a.png": b"x"}), "^the file a.zip contains no images of the class PNEUMONIA"),
        (zipped("b.zip", {"x/a.png": b"x"}), "^the file b.zip contains no images in NORMAL and PNEUMONIA folders"),
        (
            zipped("c.zip", {"d/labels.csv": b"image,label\na.png,9\n"}),
            "^d/labels.csv in the file c.zip, row 2 has the",
        ),
    ):
        with pytest.raises(UserError, match=message):
            ingest(tmp_path / "raw", IngestParameters(source="directory", path=path))


def test_files_of_operating_systems_cost_nothing_and_are_counted(tmp_path, write_image, capsys):
    for label in ("NORMAL", "PNEUMONIA"):
        write_image(tmp_path / "data" / label / "a.png")
        (tmp_path / "data" / label / "Thumbs.db").write_bytes(b"\xd0\xcf")
    report = ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(tmp_path / "data")))
    assert (report["images"], report["ignored_files"], report["refused"]) == (2, 2, [])
    assert "ignored 2 hidden files and files of operating systems" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "source"), [("--synthetic-images", "kaggle"), ("--pneumoniamnist-size", "synthetic")]
)
def test_an_option_of_another_source_is_refused_with_the_source_that_it_needs(
    tmp_path, monkeypatch, capsys, option, source
):
    words = ["ingest", "--source", source, option, "128", "--output", str(tmp_path / "raw")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit):
        main()
    needed = option.strip("-").partition("-")[0]
    assert f"{option} has no effect with the source {source!r}: it needs --source {needed}" in capsys.readouterr().err


def test_coarse_groups_of_dicom_files_are_columns_of_the_manifest_and_only_there(tmp_path, write_dicom, source):
    contents = write_hospital(tmp_path / "hospital", write_dicom)
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    tags = {"PatientSex": "F", "PatientAge": "044Y", "ViewPosition": "PA", "Manufacturer": "Philips"}
    Path(next(iter(contents))).write_bytes(write_dicom(pixels, **tags))
    ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(tmp_path / "hospital")))
    manifest = RawDataset.load(tmp_path / "raw").manifest
    named = manifest[manifest["sex"] != ""]
    columns = ["sex", "age", "view", "manufacturer"]
    assert named[columns].to_numpy().tolist() == [["female", "40 to 59", "PA", "Philips"]]
    ingest(tmp_path / "other", IngestParameters(source="directory", path=str(source)))
    assert not {*columns} & {*RawDataset.load(tmp_path / "other").manifest.columns}
