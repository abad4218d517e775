"""Small chest X-ray folders for the tests of ingest and preprocess, and object stores."""

import gc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CLASS_NAMES = {"NORMAL": "IM-{patient:04}-{image:04}.jpeg", "PNEUMONIA": "person{patient}_virus_{image}.jpeg"}


def pytest_collection_finish() -> None:
    """Spares the garbage collector what the imports left, which it would otherwise walk through again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _write_image(path: Path, width: int = 14, height: int = 10) -> Path:
    """Writes dark noise for a normal, bright noise for any other image; it depends on the file's name alone."""
    noise = np.random.default_rng(zlib.crc32(path.name.encode())).integers(100, size=(height, width))
    pixels = noise + (0 if path.parent.name.upper() == "NORMAL" else 150)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def _kaggle_names(**patients: int) -> list[str]:
    """Two images of each of so many patients a class and split, for example `train=8, test=2`."""
    names, patient = [], 0
    for split, count in patients.items():
        for label, name in CLASS_NAMES.items():
            for patient in range(patient + 1, patient + 1 + count):  # noqa: B020 (numbers go on over classes and splits)
                names += [f"{split}/{label}/{name.format(patient=patient, image=image)}" for image in (1, 2)]
    return names


@pytest.fixture(scope="session")
def write_image():
    """Writes one small image."""
    return _write_image


@pytest.fixture(scope="session")
def write_kaggle():
    """Writes a folder in Kaggle's layout: `write_kaggle(folder, train=8, val=1, test=2)`; gives the images' names."""

    def write(folder: Path, backwards: bool = False, **patients: int) -> list[str]:
        names = _kaggle_names(**patients)
        for name in reversed(names) if backwards else names:
            _write_image(folder / name)
        return names

    return write


def _server(scheme: str):
    from tests.object_stores import servers  # noqa: PLC0415 (takes a second, which other tests need not wait for)

    with servers.running(scheme) as server:
        yield server


@pytest.fixture(scope="session")
def gcs_server():
    """The emulator of Google Cloud Storage."""
    yield from _server("gs")


@pytest.fixture(scope="session")
def s3_server():
    """A server that speaks S3."""
    yield from _server("s3")


@pytest.fixture(params=["gcs_server", "s3_server"])
def store(request, monkeypatch, tmp_path):
    """One of the two servers, which the environment names, with a bucket's name that no other test uses."""
    return request.getfixturevalue(request.param).used(monkeypatch, tmp_path)


@pytest.fixture
def s3_store(s3_server, monkeypatch, tmp_path):
    """The server that speaks S3, likewise."""
    return s3_server.used(monkeypatch, tmp_path)
