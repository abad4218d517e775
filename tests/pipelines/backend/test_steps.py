"""Each component alone, as it runs on a cluster, with real artifacts of the steps before it.

The input artifacts have no type at all here; in `test_pipeline` they have an empty one.
"""

import json
from pathlib import Path

import pytest

from components.artifacts import comparison, failed_training
from components.artifacts.files import header
from components.artifacts.files import now as files_now
from components.artifacts.names import BASELINE
from components.tracking import places, server
from components.tracking.history import History
from tests.pipelines.backend.backend import FAILED, SUCCEEDED, Backend
from tests.record.conftest import write_run

pytestmark = pytest.mark.medium

SMALL = {
    "ingest": {"synthetic_images": 120, "synthetic_size": 48},
    "preprocess": {"image_size": 32},
    "train_budgets": {"regimes": "custom_cnn", "epochs": 1, "batch_size": 8, "usual": "40", "draws": 1},
    "train": {"regime": "custom_cnn", "epochs": 1, "batch_size": 8, "seeds": 1},
}
SCALARS = ("roc_auc", "accuracy", "precision")


class Steps:
    """Runs components one by one; what one made is what the next is given."""

    def __init__(self, folder: Path, components: Path):
        self.backend = Backend(folder)
        self._components = components
        self._made = {}

    def run(self, name, **inputs):
        """Runs a component that has to succeed; gives its outputs."""
        artifacts = {key: value for key, value in inputs.items() if not isinstance(value, str | int | float)}
        parameters = {key: value for key, value in inputs.items() if key not in artifacts}
        path = self._components / f"{name.replace('_', '-')}.yaml"
        (task,) = self.backend.run(path, SMALL.get(name, {}) | parameters, artifacts).values()
        assert task.state == SUCCEEDED, f"{name} {task}"
        return task.outputs

    def of(self, name):
        """Outputs of a step with the inputs of a first run, made once."""
        if name not in self._made:
            self._made[name] = self.run(name, **self.inputs(name))
        return self._made[name]

    def inputs(self, name):
        """What a step is given in a first run."""
        if name == "ingest":
            return {}
        if name == "preprocess":
            return {"raw_dataset": self.of("ingest")["raw_dataset"]}
        prepared = {"prepared_dataset": self.of("preprocess")["prepared_dataset"]}
        return prepared | ({"custom_cnn": self.of("train")["model"]} if name == "evaluate" else {})


@pytest.fixture(scope="module")
def steps(open_folder, components):
    return Steps(open_folder, components)


def files(steps, artifact):
    return steps.backend.store.files(artifact.uri)


def test_ingest(steps):
    raw = steps.of("ingest")["raw_dataset"]
    assert {"manifest.csv", "quality.json"} <= set(files(steps, raw))
    assert raw.metadata["images"] == SMALL["ingest"]["synthetic_images"]


def test_preprocess(steps):
    made = steps.of("preprocess")
    assert "train.npy" in files(steps, made["prepared_dataset"])
    assert set(files(steps, made["dataset_summary"])) == {"dataset.json", "examples.png", "images.csv"}
    assert made["prepared_dataset"].metadata["image_size"] == SMALL["preprocess"]["image_size"]


@pytest.mark.slow
def test_train_without_a_gpu(steps):
    model = steps.of("train")["model"]
    assert files(steps, model)
    assert model.metadata["framework"] == "keras"
    assert model.metadata["regime"] == "custom_cnn"
    assert model.metadata["display_name"] == "model"


@pytest.mark.slow
def test_evaluate(steps):
    made = steps.of("evaluate")
    for regime, seed in (("custom_cnn", 1), (BASELINE, 0)):
        own = {"evaluations.json", f"seed-{seed}/evaluation.json", f"seed-{seed}/predictions.csv"}
        assert {f"{regime}/{name}" for name in own} <= set(files(steps, made["evaluation"]))
        assert {f"{regime}_{name}" for name in SCALARS} <= made["metrics"].metadata.keys()
    plots = made["custom_cnn_classification"].metadata
    assert 2 <= len(plots["confidenceMetrics"]["list"]) <= 200
    assert {"annotationSpecs", "rows"} == plots["confusionMatrix"]["struct"].keys()
    assert made["transfer_learning_classification"].metadata.keys() == {"display_name", "store_session_info"}


@pytest.mark.slow
@pytest.mark.parametrize("budgets", [{}, {"budgets": "30"}], ids=["as compiled", "as the run says"])
def test_train_on_label_budgets(steps, budgets):
    made = steps.run("train_budgets", **steps.inputs("train_budgets"), **budgets)["label_budgets"]
    own = {f"custom_cnn/{name}" for name in ("label_budgets.json", "images.csv", "scores.npy")}
    assert set(files(steps, made)) == own
    assert made.metadata["label_budgets"] == budgets.get("budgets", "40")
    assert made.metadata["seconds"] > 0
    assert "failed" not in made.metadata


@pytest.mark.slow
def test_label_budgets_whose_training_fails_say_why(steps):
    weights = {"regimes": "transfer_learning custom_cnn", "weights": "/nowhere/weights.h5"}
    made = steps.run("train_budgets", **steps.inputs("train_budgets"), **weights)["label_budgets"]
    assert {"transfer_learning/failed.json", "custom_cnn/label_budgets.json"} <= set(files(steps, made))
    assert made.metadata["failed"].startswith("transfer_learning (error): ")
    assert "/nowhere/weights.h5" in made.metadata["failed"]
    assert "custom_cnn" not in made.metadata["failed"]


def test_evaluate_of_a_failed_training(steps, tmp_path):
    failed_training.save(tmp_path / "model", failed_training.record("custom_cnn", "crash", "why", files_now()))
    store, uri = steps.backend.store, "minio://mlpipeline/failed/model"
    store.upload(tmp_path / "model", uri)
    prepared = steps.of("preprocess")["prepared_dataset"]
    made = steps.run("evaluate", prepared_dataset=prepared, custom_cnn=store.record("model", uri, {}))
    assert [name for name in files(steps, made["evaluation"]) if name.startswith("custom_cnn")] == [
        "custom_cnn/failed.json"
    ]
    assert made["custom_cnn_classification"].metadata.keys() == {"display_name", "store_session_info"}
    assert f"{BASELINE}_roc_auc" in made["metrics"].metadata
    assert not [name for name in made["metrics"].metadata if name.startswith("custom_cnn")]


@pytest.mark.slow
def test_evaluation_on_a_second_dataset(steps):
    raw = steps.run("ingest", seed=2)["raw_dataset"]
    elsewhere = steps.run("preprocess", raw_dataset=raw)["prepared_dataset"]
    made = steps.run("evaluate", **steps.inputs("evaluate"), external_dataset=elsewhere)
    steps.backend.store.download(made["evaluation"].uri, target := Path(steps.backend.folder, "elsewhere"))
    written = list(target.glob("*/seed-*/evaluation.json"))
    assert {path.parts[-3] for path in written} == {"custom_cnn", BASELINE}
    assert all(json.loads(path.read_text())["external"] for path in written)


@pytest.mark.slow
def test_compare(steps):
    inputs = {
        "dataset_summary": steps.of("preprocess")["dataset_summary"],
        "evaluations": steps.of("evaluate")["evaluation"],
    }
    made = steps.run("compare", **inputs, run_id="alone")
    assert {"report.html", "results.json", "results.csv"} <= set(files(steps, made["comparison"]))
    assert files(steps, made["report"]) == files(steps, made["summary"]) == ["."]
    steps.run("check", comparison=made["comparison"])


@pytest.mark.parametrize(
    "failed", [{}, {"custom_cnn": {"cause": "crash", "reason": "killed: try again", "seconds": 1.0}}]
)
def test_check(steps, components, tmp_path, failed):
    content = header(comparison.KIND, files_now(), {}) | {"regimes": {"full_fine_tuning": {}}, "failed": failed}
    comparison.save(tmp_path, content)
    uri = f"minio://mlpipeline/comparison-{len(failed)}"
    steps.backend.store.upload(tmp_path, uri)
    made = steps.backend.store.record("comparison", uri, {})
    (task,) = steps.backend.run(components / "check.yaml", artifacts={"comparison": made}).values()
    assert task.state == (FAILED if failed else SUCCEEDED), str(task)
    assert set(task.outputs) <= {"executor-logs"}
    if failed:
        assert task.error == "exit status 2"
        assert "error: 1 of 2 regimes could not be trained. Custom CNN: killed: try again" in task.log
    else:
        assert "check: all regimes were trained" in task.log


@pytest.mark.slow
def test_record(steps, open_folder, tmp_path):
    """On a volume that the step's user may write to, though it may not write to its home or its own folder."""
    run = write_run(tmp_path / "run", seeds=(1, 2))
    (volume := open_folder / "history").mkdir()
    volume.chmod(0o777)
    store, given = steps.backend.store, {}
    for name, folder in (("comparison", run / "comparison"), *((one.name[6:], one / "model") for one in models(run))):
        store.upload(folder, uri := f"minio://mlpipeline/record/{name}")
        given[name] = store.record(name, uri, {})
    uri = f"sqlite:///{volume}/mlflow.db"
    for _ in range(2):
        steps.run("record", **given, tracking_uri=uri, register="pneumonia", identity="0123", train_image="r/train:1")
    (recorded,) = History(server.reading(places.read(uri), print)).runs()
    assert recorded.name == "20260131-120000"
    assert recorded.registered == {"name": "pneumonia", "version": "1"}
    assert recorded.tags["pneumonia_benchmark.train_image"] == "r/train:1"


def test_a_history_out_of_reach_fails_record_with_one_line(steps, components, tmp_path):
    run = write_run(tmp_path / "run", seeds=(1,))
    store = steps.backend.store
    store.upload(run / "comparison", uri := "minio://mlpipeline/record-fails/comparison")
    artifacts = {"comparison": store.record("comparison", uri, {})}
    values = {"tracking_uri": "sqlite:////proc/history/mlflow.db"}
    (task,) = steps.backend.run(components / "record.yaml", values, artifacts).values()
    assert task.state == FAILED
    assert "pneumonia-benchmark: error: " in task.log
    assert "Traceback" not in task.log.partition("error: ")[2]


def models(run):
    return sorted(folder for folder in run.glob("steps/*/train-*"))
