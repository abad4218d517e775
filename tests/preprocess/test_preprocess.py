import errno
import itertools
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmarks import measure
from components.artifacts import files, prepared_dataset
from components.artifacts.dataset_summary import DatasetSummary
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.raw_dataset import ImageWriter, RawDataset
from components.console import UserError
from components.ingest.ingest import ingest
from components.preprocess import preprocess as module
from components.preprocess.__main__ import main
from components.preprocess.decoding import decode
from components.preprocess.preprocess import preprocess

TRUNCATED = "train/NORMAL/IM-0001-0001.jpeg"


def write_raw(base, write_kaggle, **settings) -> SimpleNamespace:
    """A raw dataset of 42 images; the file named TRUNCATED breaks off after its header, another is empty."""
    names = write_kaggle(base / "source", train=7, val=1, test=2, **settings)
    content = (base / "source" / TRUNCATED).read_bytes()
    (base / "source" / TRUNCATED).write_bytes(content[:-40])
    (base / "source" / "train" / "NORMAL" / "empty.jpeg").touch()
    ingest(base / "raw", "directory", str(base / "source"))
    return SimpleNamespace(raw=base / "raw", names=names, output=base / "prepared", summary=base / "summary")


@pytest.fixture(scope="module")
def made(tmp_path_factory, write_kaggle):
    """One prepared dataset: its folders, and what `preprocess` gave."""
    made = write_raw(tmp_path_factory.mktemp("made"), write_kaggle)
    made.info = preprocess(made.raw, made.output, made.summary, image_size=32, seed=3)
    made.data = PreparedDataset.load(made.output)
    return made


@pytest.fixture
def fresh(tmp_path, write_kaggle):
    """A raw dataset of this test's own."""
    return write_raw(tmp_path, write_kaggle)


def spoil(folder, beginning: str) -> None:
    """Cuts off the stored images whose name begins so, and leaves the rest of the raw dataset as it is."""
    raw = RawDataset.load(folder)
    with raw.open_images() as reader:
        contents = {image: reader.read(image) for image in raw.manifest["image"]}
    with ImageWriter(folder) as writer:
        for image, content in contents.items():
            writer.add(image, content[:-40] if image.startswith(beginning) else content)


def test_arrays_hold_the_decoded_images_in_the_order_of_their_index(made):
    with RawDataset.load(made.raw).open_images() as reader:
        for name, split in made.data.splits.items():
            assert isinstance(np.load(made.output / f"{name}.npy", mmap_mode="r"), np.memmap)
            assert (split.images.dtype, split.images.shape) == (np.uint8, (len(split.index), 32, 32))
            for pixels, image in zip(split.images, split.index["image"], strict=True):
                assert (pixels == decode(reader.read(image), 32)).all()
            assert split.labels.tolist() == ["PNEUMONIA" in image for image in split.index["image"]]


def test_every_usable_image_is_in_one_split_and_the_test_split_is_the_sources(made):
    indices = {name: split.index for name, split in made.data.splits.items()}
    images = [image for index in indices.values() for image in index["image"]]
    assert sorted(images) == sorted(set(made.names) - {TRUNCATED})
    assert set(indices["test"]["image"]) == {name for name in made.names if name.startswith("test")}
    patients = [set(index["patient"]) for index in indices.values()]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 20


def test_a_truncated_image_is_set_aside_and_listed_beside_what_ingest_refused(made):
    refused = {item["image"]: item["reason"] for item in made.info["quality"]["refused"]}
    assert set(refused) == {TRUNCATED, "train/NORMAL/empty.jpeg"}
    assert refused["train/NORMAL/empty.jpeg"] == "the file is empty"
    assert refused[TRUNCATED].startswith("cannot be decoded: ")
    names = {f"{split}.{ending}" for split in ("train", "validation", "test") for ending in ("npy", "csv")}
    assert {path.name for path in made.output.iterdir()} == names | {"dataset.json"}


def test_the_description_says_what_is_there_and_how_it_was_made(made):
    info = json.loads((made.output / "dataset.json").read_text())
    assert info == made.info == made.data.info
    assert (info["kind"], info["image_size"]) == ("prepared dataset", 32)
    assert info["made_by"]["arguments"] == {"image_size": 32, "seed": 3}
    assert info["ingest"]["arguments"]["source"] == "directory"
    assert info["source"] == {"name": "directory", "description": "the folder source"}
    assert info["split_rule"].startswith(
        "The source's test split is kept. The source's 4 validation images are too few"
    )
    assert "aspect ratio kept" in info["resize"]
    assert info["fingerprint"] == prepared_dataset.fingerprint(made.output)
    assert info["splits"] == {
        name: {
            "images": len(split),
            "patients": split.index["patient"].nunique(),
            "pneumonia": split.labels.sum(),
        }
        for name, split in made.data.splits.items()
    }
    assert info["splits"]["test"] == {"images": 8, "patients": 4, "pneumonia": 4}
    assert set(info["quality"]) == {
        *("images", "patients", "counts", "duplicates", "patients_in_several_splits", "patient_unknown", "refused")
    }


def test_the_summary_has_the_description_and_a_row_of_examples_a_class(made):
    summary = DatasetSummary.load(made.summary)
    assert summary.info == made.info
    assert {path.name for path in made.summary.iterdir()} == {"dataset.json", "examples.png"}
    with Image.open(summary.examples) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (2 * 32, 8 * 32)
    train = made.data.splits["train"]
    tiles = {label: {image.tobytes() for image in train.images[train.labels == label]} for label in (0, 1)}
    for label, row in enumerate(np.split(pixels, 2)):
        shown = {np.ascontiguousarray(tile).tobytes() for tile in np.split(row, 8, axis=1)}
        assert shown <= tiles[label]
        assert len(shown) == 8
    normal = train.images[train.labels == 0]
    assert (pixels[:32, :32] == normal[0]).all()
    assert (pixels[:32, -32:] == normal[-1]).all()


def test_the_fingerprint_does_not_depend_on_what_was_created_first(made, tmp_path, write_kaggle):
    other = write_raw(tmp_path, write_kaggle, backwards=True)
    assert preprocess(other.raw, other.output, other.summary, 32, seed=3)["fingerprint"] == made.info["fingerprint"]


def test_work_in_small_portions_gives_the_same_and_says_how_far_it_is(made, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "PORTION", 5)
    monkeypatch.setattr(module.console.time, "monotonic", itertools.count(0, 100).__next__)
    info = preprocess(made.raw, tmp_path / "prepared", tmp_path / "summary", 32, seed=3)
    assert info["fingerprint"] == made.info["fingerprint"]
    lines = [line.removeprefix("pneumonia-benchmark: preprocess: ") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "1 of 40 images decoded"
    assert lines[-2] == "40 of 40 images decoded"
    counts = ", ".join(f"{name} {count['images']}" for name, count in info["splits"].items())
    assert lines[-1] == f"{counts} images of 32 px, 1 could not be decoded"


@pytest.mark.parametrize(("size", "seed"), [(1024, 0), (32, 2**32 - 1)])
def test_size_and_seed_may_be_at_their_limits(made, tmp_path, size, seed):
    shown = min(size, 192)  # the examples stay small, whatever the images
    preprocess(made.raw, tmp_path / "prepared", tmp_path / "summary", size, seed)
    splits = PreparedDataset.load(tmp_path / "prepared").splits
    with Image.open(tmp_path / "summary" / "examples.png") as picture:
        assert picture.size == (8 * shown, 2 * shown)
    assert splits["test"].images.shape == (8, size, size)
    assert splits["validation"].index["image"].tolist() != made.data.splits["validation"].index["image"].tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 31}, "image size is 31, but must be from 32 to 1024 px"),
        ({"image_size": 1025}, "image size is 1025, but must be from 32 to 1024 px"),
        ({"seed": -1}, "seed is -1, but must be from 0 to 4294967295"),
        ({"seed": 2**32}, "seed is 4294967296, but must be from 0"),
        ({"output": "raw"}, "raw lies in .*raw, .*choose separate folders"),
        ({"summary": "prepared"}, "prepared lies in .*prepared, .*choose separate folders"),
        ({"summary": "prepared/summary"}, "prepared/summary lies in .*prepared, .*choose separate folders"),
        ({"raw_dataset": "prepared/raw"}, "prepared/raw lies in .*prepared, .*choose separate folders"),
        ({"raw_dataset": "missing"}, "missing is not a whole raw dataset: it has no quality.json; run the step again"),
    ],
)
def test_an_impossible_request_is_refused_before_any_work(tmp_path, settings, message):
    folders = {"raw_dataset": "raw", "output": "prepared", "summary": "summary"}
    settings = {name: tmp_path / folder for name, folder in folders.items()} | {
        name: tmp_path / value if isinstance(value, str) else value for name, value in settings.items()
    }
    with pytest.raises(UserError, match=message):
        preprocess(**settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("beginning", "message"),
    [
        ("test/PNEUMONIA", "the test split has no image of the class PNEUMONIA that can be decoded: add some"),
        ("", "the train split has no image of the class NORMAL that can be decoded: add some"),
    ],
)
def test_a_split_that_loses_a_class_ends_the_run_and_leaves_nothing(fresh, beginning, message):
    spoil(fresh.raw, beginning)
    with pytest.raises(UserError, match=message):
        preprocess(fresh.raw, fresh.output, fresh.summary, 32)
    assert sorted(path.name for path in fresh.raw.parent.iterdir()) == ["raw", "source"]


def test_a_raw_dataset_without_its_zip_is_refused(fresh):
    (fresh.raw / "images.zip").unlink()
    with pytest.raises(UserError, match="is in no zip of the raw dataset, so a zip is missing or damaged: run ingest"):
        preprocess(fresh.raw, fresh.output, fresh.summary, 32)


@pytest.mark.parametrize("room", [0, 32 * 32 * 10])
def test_a_disk_without_room_is_found_before_it_is_full(fresh, monkeypatch, room):
    with files.new_folder(fresh.summary) as older:
        files.write_json(older / "dataset.json", {"schema_version": 1})
    monkeypatch.setattr("components.artifacts.files.shutil.disk_usage", lambda _: SimpleNamespace(free=room))
    with pytest.raises(OSError, match=r"train.npy") as raised:
        preprocess(fresh.raw, fresh.output, fresh.summary, 32)
    assert raised.value.errno == errno.ENOSPC
    assert not fresh.output.exists()
    assert [path.name for path in fresh.summary.iterdir()] == ["dataset.json"]


def test_the_command_line_prepares_a_dataset(fresh, monkeypatch, capsys):
    words = ["preprocess", str(fresh.raw), "--output", str(fresh.output), "--summary", str(fresh.summary)]
    monkeypatch.setattr(sys, "argv", [*words, "--image-size", "33", "--seed", "5"])
    main()
    assert PreparedDataset.load(fresh.output).info["made_by"]["arguments"] == {"image_size": 33, "seed": 5}
    monkeypatch.setattr(sys, "argv", [*words, "--image-size", "5"])
    with pytest.raises(SystemExit, match="2"):
        main()
    error = "pneumonia-benchmark: error: image size is 5, but must be from 32 to 1024 px\n"
    assert capsys.readouterr().err == error


@pytest.mark.slow
def test_more_images_take_no_more_memory(tmp_path, write_image):
    peaks, written = [], 0
    for images in (200, 2000):
        for number in range(written, images):
            write_image(tmp_path / "source" / ("NORMAL", "PNEUMONIA")[number % 2] / f"{number}.png")
        written = images
        ingest(tmp_path / "raw", "directory", str(tmp_path / "source"))
        words = ["-m", "components.preprocess", tmp_path / "raw", "--image-size", 256]
        words += ["--output", tmp_path / "prepared", "--summary", tmp_path / "summary"]
        peaks.append(measure.run(words).peak_memory_mb)
    few, many = peaks
    assert many - few < 30  # the arrays have 13 and 131 MB
