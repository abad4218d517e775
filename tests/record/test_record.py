"""A recorded run: read back with MLflow's own client, recorded again, recorded midway."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from components.artifacts import comparison
from components.artifacts.evaluation import METRICS, Evaluation
from components.artifacts.names import FLOOR
from components.console import UserError
from components.record import record as module
from components.record.content import Origin
from components.roc_auc import covariance_of_areas
from tests.record.conftest import REGIMES, SEEDS, scores_of, write_run

pytestmark = pytest.mark.medium

PROJECT = Path(__file__).parents[2]
NAME = "20260131-120000"


def test_the_parent_has_every_regimes_metrics_with_their_intervals_and_costs(recorded, made):
    recorded.record(made)
    parent = recorded.everything()[NAME]
    results = comparison.load(made / "comparison")
    for regime in (*REGIMES, FLOOR):
        own = results["regimes"].get(regime) or results["baseline"]
        for name in METRICS:
            metric = own["metrics"][name]
            found = [parent.data.metrics[f"{regime}/{name}{end}"] for end in ("", "_ci_low", "_ci_high")]
            assert found == [metric["value"], *metric["ci95"]]
        assert parent.data.metrics[f"{regime}/train_seconds"] == own["cost"]["train_seconds"]
        assert parent.data.metrics[f"{regime}/peak_memory_mb"] == own["cost"]["peak_memory_mb"]
    assert parent.info.status == "FINISHED"


def test_the_parent_has_parameters_and_fingerprints(recorded, made):
    recorded.record(made)
    parent = recorded.everything()[NAME]
    results = comparison.load(made / "comparison")
    assert parent.data.params["regimes"] == " ".join(REGIMES)
    assert parent.data.params["seeds"] == "3"
    assert parent.data.params["image_size"] == "96"
    assert parent.data.params["test_images"] == "300"
    tags = {name.removeprefix("pneumonia_benchmark."): value for name, value in parent.data.tags.items()}
    assert tags["dataset"] == results["dataset"]["fingerprint"]
    assert (tags["data_image"], tags["train_image"], tags["code"]) == ("r/data:1-a", "r/train:1-b", "1-a 1-b")
    assert tags["hardware"] == "no GPU, 2 cores, A processor"
    assert tags["started"] == results["run"]["started"]
    assert len(tags["recipe"]) == 64
    assert tags["mlflow.note.content"] == results["recommendation"]["why"]


def test_a_child_has_its_own_models_values(recorded, made):
    recorded.record(made)
    runs = recorded.everything()
    assert set(runs) == {
        NAME,
        *(f"{NAME}: {regime} {seed}" for regime in REGIMES for seed in SEEDS),
        f"{NAME}: {FLOOR} 0",
    }
    results = comparison.load(made / "comparison")
    for seed in SEEDS:
        child = runs[f"{NAME}: custom_cnn {seed}"]
        table = Evaluation.load(made / "steps" / "pneumonia-benchmark" / f"custom_cnn-{seed}").split("test")
        area, variance = covariance_of_areas(
            table["label"].to_numpy(), table["patient"].to_numpy(), table["score"].to_numpy()[None]
        )
        metrics = child.data.metrics
        assert metrics["roc_auc"] == results["regimes"]["custom_cnn"]["per_seed"][str(seed)]["roc_auc"]
        assert metrics["roc_auc"] == pytest.approx(area[0])
        # On the logit scale the interval is not symmetric, but about as wide.
        width = metrics["roc_auc_ci_high"] - metrics["roc_auc_ci_low"]
        assert width == pytest.approx(2 * 1.96 * np.sqrt(variance[0, 0]), rel=0.1)
        assert metrics["roc_auc_ci_low"] < metrics["roc_auc"] < metrics["roc_auc_ci_high"]
        assert metrics["train_seconds"] == 9.4
        assert metrics["inference_ms_per_image"] == pytest.approx(812 / 400)
        assert metrics["validation_roc_auc"] == {1: 0.97, 2: 0.91, 3: 0.95}[seed]
        assert child.data.params["batch_size"] == "32"
        assert child.data.params["hardware.cores"] == "2"
        assert child.data.tags["mlflow.parentRunId"] == runs[NAME].info.run_id
    assert runs[f"{NAME}: {FLOOR} 0"].data.metrics["train_seconds"] == 0.3


def test_with_one_seed_a_childs_intervals_are_the_reports(recorded, later):
    recorded.record(later)
    child = recorded.everything()["20260207-120000: custom_cnn 1"]
    metrics = comparison.load(later / "comparison")["regimes"]["custom_cnn"]["metrics"]
    for name in METRICS:
        found = [child.data.metrics[name + end] for end in ("", "_ci_low", "_ci_high")]
        assert found == [metrics[name]["value"], *metrics[name]["ci95"]]


def test_recipes_are_told_apart_and_seeds_are_not(recorded, made):
    recorded.record(made)
    runs = recorded.everything()
    recipes = {name: run.data.tags["pneumonia_benchmark.recipe"] for name, run in runs.items()}
    assert len({recipes[f"{NAME}: custom_cnn {seed}"] for seed in SEEDS}) == 1
    assert recipes[f"{NAME}: custom_cnn 1"] != recipes[f"{NAME}: transfer_learning 1"]


def test_the_learning_curve_is_in_steps(recorded, made):
    recorded.record(made)
    child = recorded.everything()[f"{NAME}: custom_cnn 1"]
    training = Evaluation.load(made / "steps" / "pneumonia-benchmark" / "custom_cnn-1").results["training"]
    points = recorded.client.get_metric_history(child.info.run_id, "curve/validation_auc")
    assert [(point.step, point.value) for point in points] == [
        (step, epoch["validation_auc"]) for step, epoch in enumerate(training["history"], start=1)
    ]
    first, *_, last = points
    assert last.timestamp - first.timestamp == pytest.approx(1000 * 9.4 * 7 / 8, abs=2)


def test_report_results_and_predictions_are_artifacts(recorded, made, tmp_path):
    run = recorded.record(made)
    names = {artifact.path for artifact in recorded.client.list_artifacts(run, "comparison")}
    assert names >= {f"comparison/{name}" for name in ("report.html", "results.json", "predictions.csv", "models.json")}
    where = Path(recorded.client.download_artifacts(run, "comparison", str(tmp_path)))
    assert (where / "results.json").read_bytes() == (made / "comparison" / "results.json").read_bytes()
    # The report is that of the comparison, but for what the gate found.
    before, after = ((folder / "report.html").read_text() for folder in (made / "comparison", where))
    empty = '<section id="history" hidden></section>'
    start, _, end = before.partition(empty)
    assert after.startswith(start)
    assert after.endswith(end)


def test_artifacts_lie_beside_the_database_and_nothing_else_is_written(recorded, made, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", str(elsewhere))
    recorded.record(made)
    assert list(elsewhere.iterdir()) == []
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"mlflow.db", ".mlflow.db.lock", "mlflow-artifacts"}
    uri = recorded.everything()[NAME].info.artifact_uri
    assert uri.startswith(f"file://{tmp_path}/runs/mlflow-artifacts/")


def test_what_failed_is_said(recorded, tmp_path):
    recorded.record(write_run(tmp_path / "run", seeds=(1,), failed=["full_fine_tuning"]))
    parent = recorded.everything()[NAME]
    assert parent.info.status == "FAILED"
    assert json.loads(parent.data.tags["pneumonia_benchmark.failed"]) == {
        "full_fine_tuning": "use a smaller --batch-size"
    }
    (run,) = recorded.history.runs()
    assert run.failed == {"full_fine_tuning": "use a smaller --batch-size"}
    assert run.promoted == "", "the champion has all regimes"


def test_the_same_run_twice_is_one_run(recorded, made, capsys):
    first = recorded.record(made)
    before = set(recorded.everything())
    assert recorded.record(made) == first
    assert set(recorded.everything()) == before
    assert "was recorded before in sqlite:///" in capsys.readouterr().out


def test_a_run_that_was_continued_replaces_what_was_recorded(recorded, tmp_path):
    origin = Origin("the same run")
    first = recorded.record(write_run(tmp_path / "a", seeds=(1,), failed=["full_fine_tuning"], origin=origin))
    second = recorded.record(write_run(tmp_path / "b", seeds=(1,), origin=origin))
    assert first != second
    assert len(recorded.everything()) == 4
    assert recorded.everything()[NAME].info.run_id == second
    assert recorded.history.runs()[0].promoted, "nothing failed this time"


def test_a_run_that_was_continued_with_other_images_is_the_same_run(recorded, tmp_path):
    origin = Origin("the same run")
    for name, fingerprint in (("a", "ab12" * 16), ("b", "cd34" * 16)):
        recorded.record(write_run(tmp_path / name, seeds=(1,), origin=origin, fingerprint=fingerprint))
    (run,) = recorded.history.runs()
    assert (run.fingerprint, bool(run.promoted)) == ("cd34" * 16, True)


def test_without_an_identity_runs_on_other_images_are_other_runs(recorded, tmp_path):
    for name, fingerprint in (("a", "ab12" * 16), ("b", "cd34" * 16)):
        recorded.record(write_run(tmp_path / name, seeds=(1,), origin=Origin(), fingerprint=fingerprint))
    assert len(recorded.history.runs()) == 2


def test_two_runs_are_two_runs_even_of_one_name(recorded, tmp_path):
    for name in ("a", "b"):
        recorded.record(write_run(tmp_path / name, seeds=(1,), origin=Origin(name)))
    assert len(recorded.history.runs()) == 2
    first, second = (run.key for run in recorded.history.runs())
    assert first != second


def test_a_champion_that_is_recorded_anew_stays_champion(recorded, tmp_path, later):
    origin = Origin("the same run")
    recorded.record(write_run(tmp_path / "a", seeds=(1,), origin=origin))
    recorded.record(later)
    again = recorded.record(write_run(tmp_path / "b", seeds=(1, 2), origin=origin))
    assert recorded.history.champion(recorded.history.find(again).fingerprint).id == again


@pytest.mark.parametrize("calls", [1, 2, 5, 20, 28])
def test_what_was_recorded_in_part_is_replaced(recorded, made, monkeypatch, calls):
    """The process dies after some of the 30 writing calls that record a run; the last one says that it is whole."""
    left, ask = iter(range(calls)), module.Server.ask

    def die(self, method, *arguments, **named):
        if method.startswith(("create", "log", "set")) and next(left, None) is None:
            raise KeyboardInterrupt
        return ask(self, method, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(module.Server, "ask", die)
        with pytest.raises(KeyboardInterrupt):
            recorded.record(made)
    assert recorded.history.runs() == [], "it does not count yet"
    run = recorded.record(made)
    assert len(recorded.everything()) == 8
    assert [found.id for found in recorded.history.runs()] == [run]
    assert recorded.history.runs()[0].promoted


def recording(run, uri):
    words = [sys.executable, "-m", "components.record", str(run), "--tracking-uri", uri, "--attempts", "1"]
    return subprocess.Popen(words, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_processes_at_once_lose_nothing(tmp_path, made, later):
    """Both find no database, one creates it."""
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    processes = [recording(run, uri) for run in (made, later, made)]
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    from tests.record.conftest import Recorded  # noqa: PLC0415

    history = Recorded(uri)
    assert len(history.everything()) == 8 + 4
    assert sorted(run.name for run in history.history.runs()) == [NAME, "20260207-120000"]
    assert sum(bool(run.promoted) for run in history.history.runs()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [2.0, 4.0, 6.0])
def test_a_process_that_is_killed_leaves_what_the_next_one_completes(tmp_path, made, seconds):
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    process = recording(made, uri)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = recording(made, uri)
    said = done.communicate(timeout=300)
    assert done.returncode == 0, said
    from tests.record.conftest import Recorded  # noqa: PLC0415

    assert len(Recorded(uri).everything()) == 8


def test_a_comparison_of_an_earlier_version_is_named(recorded, made, tmp_path):
    shutil.copytree(made, tmp_path / "old")
    (tmp_path / "old" / "comparison" / "models.json").unlink()
    with pytest.raises(UserError, match=r"is not a complete compared models: it has no models\.json"):
        recorded.record(tmp_path / "old")


def test_predictions_are_those_of_the_evaluations(recorded, made):
    run = recorded.history.find(recorded.record(made))
    compared = recorded.history.compared(run)
    test = compared.predictions.query("split == 'test'")
    for regime in REGIMES:
        for seed in SEEDS:
            found = dict(zip(test["image"], np.float32(test[f"{regime}/{seed}"]), strict=True))
            assert found == scores_of(made, regime, seed)
    assert compared.record["dataset"]["fingerprint"] == run.fingerprint
