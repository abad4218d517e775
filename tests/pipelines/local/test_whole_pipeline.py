"""The whole pipeline under kfp's local runner."""

import os
from pathlib import Path

import pandas as pd
import pytest

from components.artifacts.evaluation import METRICS
from components.artifacts.names import FLOOR, REGIMES
from components.tracking import places, server
from components.tracking.history import History
from tests.pipelines.local.helpers import check_results, run, write_images

FULL = ("train full_fine_tuning: head warm-up: epoch 1/", "train partial_fine_tuning: head warm-up: head on ")


@pytest.mark.slow
def test_the_whole_pipeline_on_a_few_simulated_radiographs(tmp_path):
    small = ("--synthetic-images", 120, "--synthetic-size", 64, "--image-size", 32, "--epochs", 2)
    done = run("--weights", "none", *small, "--output", tmp_path, "--batch-size", 16, "--seeds", 1, record=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (recorded,) = History(server.reading(places.read(f"sqlite:///{tmp_path}/mlflow.db"), print)).runs()
    assert set(recorded.metrics) == {*REGIMES, FLOOR}
    folder = (tmp_path / "latest").resolve()
    assert folder.parent == tmp_path.resolve()
    results = check_results(folder, REGIMES)
    assert results["backbone"] == {"name": "MobileNetV2", "weights": "none"}
    assert results["dataset"]["source"]["name"] == "synthetic"
    for line in ("preprocess: train", *FULL, "compare:", "report: "):
        assert line in done.stdout
    assert "INFO" not in done.stdout
    assert "KFP Executor" in (folder / "run.log").read_text()
    table = pd.read_csv(folder / "comparison" / "results.csv")
    assert list(table["regime"]) == [*REGIMES, FLOOR]


@pytest.mark.slow
def test_several_seeds_train_every_regime_once_each(tmp_path):
    small = ("--synthetic-images", 80, "--synthetic-size", 48, "--image-size", 32, "--epochs", 2, "--batch-size", 8)
    done = run(*small, "--regimes", "custom_cnn", "--seeds", 2, "--seed", 4, "--output", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = check_results(tmp_path / "latest", ["custom_cnn"], seeds=(4, 5))
    assert set(results["regimes"]["custom_cnn"]["per_seed"]) == {"4", "5"}
    assert done.stderr == "", "from Python 3.13 on, a stream that outlives its file ends in a traceback"


@pytest.mark.slow
def test_a_second_data_set_is_scored_beside_the_first(tmp_path):
    elsewhere = write_images(tmp_path / "elsewhere", count=12)
    small = ("--synthetic-images", 80, "--synthetic-size", 48, "--image-size", 32, "--epochs", 1, "--batch-size", 8)
    options = ("--target-sensitivity", 0.9, "--cpu-hour-price", 0.5, "--external-test", elsewhere)
    done = run(*small, *options, "--regimes", "custom_cnn", "--output", tmp_path / "runs")
    assert done.returncode == 0, done.stdout + done.stderr
    results = check_results(tmp_path / "runs" / "latest", ["custom_cnn"], seeds=(1, 2, 3))
    assert results["external"]["dataset"]["images"] == 24
    assert set(results["external"]["regimes"]["custom_cnn"]["metrics"]) == set(METRICS)
    assert set(results["floor"]["metrics"]) == set(results["external"]["floor"]["metrics"]) == set(METRICS)
    regime = results["regimes"]["custom_cnn"]
    assert regime["threshold"]["rule"] == "sensitivity of at least 0.9"
    assert regime["cost"]["training_price"] == pytest.approx(regime["cost"]["train_seconds"] * 0.5 / 3600)
    assert "External test set</h3>" in (tmp_path / "runs" / "latest" / "comparison" / "report.html").read_text()


@pytest.mark.slow
def test_the_whole_pipeline_on_real_radiographs(tmp_path):
    shared = os.environ.get("PNEUMONIA_BENCHMARK_DATA")
    if not shared:
        pytest.skip("PNEUMONIA_BENCHMARK_DATA names no folder with data/chest_xray and weights/")
    source = Path(shared) / "data" / "chest_xray"
    for split, count in (("train", 150), ("val", 8), ("test", 60)):
        for label in ("NORMAL", "PNEUMONIA"):
            target = tmp_path / "sample" / split / label
            target.mkdir(parents=True)
            for path in sorted((source / split / label).iterdir())[:count]:
                (target / path.name).symlink_to(path)
    weights = next((Path(shared) / "weights").glob("mobilenet_v2*.h5"))
    settings = ("--image-size", 64, "--epochs", 3, "--weights", weights, "--seeds", 1, "--output", tmp_path / "runs")
    done = run("--source", "directory", "--path", tmp_path / "sample", *settings)
    assert done.returncode == 0, done.stdout + done.stderr
    results = check_results(tmp_path / "runs" / "latest", REGIMES)
    assert results["dataset"]["splits"]["test"]["images"] == 120
    assert max(regime["metrics"]["roc_auc"]["value"] for regime in results["regimes"].values()) > 0.9
    assert results["backbone"]["weights"].startswith(weights.name)
