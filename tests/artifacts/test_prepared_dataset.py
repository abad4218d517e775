from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.artifacts import files, prepared_dataset
from components.artifacts.prepared_dataset import PreparedDataset
from components.console import UserError

SPLITS = ("train", "validation", "test")
FILES = ["dataset.json", *(f"{name}.{ending}" for name in SPLITS for ending in ("npy", "csv"))]


def index(images: int) -> pd.DataFrame:
    numbers = np.arange(images)
    return pd.DataFrame({"patient": numbers.astype(str), "label": numbers % 2, "image": [f"n/{i:03}" for i in numbers]})


def write(folder: Path, images: int = 4, **changed: np.ndarray) -> Path:
    """A prepared dataset; `changed` replaces an array, for example `train=array`."""
    folder.mkdir()
    for number, name in enumerate(SPLITS):
        array = np.random.default_rng(number).integers(256, size=(images, 2, 3), dtype=np.uint8)
        np.save(folder / f"{name}.npy", changed.get(name, array))
        prepared_dataset.save_index(folder, name, index(images))
    files.write_json(folder / "dataset.json", {"schema_version": 1, "kind": "prepared dataset", "image_size": 3})
    return folder


def test_a_dataset_is_mapped_and_not_loaded(tmp_path):
    data = PreparedDataset.load(str(write(tmp_path / "data")))
    assert list(data.splits) == list(SPLITS)
    assert data.info["image_size"] == 3
    for name, split in data.splits.items():
        assert split.name == name
        assert len(split) == 4
        assert isinstance(split.images, np.memmap)
        assert not split.images.flags.writeable
        assert (split.images == np.load(data.folder / f"{name}.npy")).all()
        assert split.labels.dtype == np.int64
        assert split.labels.tolist() == [0, 1, 0, 1]
        assert list(split.index.columns) == ["image", "label", "patient"]
        assert split.index["patient"].tolist() == ["0", "1", "2", "3"]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_with_the_remedy(tmp_path, name):
    folder = write(tmp_path / "data")
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"data is not a complete prepared dataset: it has no {name}; run the"):
        PreparedDataset.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_is_named_with_the_remedy(tmp_path, name):
    folder = write(tmp_path / "data")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) - 5] if name.endswith("npy") else content[:4])
    with pytest.raises(UserError, match=f"{name} (is damaged|lacks the columns).*; run the step that wrote it again"):
        PreparedDataset.load(folder)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 2, 3), np.float32),
        np.zeros((4, 2), np.uint8),
        np.zeros((4, 2, 3, 1), np.uint8),
        np.zeros((3, 2, 3), np.uint8),
        np.zeros((5, 2, 3), np.uint8),
    ],
)
def test_an_array_that_does_not_fit_its_index_is_refused(tmp_path, array):
    folder = write(tmp_path / "data", validation=array)
    with pytest.raises(UserError, match=r"validation.npy is .*, but validation.csv lists 4 images: run preprocess"):
        PreparedDataset.load(folder)


def test_equal_data_have_an_equal_fingerprint(tmp_path):
    one, two = (prepared_dataset.fingerprint(write(tmp_path / name)) for name in ("one", "two"))
    assert one == two
    assert len(one) == 64
    assert set(one) <= set("0123456789abcdef")


def edit_index(folder: Path, name: str, column: str, value) -> None:
    table = index(4)
    table.loc[3, column] = value
    prepared_dataset.save_index(folder, name, table)


def edit_array(folder: Path, name: str, edit) -> None:
    np.save(folder / f"{name}.npy", edit(np.load(folder / f"{name}.npy")))


@pytest.mark.parametrize(
    "edit",
    [
        lambda folder: edit_index(folder, "train", "label", 0),
        lambda folder: edit_index(folder, "validation", "patient", "9"),
        lambda folder: edit_index(folder, "test", "image", "other"),
        lambda folder: edit_array(folder, "train", lambda array: array ^ (np.arange(24).reshape(4, 2, 3) == 23)),
        lambda folder: edit_array(folder, "test", lambda array: array.reshape(4, 3, 2)),
    ],
    ids=["label", "patient", "image name", "one pixel", "shape"],
)
def test_a_fingerprint_changes_with_any_detail(tmp_path, edit):
    folder = write(tmp_path / "data")
    before = prepared_dataset.fingerprint(folder)
    edit(folder)
    assert prepared_dataset.fingerprint(folder) != before


def test_a_fingerprint_sees_the_last_of_many_images(tmp_path):
    array = np.zeros((2049, 1, 1), np.uint8)
    settings = {"images": 2049, "validation": array, "test": array}
    before = prepared_dataset.fingerprint(write(tmp_path / "one", train=array, **settings))
    for place in (1023, 1024, 2048):
        changed = array.copy()
        changed[place] = 1
        assert prepared_dataset.fingerprint(write(tmp_path / str(place), train=changed, **settings)) != before
