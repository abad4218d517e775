"""The whole pipeline as a cluster runs it, on a few simulated radiographs."""

import json

import numpy as np
import pytest
from PIL import Image

from components.artifacts import files
from components.artifacts.evaluation import load_all
from components.artifacts.label_budgets import LabelBudgets
from components.artifacts.names import BASELINE, REGIMES
from components.tracking import places as tracking_places
from components.tracking import server
from components.tracking.history import History
from pipelines.compiling import compile_all
from pipelines.settings import Settings
from tests.pipelines.backend.backend import FAILED, OMITTED, SUCCEEDED, Backend
from tests.pipelines.backend.metadata import as_double

pytestmark = pytest.mark.slow

SMALL = {
    "synthetic_images": 120,
    "synthetic_size": 48,
    "image_size": 32,
    "epochs": 1,
    "batch_size": 16,
    "weights": "bundled",
    "cpu_hour_price": 1.0,
    "seed": 4,
    "seeds": 2,
}


def write_radiographs(folder):
    """Six small images of each class, for the external test set."""
    random = np.random.default_rng(0)
    for label in ("NORMAL", "PNEUMONIA"):
        (folder / label).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(random.integers(0, 255, (40, 40), np.uint8)).save(folder / label / f"{number}.png")


def history(folder):
    return f"sqlite:///{folder}/history/mlflow.db"


@pytest.fixture(scope="module")
def run(open_folder, tmp_path_factory):
    """The backend and the tasks of a finished run with two seeds, an external test set and label budgets."""
    write_radiographs(open_folder / "external")
    (open_folder / "history").mkdir()
    (open_folder / "history").chmod(0o777)
    places = {"external_test": str(open_folder / "external"), "tracking_uri": history(open_folder)}
    settings = Settings(gpus=0, register="pneumonia", label_budgets="40", draws=2, **places)
    path = compile_all(settings, tmp_path_factory.mktemp("yaml"))[0]
    backend = Backend(open_folder)
    return backend, backend.run(path, SMALL)


def test_every_task_succeeds(run):
    _, tasks = run
    ended = [f"{name} {task}" for name, task in tasks.items() if task.state != SUCCEEDED]
    assert not ended, "\n".join(ended)
    assert len(tasks) == 13


def test_the_comparison_has_every_regime_and_seed_the_baseline_and_the_external_test_set(run, tmp_path):
    backend, tasks = run
    made = tasks["compare"].outputs
    backend.store.download(made["comparison"].uri, tmp_path / "comparison")
    results = json.loads((tmp_path / "comparison" / "results.json").read_text())
    assert list(results["regimes"]) == list(REGIMES)
    assert results["run"]["seeds"] == [4, 5]
    assert results["floor"]
    assert results["external"]["dataset"]["images"] == 12
    assert results["run"]["id"].startswith("pneumonia-benchmark ")
    backend.store.download(made["report"].uri, tmp_path / "report.html")
    assert "<html" in (tmp_path / "report.html").read_text()


def test_the_run_is_recorded_with_its_models_and_the_best_one_registered(run, open_folder, tmp_path):
    backend, tasks = run
    backend.store.download(tasks["record"].outputs["trend"].uri, tmp_path / "trend.html")
    assert "The first run: there is nothing to compare it with yet." in (tmp_path / "trend.html").read_text()
    recorded = History(server.reading(tracking_places.read(history(open_folder)), print))
    (found,) = recorded.runs()
    assert set(found.metrics) == {*REGIMES, BASELINE}
    assert found.registered == {"name": "pneumonia", "version": "1"}
    assert recorded.champion(found.fingerprint) == found
    models = recorded.models(found)
    assert [(model.regime, model.seed) for model in models] == [
        *((regime, seed) for regime in REGIMES for seed in (4, 5)),
        (BASELINE, 0),
    ]
    assert all(model.metrics["train_seconds"] > 0 for model in models)
    assert {"external"} < set(recorded.compared(found).predictions["split"])


def test_every_number_that_a_step_is_given_is_a_double(run):
    given = {name: task.executor_input["inputs"] for name, task in run[1].items()}
    assert json.dumps(given) == json.dumps(as_double(given))


def test_metadata_name_the_figures_that_people_compare_first(run):
    _, tasks = run
    every = (*REGIMES, BASELINE)
    scalars = list(tasks["evaluate"].outputs["metrics"].metadata)
    assert [name for name in scalars if name not in ("display_name", "store_session_info")][:25] == [
        f"{regime}_{name}"
        for name in ("roc_auc", "accuracy", "precision", "train_seconds", "peak_memory_mb")
        for regime in every
    ]
    for number, regime in enumerate(REGIMES, start=1):
        suffix = "" if number == 1 else f"-{number}"
        assert "confusionMatrix" in tasks["evaluate"].outputs[f"{regime}_classification"].metadata
        model = tasks[f"train{suffix}"].outputs["model"].metadata
        assert (model["regime"], model["seed"], model["seeds"]) == (regime, 4, 2)
        assert "peak_gpu_memory_mb" not in model


def test_evaluations_hold_predictions_of_each_seed(run, tmp_path):
    backend, tasks = run
    backend.store.download(tasks["evaluate"].outputs["evaluation"].uri, tmp_path / "made")
    for folder in files.regime_folders(tmp_path / "made"):
        found = load_all(folder)
        assert {one.results["regime"] for one in found} == {folder.name}
        assert [one.results["seed"] for one in found] == ([0] if folder.name == BASELINE else [4, 5])
        assert set(found[0].predictions["split"]) == {"validation", "test", "external"}


def test_trainings_with_label_budgets_give_scores_of_the_test_images_and_reach_compare(run, tmp_path):
    backend, tasks = run
    made = tasks["train-budgets"].outputs["label_budgets"]
    assert (made.metadata["regimes"], made.metadata["label_budgets"], made.metadata["draws"]) == (
        *(" ".join(REGIMES), "40"),
        2,
    )
    backend.store.download(made.uri, tmp_path / "made")
    for regime, folder in zip(REGIMES, files.regime_folders(tmp_path / "made"), strict=True):
        found = LabelBudgets.load(folder)
        assert found.record["regime"] == regime
        assert [training["seed"] for training in found.record["trainings"]] == [4, 5]
        assert (found.images["split"] == "external").sum() == 12
    given = tasks["compare"].executor_input["inputs"]["artifacts"]["label_budgets"]["artifacts"]
    assert [artifact["uri"] for artifact in given] == [made.uri]
    backend.store.download(tasks["compare"].outputs["comparison"].uri, tmp_path / "comparison")
    results = json.loads((tmp_path / "comparison" / "results.json").read_text())
    assert results["label_budgets"]["regimes"].keys() == set(REGIMES)


def test_what_needs_a_failed_task_is_not_run(open_folder, tmp_path):
    path = compile_all(Settings(gpus=0), tmp_path)[0]
    tasks = Backend(open_folder / "failing").run(path, SMALL | {"image_size": 1})
    assert {name for name, task in tasks.items() if task.state == SUCCEEDED} == {"ingest"}
    assert {name for name, task in tasks.items() if task.state == FAILED} == {"preprocess"}
    assert len([task for task in tasks.values() if task.state == OMITTED]) == 7
    assert "pneumonia-benchmark: error: " in tasks["preprocess"].log


def test_regimes_that_cannot_be_trained_cost_the_others_nothing_and_the_run_fails_after_the_report(
    open_folder, tmp_path
):
    path = compile_all(Settings(gpus=0), tmp_path / "yaml")[0]
    backend = Backend(open_folder / "one-regime")
    missing = {"weights": "/nowhere/weights.h5", "seeds": 1, "cpu_hour_price": 0.0}
    tasks = backend.run(path, SMALL | missing)
    ended = {name: task.state for name, task in tasks.items() if task.state != SUCCEEDED}
    assert ended == {"check": FAILED}
    assert "3 of 4 regimes could not be trained" in tasks["check"].log
    made = tasks["compare"].outputs
    backend.store.download(made["comparison"].uri, tmp_path / "comparison")
    results = json.loads((tmp_path / "comparison" / "results.json").read_text())
    assert list(results["regimes"]) == ["custom_cnn"]
    assert list(results["failed"]) == list(REGIMES[1:])
    assert all("/nowhere/weights.h5" in failure["reason"] for failure in results["failed"].values())
    backend.store.download(made["report"].uri, tmp_path / "report.html")
    assert "/nowhere/weights.h5" in (tmp_path / "report.html").read_text()
