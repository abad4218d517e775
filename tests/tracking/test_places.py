"""Where a history may be, and what is refused by name."""

from pathlib import Path

import pytest

from components.console import UserError
from components.tracking import places


@pytest.mark.parametrize("uri", ["https://mlflow.example.org", "http://127.0.0.1:5000", "https://host/mlflow"])
def test_a_server_is_its_address(uri):
    assert places.read(uri) == places.read(f"{uri}/") == places.Place(uri)
    assert places.read(uri).artifacts is None


def test_a_file_is_made_absolute_and_its_artifacts_lie_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = places.read("sqlite:///runs/mlflow.db")
    assert place == places.Place(f"sqlite:///{tmp_path}/runs/mlflow.db", tmp_path / "runs" / "mlflow.db")
    assert place.artifacts == tmp_path / "runs" / "mlflow-artifacts"
    assert places.read("sqlite:////a/b.db").file == Path("/a/b.db")


@pytest.mark.parametrize("uri", ["mlruns", "./mlruns", "/data/mlruns", "file:/data/mlruns", "file:///data/mlruns", "."])
def test_the_folder_store_is_refused_with_the_remedy(uri):
    folder = uri.removeprefix("file:").replace("///", "/")
    with pytest.raises(UserError, match="MLflow has retired the folder store: give a SQLite file") as error:
        places.read(uri)
    assert str(error.value).endswith(f"sqlite:///{Path(folder, 'mlflow.db')}")
    assert places.read(str(error.value).rpartition(" ")[2]).file


@pytest.mark.parametrize(
    "uri",
    [
        "https://someone:geheim@host",
        "https://geheim@host",
        "https://host?token=geheim",
        "https://host#geheim",
        "http://someone:geheim@[::1",
        "https://:geheim@",
    ],
)
def test_what_may_be_secret_is_refused_and_never_said(uri):
    with pytest.raises(UserError) as error:
        places.read(uri)
    assert "geheim" not in str(error.value)
    assert "\n" not in str(error.value)


def test_the_remedy_for_a_password_is_the_environment():
    with pytest.raises(
        UserError, match="MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    ):
        places.read("https://someone:geheim@host")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("postgresql://u:geheim@host/db", "a postgresql database is not opened directly: start 'mlflow server"),
        ("mysql+pymysql://u:geheim@host/db", r"a mysql\+pymysql database is not opened directly"),
        ("databricks://u:geheim", "a history at databricks:... is not supported: give an MLflow server"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///runs/", "names no file"),
        ("sqlite:///a?mode=ro", "contains '\\?'"),
        ("https://", "has no host"),
        ("https://host:port", "is no URL"),
    ],
)
def test_other_places_are_refused(uri, message):
    with pytest.raises(UserError, match=message) as error:
        places.read(uri)
    assert "geheim" not in str(error.value)


def test_in_a_pod_a_file_must_be_on_a_volume():
    volumes = {"data": "/data", "history": "/data/history", "other": "/dat"}
    place = places.in_pod("sqlite:////data/history/mlflow.db", volumes)
    assert places.mounted(place.file, volumes) == {"history": "/data/history"}
    assert places.in_pod("https://host", {}) == places.Place("https://host")
    with pytest.raises(
        UserError, match="is on no volume, so that it would vanish with the pod: add --volume CLAIM=/PATH"
    ):
        places.in_pod("sqlite:////database/mlflow.db", volumes)
    with pytest.raises(UserError, match="is relative: on a cluster give sqlite:////PATH"):
        places.in_pod("sqlite:///data/mlflow.db", volumes)
