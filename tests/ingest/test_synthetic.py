import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from components.console import UserError
from components.ingest.simulation.plan import plan
from components.ingest.synthetic import write_radiographs

NORMAL_NAME = re.compile(r"(?:NORMAL2-)?IM-(\d{4,})-\d{4}\.jpeg")

PNEUMONIA_NAME = re.compile(r"person(\d+)_(?:bacteria|virus)_\d+\.jpeg")


def content(folder: Path) -> dict[str, str]:
    files = sorted(folder.rglob("*.jpeg"))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def patient_of(path: Path) -> int:
    return int((NORMAL_NAME.fullmatch(path.name) or PNEUMONIA_NAME.fullmatch(path.name))[1])


class Dataset:
    """A written dataset and what a shortcut could see of it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.paths = sorted(folder.rglob("*.jpeg"))
        self.labels = np.array([path.parent.name == "PNEUMONIA" for path in self.paths])
        self.splits = np.array([path.parents[1].name for path in self.paths])
        self.patients = np.array([patient_of(path) for path in self.paths])
        self.modes, self.sizes, self.grey = [], [], []
        for path in self.paths:
            with Image.open(path) as image:
                self.modes.append(image.mode)
                self.sizes.append(image.size)
                self.grey.append(image.convert("L"))

    def auc(self, values) -> float:
        area = roc_auc_score(self.labels, np.asarray(values, float))
        return max(area, 1 - area)

    def thumbnails(self) -> np.ndarray:
        return np.array([np.asarray(thumbnail(image), np.float32).ravel() for image in self.grey])


def thumbnail(image: Image.Image, size: int = 24) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BOX)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("radiographs")
    write_radiographs(folder, images=500, size=96, seed=3, processes=1)
    return Dataset(folder)


@pytest.mark.medium
def test_every_image_has_kaggles_place_and_name(dataset):
    assert len(dataset.paths) == 500
    for path in dataset.paths:
        split, label = path.relative_to(dataset.folder).parts[:2]
        assert split in ("train", "val", "test")
        assert (NORMAL_NAME if label == "NORMAL" else PNEUMONIA_NAME).fullmatch(path.name)
    names = {path.name.split("-")[0] for path in dataset.paths}
    assert {"IM", "NORMAL2"} < names
    assert {re.split(r"_", path.name)[1] for path in dataset.paths if "_" in path.name} == {"bacteria", "virus"}


def test_a_patient_lies_in_one_split_and_has_one_to_four_images(dataset):
    splits_of = {}
    for patient, split in zip(dataset.patients, dataset.splits, strict=True):
        splits_of.setdefault(patient, []).append(split)
    assert all(len(set(splits)) == 1 for splits in splits_of.values())
    assert {len(splits) for splits in splits_of.values()} == {1, 2, 3, 4}


def test_class_and_split_counts_follow_the_stated_shares(dataset):
    assert dataset.labels.sum() == 500 * 13 // 23
    assert np.mean(dataset.splits == "train") == pytest.approx(0.8, abs=0.005)
    for label in (False, True):
        assert np.sum((dataset.splits == "val") & (dataset.labels == label)) == 8


@pytest.mark.parametrize("seed", range(5))
def test_the_smallest_dataset_has_both_classes_in_every_split(tmp_path, seed):
    write_radiographs(tmp_path, images=40, size=32, seed=seed, processes=1)
    assert len(list(tmp_path.rglob("*.jpeg"))) == 40
    for split in ("train", "val", "test"):
        for label in ("NORMAL", "PNEUMONIA"):
            assert list((tmp_path / split / label).glob("*.jpeg"))


@pytest.mark.slow
def test_bytes_depend_on_the_seed_and_not_on_the_number_of_processes(tmp_path):
    for name, seed, processes in (("one", 5, 1), ("three", 5, 3), ("other", 6, 1)):
        write_radiographs(tmp_path / name, images=44, size=48, seed=seed, processes=processes)
    one, three, other = (content(tmp_path / name) for name in ("one", "three", "other"))
    assert one == three
    assert not set(one.values()) & set(other.values())


def test_more_images_leave_the_first_ones_as_they_were(tmp_path):
    write_radiographs(tmp_path / "few", images=40, size=32, seed=2, processes=1)
    write_radiographs(tmp_path / "many", images=60, size=32, seed=2, processes=1)
    few, many = (
        {Path(name).name: digest for name, digest in content(tmp_path / part).items()} for part in ("few", "many")
    )
    assert few.items() <= many.items()
    assert plan(40, 2) == plan(60, 2)[:40]


def test_progress_ends_with_all_images(tmp_path):
    calls = []
    write_radiographs(
        tmp_path, images=40, size=32, seed=0, processes=1, on_progress=lambda done, total: calls.append((done, total))
    )
    assert calls[-1] == (40, 40)
    assert calls == sorted(calls)


def test_sizes_vary_about_the_nominal_one(dataset):
    widths, heights = np.transpose(dataset.sizes)
    aspect = widths / heights
    assert np.median(np.minimum(widths, heights)) == pytest.approx(96, rel=0.06)
    assert aspect.min() >= 0.98
    assert aspect.max() <= 1.52
    assert np.ptp(aspect) > 0.4
    assert set(dataset.modes) == {"L", "RGB"}


def test_mean_intensity_does_not_tell_the_class(dataset):
    assert dataset.auc([np.mean(image) for image in dataset.grey]) < 0.65


def test_spread_and_percentiles_of_intensity_do_not_tell_the_class(dataset):
    assert dataset.auc([np.std(image) for image in dataset.grey]) < 0.70
    percentiles = np.array([np.percentile(image, (1, 5, 25, 50, 75, 95, 99)) for image in dataset.grey])
    assert max(dataset.auc(column) for column in percentiles.T) < 0.70


@pytest.mark.slow
def test_a_linear_model_on_thumbnails_sees_some_of_the_class_but_not_all(dataset):
    thumbnails, test = dataset.thumbnails(), dataset.splits == "test"
    areas = []
    for strength in (0.01, 0.001):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300))
        model.fit(thumbnails[~test], dataset.labels[~test])
        areas.append(roc_auc_score(dataset.labels[test], model.decision_function(thumbnails[test])))
    assert 0.65 < max(areas) < 0.90


def test_the_file_does_not_tell_the_class(dataset):
    widths, heights = np.transpose(dataset.sizes)
    clues = {
        "width": widths,
        "height": heights,
        "aspect": widths / heights,
        "mode": [mode == "RGB" for mode in dataset.modes],
        "bytes": [path.stat().st_size for path in dataset.paths],
        "patient": dataset.patients,
    }
    areas = {name: dataset.auc(values) for name, values in clues.items()}
    assert max(areas.values()) < 0.60, areas


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"images": 39}, "at least 40"),
        ({"size": 31}, "32 to 4096"),
        ({"size": 4097}, "32 to 4096"),
        ({"difficulty": -0.1}, "0 .* to 1"),
        ({"difficulty": 1.1}, "0 .* to 1"),
        ({"difficulty": float("nan")}, "0 .* to 1"),
        ({"seed": -1}, "0 or more"),
    ],
)
def test_an_impossible_request_is_refused_with_the_remedy(tmp_path, wrong, remedy):
    with pytest.raises(UserError, match=remedy):
        write_radiographs(tmp_path / "none", **{"images": 40, "size": 64, "seed": 0, **wrong})
    assert not (tmp_path / "none").exists()
