"""DICOM files made on the spot, and what every test of a source needs."""

import io
import itertools

import numpy as np
import pydicom
import pytest
from pydicom import uid

from components.ingest import downloads, retries

from .file_server import FileServer

VARIABLES = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
    *("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"),
    *("PNEUMONIA_BENCHMARK_TOKEN", "PNEUMONIA_BENCHMARK_ALLOW_HTTP"),
)


@pytest.fixture(autouse=True)
def _settings(tmp_path_factory, monkeypatch):
    """A cache and a home of the test's own, and no credentials but the test's."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("PNEUMONIA_BENCHMARK_CACHE", str(home / "cache"))


@pytest.fixture
def cache(monkeypatch, tmp_path_factory):
    """The cache's folder."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PNEUMONIA_BENCHMARK_CACHE", str(folder))
    return folder


@pytest.fixture
def server(monkeypatch):
    """A file server; attempts follow each other at once."""
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(downloads, "TIMEOUTS", (2, 0.3))
    started = FileServer()
    yield started
    started.close()


@pytest.fixture(scope="session")
def content():
    """Some bytes that are no repetition of each other: 3 MB."""
    return b"".join(number.to_bytes(4, "big") for number in itertools.islice(itertools.count(), 750_000))


def make_dicom(pixels: np.ndarray, syntax: uid.UID = uid.ExplicitVRLittleEndian, **tags) -> bytes:
    """A DICOM file of `pixels` (unsigned or signed, grey or RGB) with further or other tags; None leaves one out."""
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = uid.DigitalXRayImageStorageForPresentation
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.file_meta.TransferSyntaxUID = syntax
    bits = 8 * pixels.dtype.itemsize
    values = {
        **{"SOPClassUID": uid.DigitalXRayImageStorageForPresentation, "SOPInstanceUID": "1.2.3"},
        **{"PatientName": "Doe^Jane", "PatientID": "4711", "PatientBirthDate": "20190101"},
        **{"SamplesPerPixel": 1 if pixels.ndim == 2 else 3, "Rows": pixels.shape[0], "Columns": pixels.shape[1]},
        **{"PhotometricInterpretation": "MONOCHROME2" if pixels.ndim == 2 else "RGB"},
        **{"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1},
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        **({} if pixels.ndim == 2 else {"PlanarConfiguration": 0}),
    }
    for name, value in (values | tags).items():
        if value is not None and name != "PixelData":
            setattr(dataset, name, value)
    little = syntax != uid.ExplicitVRBigEndian
    content = tags.get("PixelData", pixels.astype(pixels.dtype.newbyteorder("<" if little else ">")).tobytes())
    if content is not None:
        dataset.PixelData = content
        dataset["PixelData"].VR = "OW" if bits > 8 and not syntax.is_compressed else "OB"
        dataset["PixelData"].is_undefined_length = syntax.is_compressed and not syntax.is_deflated
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def write_dicom():
    """Makes a DICOM file: `write_dicom(pixels, syntax, WindowWidth=400, ...)`."""
    return make_dicom
