"""The whole pipeline on a backend that gives and takes what a real one does, on a few simulated radiographs."""

import json
import os
from pathlib import Path

import pytest

from compile import main
from components.artifacts import evaluation
from components.artifacts.names import FLOOR, REGIMES
from tests.pipelines.backend.driver import Run
from tests.pipelines.backend.test_launcher import shape

pytestmark = pytest.mark.slow

SMALL = {
    "synthetic_images": 90,
    "synthetic_size": 48,
    "image_size": 32,
    "epochs": 1,
    "batch_size": 16,
    "backbone": "MobileNetV2-0.5",
    "weights": "bundled",
    "seeds": 2,
    "seed": 4,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run with an external test set, whose images lie in a folder of another name."""
    folder = tmp_path_factory.mktemp("backend")
    external = folder / "external"
    words = ["--external-test", str(external), "--gpus", "0", "--output", str(folder)]
    main(words)
    finished = Run(folder / "pneumonia_benchmark.yaml", folder / "run", SMALL)

    def before(task):
        # The other hospital's images are simulated too, by the task before.
        if task == "ingest-2" and not external.exists():
            simulated(external)

    return finished.execute(before)


def simulated(folder):
    """A folder of images in the layout of a data set."""
    from components.ingest.synthetic import write_radiographs  # noqa: PLC0415 (where it is needed)

    write_radiographs(folder, 60, 48, 7, difficulty=0.5)


def test_every_task_succeeds(run):
    assert run.errors == {}
    assert run.outputs.keys() == run.pipeline["root"]["dag"]["tasks"].keys()


def test_the_comparison_has_every_regime_and_seed_the_baseline_and_the_external_test_set(run):
    results = json.loads((run.path("compare", "comparison") / "results.json").read_text())
    assert list(results["regimes"]) == list(REGIMES)
    assert results["run"]["seeds"] == [4, 5]
    assert results["run"]["id"] == "pneumonia-benchmark 2026-11-26 23-23-53"
    assert results["external"]["dataset"]["images"] == 60
    assert set(results["floor"]["metrics"]) == set(results["external"]["floor"]["metrics"])


def test_kubeflows_pages_are_single_files_at_the_artifacts_own_place(run):
    assert run.path("compare", "report").read_text().lstrip().startswith("<!DOCTYPE html>")
    assert run.path("compare", "summary").read_text().startswith("#")


def test_metadata_name_the_figures_that_people_compare_first(run):
    for number, regime in enumerate(REGIMES, start=1):
        suffix = "" if number == 1 else f"-{number}"
        scalars = list(run.outputs[f"evaluate{suffix}"]["metrics"].metadata)
        assert scalars[:5] == ["roc_auc", "accuracy", "precision", "train_seconds", "peak_memory_mb"]
        model = run.outputs[f"train{suffix}"]["model"].metadata
        assert (model["regime"], model["seed"], model["seeds"]) == (regime, 4, 2)
        assert "peak_gpu_memory_mb" not in model


def test_evaluations_hold_predictions_of_each_seed(run):
    for task, seeds in (("evaluate", [4, 5]), ("evaluate-4", [4, 5]), ("evaluate-floor", [0])):
        found = evaluation.load_all(run.path(task, "evaluation"))
        assert [one.results["seed"] for one in found] == seeds
        assert set(found[0].predictions["split"]) == {"validation", "test", "external"}
    assert found[0].results["regime"] == FLOOR


def test_an_input_artifact_was_given_in_both_forms(run):
    given = [
        artifact
        for executor_input in run.launcher.inputs.values()
        for entry in executor_input["inputs"].get("artifacts", {}).values()
        for artifact in entry["artifacts"]
    ]
    assert {str(artifact.get("type")) for artifact in given} == {"None", "{'instanceSchema': ''}"}


RECORDED = {
    "ingest": "ingest",
    "preprocess": "preprocess",
    "train-4": "train",
    "evaluate": "evaluate",
    "evaluate-floor": "evaluate_floor",
    "compare": "compare",
}


@pytest.mark.parametrize(("task", "name"), RECORDED.items())
def test_every_step_is_given_the_recorded_shape(run, task, name):
    shared = os.environ.get("PNEUMONIA_BENCHMARK_DATA")
    if not shared or not (Path(shared) / "kfp_backend").is_dir():
        pytest.skip("PNEUMONIA_BENCHMARK_DATA names no folder with kfp_backend/, recordings of a real backend")
    recorded = json.loads((Path(shared) / "kfp_backend" / f"executor_input.{name}.json").read_text())
    found = run.launcher.inputs[task]
    assert shape(found).keys() == shape(recorded).keys()
    assert shape(found["outputs"]) == shape(recorded["outputs"])
    for parameter, value in recorded["inputs"]["parameterValues"].items():
        assert shape(found["inputs"]["parameterValues"][parameter]) == shape(value), parameter
    for key, entry in recorded["inputs"].get("artifacts", {}).items():
        # Since that day, a regime is one artifact and no list of them.
        (own,) = found["inputs"]["artifacts"][key]["artifacts"]
        for theirs in entry["artifacts"]:
            assert shape(own) | {"type": 0, "metadata": 0} == shape(theirs) | {"type": 0, "metadata": 0}
            assert {"display_name", "store_session_info"} <= own["metadata"].keys() & theirs["metadata"].keys()


def test_what_needs_a_failed_task_is_not_run(tmp_path):
    main(["--gpus", "0", "--output", str(tmp_path)])
    failed = Run(tmp_path / "pneumonia_benchmark.yaml", tmp_path / "run", SMALL | {"image_size": 1}).execute()
    assert list(failed.outputs) == ["ingest"]
    assert list(failed.errors) == ["preprocess"]
    assert "pneumonia-benchmark: error: " in failed.errors["preprocess"]
