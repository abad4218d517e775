"""Finished runs without images or trainings, and histories."""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import requests

from components.artifacts import evaluation, files, trained_model
from components.artifacts.names import FLOOR
from components.compare.compare import compare
from components.compare.report import plots
from components.compare.stats import resampling
from components.record.content import Origin
from components.record.record import record
from components.tracking import places, server
from components.tracking.history import History
from tests.compare.conftest import write_evaluation, write_failure, write_summary

REGIMES = ("custom_cnn", "transfer_learning")
SEEDS = (1, 2, 3)
BY_SEED = {1: 0.97, 2: 0.91, 3: 0.95}
"""ROC AUC on validation by seed; the median is that of seed 3."""


def _with_validation(folder, seed):
    """The evaluation with metrics on validation, which those of the tests of compare do not have."""
    path = folder / "evaluation.json"
    content = json.loads(path.read_text())
    content["metrics"] = {"validation": {name: BY_SEED.get(seed, 0.9) for name in evaluation.METRICS}, "test": {}}
    files.write_json(path, content)
    return folder


def write_models(steps, folders):
    """The trained models of some evaluations, as train writes them."""
    for regime, evaluations in folders.items():
        trainings = [json.loads((folder / "evaluation.json").read_text())["training"] for folder in evaluations]
        with files.new_folder(steps / f"train-{regime}" / "model") as new:
            for training in trainings:
                own = files.seed_folder(new, training["seed"])
                own.mkdir()
                (own / "model.keras").write_bytes(f"{regime} {training['seed']}".encode())
            trained_model.save_all(new, trainings)


def _set_times(results, name):
    """The name tells when a run started; the evaluations of the tests of compare all started at the same time."""
    content = json.loads(results.read_text())
    with contextlib.suppress(ValueError):
        started = datetime.strptime(name, "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
        times = {"started": files.timestamp(started), "finished": files.timestamp(started + timedelta(hours=1))}
        files.write_json(results, content | {"run": content["run"] | times})


def write_run(folder, name="20260131-120000", *, seeds=SEEDS, failed=(), origin=None, fingerprint=None, **training):
    """A folder as `pipelines.local` leaves it: comparison, trained models, run.json."""
    steps = folder / "steps" / "pneumonia-benchmark"
    training |= {"fingerprint": fingerprint} if fingerprint else {}
    evaluated = {
        regime: [
            _with_validation(write_evaluation(steps / f"{regime}-{seed}", regime, seed=seed, **training), seed)
            for seed in (seeds if regime != FLOOR else (0,))
        ]
        for regime in (*REGIMES, FLOOR)
    }
    failures = [write_failure(steps / f"{regime}-failed", regime) for regime in failed]
    write_models(steps, {regime: own for regime, own in evaluated.items() if regime != FLOOR})
    summary = write_summary(steps / "summary")
    if fingerprint:
        info = json.loads((summary / "dataset.json").read_text())
        files.write_json(summary / "dataset.json", info | {"fingerprint": fingerprint})
    evaluations = [*(one for own in evaluated.values() for one in own), *failures]
    with pytest.MonkeyPatch.context() as patch:  # without plots and with few replicates
        patch.setattr(resampling, "REPLICATES", 100)
        patch.setattr(plots, "draw", lambda *_: {})
        compare(evaluations, summary, folder / "comparison", name)
    _set_times(folder / "comparison" / "results.json", name)
    files.write_json(
        folder / "run.json", {"origin": vars(origin or Origin(f"id of {name}", "r/data:1-a", "r/train:1-b"))}
    )
    return folder


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch):
    for name in ("URI", "USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setattr("components.retries.FIRST_WAIT", 0.001)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A run of two regimes with three seeds."""
    return write_run(tmp_path_factory.mktemp("made") / "20260131-120000")


@pytest.fixture(scope="session")
def later(tmp_path_factory):
    """A later run on the same data, with one seed."""
    return write_run(tmp_path_factory.mktemp("later") / "20260207-120000", "20260207-120000", seeds=(1,), seconds=20.0)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A history without runs; creating one takes seconds."""
    place = places.read(f"sqlite:///{tmp_path_factory.mktemp('database')}/mlflow.db")
    with server.writing(place, print):
        pass
    return place.file


@dataclass
class Recorded:
    """A history that tests record into and read."""

    uri: str

    def record(self, run, register="", attempts=1):
        """Records a run that `write_run` made."""
        origin = Origin(**json.loads((run / "run.json").read_text())["origin"])
        models = sorted(path.parent for path in run.glob("steps/**/models.json"))
        return record(run / "comparison", self.uri, origin, register, models, attempts)

    @property
    def server(self):
        return server.reading(places.read(self.uri), print, 1)

    @property
    def client(self):
        """MLflow's own."""
        return self.server.client

    @property
    def history(self):
        return History(self.server)

    def everything(self):
        """MLflow's runs that are not deleted, by name; those of models begin with their benchmark's."""
        experiment = self.client.get_experiment_by_name("pneumonia-benchmark")
        found = self.client.search_runs([experiment.experiment_id], max_results=1000)
        names = {run.info.run_id: run.info.run_name for run in found}
        keys = [
            f"{names[run.data.tags['mlflow.parentRunId']]}: {run.info.run_name}"
            if "mlflow.parentRunId" in run.data.tags
            else run.info.run_name
            for run in found
        ]
        assert len(set(keys)) == len(keys), "nothing is there twice"
        return dict(zip(keys, found, strict=True))


@pytest.fixture
def recorded(tmp_path, empty_database):
    """A history in a SQLite file."""
    file = tmp_path / "runs" / "mlflow.db"
    file.parent.mkdir()
    shutil.copyfile(empty_database, file)
    return Recorded(f"sqlite:///{file}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


SERVE = """
import sys
from werkzeug.serving import run_simple
from mlflow.server import app
user, password = "someone", "geheim"
def guarded(environ, start):
    import base64
    given = environ.get("HTTP_AUTHORIZATION", "")
    if given != "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode():
        start("401 Unauthorized", [("Content-Type", "text/plain")])
        return [b"You are not authenticated"]
    return app(environ, start)
run_simple("127.0.0.1", int(sys.argv[1]), guarded, threaded=True)
"""


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory, empty_database):
    """MLflow's own tracking server, which wants a user and a password; gives its address and its folder."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    shutil.copyfile(empty_database, folder / "mlflow.db")
    variables = {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(port)],
            env={"PATH": str(Path(sys.executable).parent), "HOME": str(folder), **variables},
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                requests.get(url, timeout=1)
                break
            except requests.ConnectionError:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield url, folder
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def on_server(mlflow_server, monkeypatch):
    """A history on MLflow's own server, without the runs of other tests."""
    url, _ = mlflow_server
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "someone")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "geheim")
    history = Recorded(url)
    if history.client.get_experiment_by_name("pneumonia-benchmark"):
        for run in history.everything().values():
            history.client.delete_run(run.info.run_id)
    return history


def scores_of(run, regime, seed):
    """The scores of a model on the test images, as evaluate wrote them, by image."""
    found = evaluation.Evaluation.load(run / "steps" / "pneumonia-benchmark" / f"{regime}-{seed}").split("test")
    return dict(zip(found["image"], np.float32(found["score"]), strict=True))
