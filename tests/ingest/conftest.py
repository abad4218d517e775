"""What every test of a source needs."""

import itertools

import pytest

from components import retries
from components.ingest import downloads
from tests.imaging.dicom_files import make_dicom

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


@pytest.fixture(scope="session")
def write_dicom():
    """Makes a DICOM file: `write_dicom(pixels, syntax, WindowWidth=400, ...)`."""
    return make_dicom
