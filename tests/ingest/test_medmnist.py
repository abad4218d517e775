import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from components.console import UserError
from components.ingest.ingest import ingest
from components.ingest.medmnist import write_images
from components.parameters import IngestParameters


def arrays(size=28, **counts):
    random = np.random.default_rng(0)
    made = {}
    for split, count in ({"train": 6, "val": 4, "test": 4} | counts).items():
        made[f"{split}_images"] = random.integers(0, 256, (count, size, size), np.uint8)
        made[f"{split}_labels"] = (np.arange(count) % 2).astype(np.uint8).reshape(-1, 1)
    return made


def write(path: Path, **changed) -> Path:
    np.savez_compressed(path, **{name: array for name, array in (arrays() | changed).items() if array is not None})
    return path


def header(shape, dtype="|u1", fortran=False) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": fortran, "shape": shape})
    return stream.getvalue()


def replace_member(path: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {item: archive.read(item) for item in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for item, old in members.items():
            archive.writestr(item, content if item == name else old)


@pytest.mark.parametrize("size", [28, 64])
def test_every_image_becomes_a_png_in_its_split_and_class(tmp_path, size):
    made = arrays(size)
    write_images(write(tmp_path / "a.npz", **made), tmp_path / "out")
    paths = sorted((tmp_path / "out").rglob("*.png"))
    assert len(paths) == 14
    for path in paths:
        split, number = path.stem.split("-")
        label = int(made[f"{split}_labels"][int(number), 0])
        assert path.parent == tmp_path / "out" / split / ("NORMAL", "PNEUMONIA")[label]
        np.testing.assert_array_equal(np.asarray(Image.open(path)), made[f"{split}_images"][int(number)])


def test_the_dataset_is_split_as_published_and_its_patients_are_unknown(tmp_path):
    report = ingest(
        tmp_path / "raw", IngestParameters(source="pneumoniamnist", path=str(write(tmp_path / "mnist.npz")))
    )
    assert report["counts"] == {
        "train": {"NORMAL": 3, "PNEUMONIA": 3},
        "validation": {"NORMAL": 2, "PNEUMONIA": 2},
        "test": {"NORMAL": 2, "PNEUMONIA": 2},
    }
    assert report["patient_unknown"] == report["patients"] == 14
    assert report["source"] == {"name": "pneumoniamnist", "description": "PneumoniaMNIST from mnist.npz"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"val_images": None}, "it has 0 arrays val_images, expected 1"),
        ({"test_images": np.zeros((4, 28, 28), np.float32)}, r"test_images are float32 \(4, 28, 28\), expected uint8"),
        ({"test_images": np.zeros((4, 28, 28, 3), np.uint8)}, r"test_images are uint8 \(4, 28, 28, 3\)"),
        ({"test_images": np.zeros((4, 5000, 1), np.uint8)}, r"test_images are uint8 \(4, 5000, 1\)"),
        ({"test_images": np.zeros((4, 0, 28), np.uint8)}, r"test_images are uint8 \(4, 0, 28\)"),
        ({"test_images": np.zeros((3, 28, 28), np.uint8)}, "test has 3 images and 4 labels"),
        ({"test_labels": np.full((4, 1), 2, np.uint8)}, "test_labels contain other labels than 0 and 1"),
        ({"test_labels": np.zeros((4, 2), np.uint8)}, "expected integers"),
        ({"test_labels": np.zeros((4, 1), np.float64)}, "expected integers"),
        ({"test_labels": np.array([[0], [1], ["x"], [{}]], object)}, "test_labels contains objects"),
        ({"test_images": np.asfortranarray(np.zeros((4, 28, 28), np.uint8))}, "in Fortran order"),
    ],
)
def test_arrays_of_another_kind_are_refused(tmp_path, changed, message):
    path = write(tmp_path / "a.npz", **changed)
    with pytest.raises(UserError, match=rf"a\.npz is not PneumoniaMNIST's \.npz \(.*{message}"):
        write_images(path, tmp_path / "out")


@pytest.mark.parametrize("shape", [(10**9, 28, 28), (4, 28, 29), (-4, 28, 28), (-4, -28, 28), (3, 28, 28)])
def test_an_array_that_declares_another_size_than_it_has_is_refused_before_it_is_read(tmp_path, shape):
    path = write(tmp_path / "a.npz")
    replace_member(path, "test_images.npy", header(shape) + bytes(4 * 28 * 28))
    with pytest.raises(UserError, match=r"test_images (declares uint8 .*, which does not match its size|are uint8)"):
        write_images(path, tmp_path / "out")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("components.ingest.medmnist.HARMLESS_BYTES", 10**6)
    path = write(tmp_path / "a.npz", train_images=np.zeros((10_000, 28, 28), np.uint8))
    with pytest.raises(UserError, match=r"unpacks to 7 MB, which looks like an attack \(a bomb\)"):
        write_images(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"no zip", b"\x93NUMPY\x01\x00"])
def test_what_is_no_npz_is_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.npz is not PneumoniaMNIST's \.npz"):
        write_images(tmp_path / "a.npz", tmp_path / "out")


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_damaged_npz_is_read_or_refused_but_never_crashes(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("npz")
    made = arrays(size=4)
    with (folder / "a.npz").open("wb") as file:
        np.savez(file, **made)
    content = bytearray((folder / "a.npz").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "a.npz").write_bytes(content)
    try:
        write_images(folder / "a.npz", folder / "out")
    except UserError as error:
        assert "a.npz" in str(error)


@pytest.mark.slow
def test_the_real_file_is_read(tmp_path):
    shared = os.environ.get("PNEUMONIA_BENCHMARK_DATA")
    if not shared:
        pytest.skip("PNEUMONIA_BENCHMARK_DATA names no folder with data/pneumoniamnist_dev.npz")
    path = Path(shared) / "data" / "pneumoniamnist_dev.npz"
    report = ingest(tmp_path / "raw", IngestParameters(source="directory", path=str(path)))
    with np.load(path) as arrays_of:
        for split, name in (("train", "train"), ("validation", "val"), ("test", "test")):
            counts = np.bincount(arrays_of[f"{name}_labels"].ravel())
            assert list(report["counts"][split].values()) == list(counts)
    assert report["refused"] == []


def test_a_file_whose_directory_points_before_its_beginning_is_refused(tmp_path):
    content = bytearray(write(tmp_path / "a.npz").read_bytes())
    end = content.rfind(b"PK\5\6")
    place = int.from_bytes(content[end + 16 : end + 20], "little")
    content[end + 16 : end + 20] = (2 * place).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"a.npz is not PneumoniaMNIST's .npz \(Invalid argument\): down"):
        write_images(tmp_path / "a.npz", tmp_path / "out")
