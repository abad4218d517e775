import errno
import itertools
import json
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import measure
from components import planning
from components.artifacts import files, image_table, prepared_dataset
from components.artifacts.dataset_summary import DatasetSummary
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.raw_dataset import ImageWriter, RawDataset
from components.console import UserError
from components.imaging.decoding import decode
from components.ingest.ingest import ingest
from components.parameters import IngestParameters, PreprocessParameters
from components.preprocess import pixels
from components.preprocess import preprocess as module
from components.preprocess.__main__ import main
from components.preprocess.preprocess import preprocess

TRUNCATED = "train/NORMAL/IM-0001-0001.jpeg"


def write_raw(base, write_kaggle, **settings) -> SimpleNamespace:
    """A raw dataset of 42 images; the file named TRUNCATED breaks off after its header, another is empty."""
    names = write_kaggle(base / "source", train=7, val=1, test=2, **settings)
    content = (base / "source" / TRUNCATED).read_bytes()
    (base / "source" / TRUNCATED).write_bytes(content[:-40])
    (base / "source" / "train" / "NORMAL" / "empty.jpeg").touch()
    ingest(base / "raw", IngestParameters(source="directory", path=str(base / "source"), max_bad_fraction=0.1))
    return SimpleNamespace(raw=base / "raw", names=names, output=base / "prepared", summary=base / "summary")


@pytest.fixture(scope="module")
def made(tmp_path_factory, write_kaggle):
    """One prepared dataset: its folders, and what `preprocess` gave."""
    made = write_raw(tmp_path_factory.mktemp("made"), write_kaggle)
    made.info = preprocess(
        made.raw, made.output, made.summary, PreprocessParameters(image_size=32, seed=3, max_bad_fraction=0.1)
    )
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


@pytest.mark.parametrize(("kind", "grey"), [("PNG", 0), ("JPEG", 255), ("TIFF", 7), ("BMP", 0)])
def test_an_image_without_contrast_is_set_aside_and_counted(tmp_path, write_kaggle, capsys, kind, grey):
    made = write_raw(tmp_path, write_kaggle)
    blank = tmp_path / "source" / "train" / "PNEUMONIA" / "person900_virus_1.png"
    Image.new("L", (60, 60), grey).save(blank, kind)
    ingest(made.raw, IngestParameters(source="directory", path=str(tmp_path / "source"), max_bad_fraction=0.1))
    capsys.readouterr()
    info = preprocess(made.raw, made.output, made.summary, PreprocessParameters(image_size=32, max_bad_fraction=0.1))
    name = "train/PNEUMONIA/person900_virus_1.png"
    reason = "the image shows nothing: all of it has one grey value"
    assert {"image": name, "reason": reason} in info["quality"]["refused"]
    assert name not in PreparedDataset.load(made.output).splits["train"].index["image"].tolist()
    assert "1 could not be decoded, 1 show nothing" in capsys.readouterr().out
    with pytest.raises(UserError, match="3 of 42"):
        preprocess(made.raw, made.output, made.summary, PreprocessParameters(image_size=32, max_bad_fraction=0.05))


def test_an_image_is_set_aside_whose_middle_square_shows_nothing(tmp_path, write_kaggle):
    made = write_raw(tmp_path, write_kaggle)
    wide = np.zeros((40, 200), np.uint8)
    wide[:, :30] = 200
    Image.fromarray(wide).save(tmp_path / "source" / "train" / "NORMAL" / "IM-0900-0001.png")
    ingest(made.raw, IngestParameters(source="directory", path=str(tmp_path / "source"), max_bad_fraction=0.1))
    info = preprocess(made.raw, made.output, made.summary, PreprocessParameters(image_size=32, max_bad_fraction=0.1))
    assert "train/NORMAL/IM-0900-0001.png" in [item["image"] for item in info["quality"]["refused"]]


def test_the_description_says_what_is_there_and_how_it_was_made(made):
    info = json.loads((made.output / "dataset.json").read_text())
    assert info == made.info == made.data.info
    assert (info["kind"], info["image_size"]) == ("prepared dataset", 32)
    assert info["made_by"]["arguments"] == {
        **{"image_size": 32, "seed": 3, "max_bad_fraction": 0.1},
        **{"deduplicate": False, "resplit": False, "report_images": True},
    }
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
    test, validation = made.data.splits["test"], made.data.splits["validation"]
    chosen_on = planning.patients_by_class(validation.labels, validation.index["patient"].to_numpy())
    planned = planning.plan(test.labels, test.index["patient"].to_numpy())
    assert info["planning"] == planned | {"validation_patients": chosen_on}
    assert set(info["quality"]) == {
        *("images", "patients", "counts", "duplicates", "copies", "patients_in_several_splits", "patient_unknown"),
        *("refused", "ignored_folders", "ignored_files"),
    }


def test_the_summary_has_every_image_with_statistics_of_its_own_pixels(made):
    table = image_table.load(made.summary)
    assert len(table) == sum(len(split) for split in made.data.splits.values())
    assert list(table["split"]) == sorted(table["split"])
    rows = table.set_index(["split", "image"])
    for name, split in made.data.splits.items():
        for image, (_, index) in zip(split.images, split.index.iterrows(), strict=True):
            row = rows.loc[(name, index["image"])]
            assert (row["patient"], row["label"]) == (index["patient"], index["label"])
            expected = {key: value[0] for key, value in pixels.statistics(image[None]).items()}
            assert row[list(image_table.STATISTICS)].to_dict() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("described", [1, 5 * 32 * 32])
def test_the_table_of_images_does_not_depend_on_how_many_are_read_at_a_time(made, tmp_path, monkeypatch, described):
    monkeypatch.setattr(module, "DESCRIBED", described)
    parameters = PreprocessParameters(image_size=32, seed=3, max_bad_fraction=0.1)
    again = preprocess(made.raw, tmp_path / "prepared", tmp_path / "summary", parameters)
    assert again["fingerprint"] == made.info["fingerprint"]
    assert (tmp_path / "summary" / "images.csv").read_bytes() == (made.summary / "images.csv").read_bytes()


def test_the_summary_has_the_description_and_a_row_of_examples_a_class(made):
    summary = DatasetSummary.load(made.summary)
    assert summary.info == made.info
    assert {path.name for path in made.summary.iterdir()} == {"dataset.json", "examples.png", "images.csv"}
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
    assert (
        preprocess(
            other.raw, other.output, other.summary, PreprocessParameters(image_size=32, seed=3, max_bad_fraction=1)
        )["fingerprint"]
        == made.info["fingerprint"]
    )


def test_work_in_small_portions_gives_the_same_and_says_how_far_it_is(made, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "PORTION", 5)
    monkeypatch.setattr(module.console.time, "monotonic", itertools.count(0, 100).__next__)
    info = preprocess(
        made.raw,
        tmp_path / "prepared",
        tmp_path / "summary",
        PreprocessParameters(image_size=32, seed=3, max_bad_fraction=1),
    )
    assert info["fingerprint"] == made.info["fingerprint"]
    lines = [line.removeprefix("pneumonia-benchmark: preprocess: ") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "1 of 40 images decoded"
    assert lines[-4] == "40 of 40 images decoded"
    counts = ", ".join(f"{name} {count['images']}" for name, count in info["splits"].items())
    assert lines[-3] == f"{counts} images of 32 px, 1 could not be decoded"
    prefix = "trained and tested on these splits: "
    assert [line.removeprefix(prefix) for line in lines[-2:]] == [
        sentence[0].lower() + sentence[1:] for sentence in planning.sentences(info["planning"], images=8, patients=4)
    ]
    assert all(line.startswith(prefix) for line in lines[-2:])


@pytest.mark.parametrize(("size", "seed"), [pytest.param(1024, 0, marks=pytest.mark.slow), (32, 999_999_999)])
def test_size_and_seed_may_be_at_their_limits(made, tmp_path, size, seed):
    shown = min(size, 192)  # the examples stay small, whatever the images
    preprocess(
        made.raw,
        tmp_path / "prepared",
        tmp_path / "summary",
        PreprocessParameters(image_size=size, seed=seed, max_bad_fraction=1),
    )
    splits = PreparedDataset.load(tmp_path / "prepared").splits
    with Image.open(tmp_path / "summary" / "examples.png") as picture:
        assert picture.size == (8 * shown, 2 * shown)
    assert splits["test"].images.shape == (8, size, size)
    assert splits["validation"].index["image"].tolist() != made.data.splits["validation"].index["image"].tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output": "raw"}, "raw lies in .*raw, .*choose separate folders"),
        ({"summary": "prepared"}, "prepared lies in .*prepared, .*choose separate folders"),
        ({"summary": "prepared/summary"}, "prepared/summary lies in .*prepared, .*choose separate folders"),
        ({"raw_dataset": "prepared/raw"}, "prepared/raw lies in .*prepared, .*choose separate folders"),
        ({"raw_dataset": "missing"}, "missing is not a complete raw dataset: it has no quality.json; run the"),
    ],
)
def test_an_impossible_request_is_refused_before_any_work(tmp_path, settings, message):
    folders = {"raw_dataset": "raw", "output": "prepared", "summary": "summary"}
    settings = {name: tmp_path / folder for name, folder in folders.items()} | {
        name: tmp_path / value if isinstance(value, str) else value for name, value in settings.items()
    }
    with pytest.raises(UserError, match=message):
        preprocess(**settings, parameters=PreprocessParameters())
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
        preprocess(fresh.raw, fresh.output, fresh.summary, PreprocessParameters(image_size=32, max_bad_fraction=1))
    assert sorted(path.name for path in fresh.raw.parent.iterdir()) == ["raw", "source"]


def test_a_raw_dataset_without_its_zip_is_refused(fresh):
    (fresh.raw / "images.zip").unlink()
    with pytest.raises(UserError, match="is in no zip of the raw dataset, so a zip is missing or damaged: run ingest"):
        preprocess(fresh.raw, fresh.output, fresh.summary, PreprocessParameters(image_size=32, max_bad_fraction=1))


@pytest.mark.parametrize(("room", "file"), [(0, "decoded.npy"), (32 * 32 * 10, "decoded.npy")])
def test_a_disk_without_room_is_found_before_it_is_full(fresh, monkeypatch, room, file):
    with files.new_folder(fresh.summary) as older:
        files.write_json(older / "dataset.json", {"schema_version": 1})
    monkeypatch.setattr("components.artifacts.files.shutil.disk_usage", lambda _: SimpleNamespace(free=room))
    with pytest.raises(OSError, match=file) as raised:
        preprocess(fresh.raw, fresh.output, fresh.summary, PreprocessParameters(image_size=32, max_bad_fraction=1))
    assert raised.value.errno == errno.ENOSPC
    assert not fresh.output.exists()
    assert [path.name for path in fresh.summary.iterdir()] == ["dataset.json"]


def test_the_command_line_prepares_a_dataset(fresh, monkeypatch, capsys):
    words = ["preprocess", str(fresh.raw), "--output", str(fresh.output), "--summary", str(fresh.summary)]
    words += ["--max-bad-fraction", "0.1"]
    monkeypatch.setattr(sys, "argv", [*words, "--image-size", "33", "--seed", "5"])
    main()
    assert PreparedDataset.load(fresh.output).info["made_by"]["arguments"] == {
        **{"image_size": 33, "seed": 5, "max_bad_fraction": 0.1},
        **{"deduplicate": False, "resplit": False, "report_images": True},
    }
    monkeypatch.setattr(sys, "argv", [*words, "--image-size", "5"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "argument --image-size: '5' is not a whole number from 32 to 1024" in capsys.readouterr().err


@pytest.mark.slow
def test_more_images_take_no_more_memory(tmp_path, write_image):
    peaks, written = [], 0
    for images in (200, 2000):
        for number in range(written, images):
            write_image(tmp_path / "source" / ("NORMAL", "PNEUMONIA")[number % 2] / f"{number}.png")
        written = images
        ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(tmp_path / "source")))
        words = ["-m", "components.preprocess", tmp_path / "raw", "--image-size", 256]
        words += ["--output", tmp_path / "prepared", "--summary", tmp_path / "summary"]
        peaks.append(measure.run(words).peak_memory_mb)
    few, many = peaks
    assert many - few < 30  # the arrays have 13 and 131 MB


def structure(seed: int) -> Image.Image:
    """A picture that survives another encoding, unlike that of any other seed."""
    noise = np.random.default_rng(seed).integers(256, size=(20, 20)).astype(np.uint8)
    return Image.fromarray(noise).resize((200, 200), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A raw dataset with copies: within train, of a test image in train, and with both labels."""
    base = tmp_path_factory.mktemp("copied")
    number = 0
    for split, patients in (("train", 12), ("test", 4)):
        for label, name in (("NORMAL", "IM-{0:04}-0001.png"), ("PNEUMONIA", "person{0}_virus_1.png")):
            (base / "source" / split / label).mkdir(parents=True)
            for _ in range(patients):
                number += 1
                structure(number).save(base / "source" / split / label / name.format(number))
    train, test = base / "source" / "train", base / "source" / "test"
    structure(1).save(train / "NORMAL" / "IM-0001-0002.jpeg", quality=60)
    structure(2).resize((120, 120)).save(train / "PNEUMONIA" / "person902_virus_1.jpeg")
    structure(25).save(train / "NORMAL" / "IM-0900-0001.jpeg", quality=40)
    (test / "NORMAL" / "IM-0900-0002.png").write_bytes((test / "NORMAL" / "IM-0026-0001.png").read_bytes())
    ingest(base / "raw", IngestParameters(source="directory", path=str(base / "source")))
    return base / "raw"


def indices(folder) -> dict[str, set[str]]:
    return {name: set(split.index["image"]) for name, split in PreparedDataset.load(folder).splits.items()}


def test_copies_are_counted_and_left_where_they_are(tmp_path, copied, capsys):
    info = preprocess(copied, tmp_path / "prepared", tmp_path / "summary", PreprocessParameters(image_size=64))
    found = info["quality"]["copies"]
    assert (found["groups"], found["images"], found["re_encoded"], found["dropped"]) == (4, 8, 3, 0)
    assert (found["across_classes"], found["across_patients"]) == (1, 3)
    assert found["across_splits"] >= 1
    assert ["test/NORMAL/IM-0025-0001.png", "train/NORMAL/IM-0900-0001.jpeg"] in found["examples"]
    assert info["quality"]["duplicates"]["groups"] == 1
    assert sum(map(len, indices(tmp_path / "prepared").values())) == 36
    assert "8 images are copies of each other" in capsys.readouterr().out


def test_deduplicate_keeps_one_of_each_and_the_test_split_whole(tmp_path, copied):
    info = preprocess(
        copied, tmp_path / "prepared", tmp_path / "summary", PreprocessParameters(image_size=64, deduplicate=True)
    )
    kept = indices(tmp_path / "prepared")
    everything = set(RawDataset.load(copied).manifest["image"])
    assert everything - set.union(*kept.values()) == {
        "train/NORMAL/IM-0001-0002.jpeg",
        "train/NORMAL/IM-0002-0001.png",  # its copy has the other label
        "train/PNEUMONIA/person902_virus_1.jpeg",
        "train/NORMAL/IM-0900-0001.jpeg",  # the test split has it
        "test/NORMAL/IM-0900-0002.png",
    }
    assert info["quality"]["copies"]["dropped"] == 5
    assert info["quality"]["copies"]["across_splits"] == 0
    assert (info["deduplicated"], info["resplit"]) == (True, False)
    plain = preprocess(copied, tmp_path / "plain", tmp_path / "summary", PreprocessParameters(image_size=64))
    assert info["fingerprint"] != plain["fingerprint"]


def test_resplit_makes_new_splits_in_which_no_picture_is_on_both_sides(tmp_path, copied):
    for seed in range(3):
        info = preprocess(
            copied,
            tmp_path / "prepared",
            tmp_path / "summary",
            PreprocessParameters(image_size=64, seed=seed, resplit=True),
        )
        kept = indices(tmp_path / "prepared")
        assert any(image.startswith("train") for image in kept["test"])
        assert any(image.startswith("test") for image in kept["train"])
        patients = [
            set(split.index["patient"]) for split in PreparedDataset.load(tmp_path / "prepared").splits.values()
        ]
        assert sum(map(len, patients)) == len(set.union(*patients))
        assert info["quality"]["copies"]["across_splits"] == 0
        assert info["split_rule"].startswith("The source's splits are ignored. For the test split, ")
    assert (info["deduplicated"], info["resplit"]) == (False, True)


def test_the_summary_has_no_images_where_the_report_is_to_have_none(tmp_path, copied):
    preprocess(
        copied, tmp_path / "prepared", tmp_path / "summary", PreprocessParameters(image_size=64, report_images=False)
    )
    assert {path.name for path in (tmp_path / "summary").iterdir()} == {"dataset.json", "images.csv"}
    assert not DatasetSummary.load(tmp_path / "summary").examples.exists()


def test_files_that_ingest_refused_count_as_bad_too(fresh):
    # One of 41 files was empty, one cannot be decoded.
    with pytest.raises(
        UserError, match=r"2 of 41 files cannot be used, more than 4%: train/NORMAL/empty.jpeg \(the fi"
    ):
        preprocess(fresh.raw, fresh.output, fresh.summary, PreprocessParameters(image_size=32, max_bad_fraction=0.04))
    assert not fresh.output.exists()
    assert (
        len(
            preprocess(
                fresh.raw, fresh.output, fresh.summary, PreprocessParameters(image_size=32, max_bad_fraction=0.05)
            )["quality"]["refused"]
        )
        == 2
    )


def test_the_command_line_takes_its_switches(tmp_path, copied, monkeypatch):
    words = ["preprocess", str(copied), "--output", str(tmp_path / "prepared"), "--summary", str(tmp_path / "summary")]
    words += ["--deduplicate", "--resplit", "--no-report-images"]
    monkeypatch.setattr(sys, "argv", words)
    main()
    arguments = PreparedDataset.load(tmp_path / "prepared").info["made_by"]["arguments"]
    assert (arguments["deduplicate"], arguments["resplit"], arguments["report_images"]) == (True, True, False)


def test_groups_of_the_manifest_are_counted_by_split_and_stay_in_the_index_but_not_the_manufacturer(fresh):
    manifest = pd.read_csv(fresh.raw / "manifest.csv", dtype=str, keep_default_na=False)
    manifest["sex"] = ["female", "male"] * (len(manifest) // 2) + ["female"] * (len(manifest) % 2)
    manifest.assign(manufacturer="Philips").to_csv(fresh.raw / "manifest.csv", index=False)
    info = preprocess(fresh.raw, fresh.output, fresh.summary, PreprocessParameters(image_size=32, max_bad_fraction=0.1))
    images = {name: counts["images"] for name, counts in info["splits"].items()}
    assert info["characteristics"]["manufacturer"]["Philips"] == {
        name: number if number >= 5 else "<5" for name, number in images.items()
    }
    for split in PreparedDataset.load(fresh.output).splits.values():
        assert list(split.index.columns) == ["image", "label", "patient", "sex"]
        expected = manifest.set_index("image").loc[split.index["image"], "sex"]
        assert split.index["sex"].tolist() == expected.tolist()


def test_without_groups_in_the_manifest_index_and_description_have_none(made):
    assert made.info["characteristics"] == {}
    assert list(made.data.splits["test"].index.columns) == ["image", "label", "patient"]
