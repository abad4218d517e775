"""The whole pipeline under kfp's local runner, and what it says when something is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from components.artifacts.evaluation import METRICS
from components.artifacts.names import FLOOR, REGIMES
from pipelines import local

PROJECT = Path(__file__).parents[2]


def run(*words, cwd=PROJECT):
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "pipelines.local", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


def write_images(folder, classes=("NORMAL", "PNEUMONIA"), count=6):
    random = np.random.default_rng(0)
    for label in classes:
        (folder / label).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(random.integers(0, 255, (40, 40), np.uint8)).save(folder / label / f"{i}.png")
    return folder


def check_results(folder, regimes, seeds=(1,)):
    results = json.loads((folder / "comparison" / "results.json").read_text())
    assert list(results["regimes"]) == list(regimes)
    assert results["run"]["seeds"] == list(seeds)
    for regime in results["regimes"].values():
        assert set(regime["metrics"]) == set(METRICS)
        for metric in regime["metrics"].values():
            low, high = metric["ci95"]
            assert low <= metric["value"] <= high or metric["value"] == pytest.approx(low, abs=0.02)
        assert regime["cost"]["train_seconds"] > 0
        assert regime["cost"]["peak_memory_mb"] > 0
    names = {path.name for path in (folder / "comparison").iterdir()}
    assert {"report.html", "summary.md", "results.json", "results.csv"} < names
    return results


@pytest.mark.slow
def test_the_whole_pipeline_on_a_few_simulated_radiographs(tmp_path):
    small = ("--synthetic-images", 120, "--synthetic-size", 64, "--image-size", 32, "--epochs", 2)
    done = run("--weights", "none", *small, "--output", tmp_path, "--batch-size", 16, "--seeds", 1)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = (tmp_path / "latest").resolve()
    assert folder.parent == tmp_path.resolve()
    results = check_results(folder, REGIMES)
    assert results["backbone"] == {"name": "MobileNetV2", "weights": "none"}
    assert results["dataset"]["source"]["name"] == "synthetic"
    for line in ("preprocess: train", "train full_fine_tuning: head warm-up: epoch 1/", "compare:", "report: "):
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
    assert "On images from elsewhere" in (tmp_path / "runs" / "latest" / "comparison" / "report.html").read_text()


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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", "0"], "'0' is not a whole number of at least 1"),
        (["--image-size", "16"], "'16' is not a whole number from 32 to 1024"),
        (["--learning-rate", "x"], "'x' is not a number"),
        (["--image-size", "2000"], "'2000' is not a whole number from 32 to 1024"),
        (["--learning-rate", "0"], "'0' is not a number above 0 and at most 0.999"),
        (["--learning-rate", "nan"], "'nan' is not a number"),
        (["--synthetic-size", "5000"], "'5000' is not a whole number from 32 to 4096"),
        (["--seeds", "0"], "'0' is not a whole number of at least 1"),
        (["--seed", "-1"], "'-1' is not a whole number of at least 0"),
        (["--cpu-hour-price", "-1"], "'-1' is not a number from 0 to 1000000"),
        (["--trainable-layers", "155"], "--trainable-layers is 155, but MobileNetV2 has 154 layers"),
        (["--path", "."], "--path has no effect with the source 'synthetic': it needs --source directory"),
        (["--source", "gs://bucket/x", "--path", "."], "--path has no effect with the source 'gs://bucket/x'"),
        (["--sha256", "0" * 64], "--sha256 has no effect with the source 'synthetic': it needs the archive's address"),
        (["--source", "kaggle", "--synthetic-images", "1200"], "--synthetic-images has no effect with the source 'kag"),
        (["--source", "directory", "--path", ".", "--synthetic-difficulty", "0"], "it needs --source synthetic"),
        (["--pneumoniamnist-size", "64"], "it needs --source pneumoniamnist"),
        (["--source", "pneumoniamnist", "--path", ".", "--pneumoniamnist-size", "64"], "no effect beside --path"),
        (["--gpus", "1"], "--gpus has no effect without containers: it needs --runner docker"),
        (["--tag", "v1"], "it needs --runner docker"),
        (["--weights", ""], "--weights is empty"),
        (["--regimes", "magic"], "invalid choice: 'magic'"),
        (["--source", "directory"], "give it with --path"),
        (["--source", "directory", "--path", "nowhere"], "there is no folder or file nowhere"),
        (["--source", "magic"], "there is no source 'magic': choose one of synthetic, directory, kaggle"),
        (["--source", "http://example.org/x.zip"], "is not encrypted"),
        (["--source", "https://example.org/x.zip", "--sha256", "abc"], "'abc' is no SHA-256"),
        (["--source", "pneumoniamnist", "--pneumoniamnist-size", "30"], "there is no PneumoniaMNIST at 30 px"),
        (["--external-test", "nowhere"], "there is no folder nowhere: check --external-test"),
        (["--target-sensitivity", "1.5"], "'1.5' is not a number"),
        (["--weights", "missing.h5"], "there is no weights file missing.h5"),
        (
            ["--weights", "bundled", "--backbone", "ResNet50"],
            "the bundled weights are not those of ResNet50: leave --backbone out",
        ),
    ],
)
def test_a_wrong_argument_is_named_with_the_remedy_before_anything_starts(words, message, capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        local.main([*words, "--output", str(tmp_path)])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit) as stopped:
        local.main(["--help"])
    assert stopped.value.code == 0
    assert "python -m pipelines.local --source directory" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("classes", "count", "message"),
    [(("NORMAL",), 6, "holds no images of the class PNEUMONIA"), ((), 0, "holds no images in NORMAL and PNEUMONIA")],
)
def test_a_mistake_that_a_step_finds_is_one_sentence_and_leaves_no_result(tmp_path, classes, count, message):
    images = write_images(tmp_path / "images", classes, count) if classes else tmp_path / "images"
    images.mkdir(exist_ok=True)
    done = run("--source", "directory", "--path", images, "--weights", "none", "--output", tmp_path / "runs")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "runs" / "latest").exists()
    assert not list((tmp_path / "runs").rglob("raw_dataset"))
    assert not list((tmp_path / "runs").rglob("comparison"))


@pytest.mark.slow
def test_an_unreadable_weights_file_is_named(tmp_path):
    weights = tmp_path / "broken.weights.h5"
    weights.write_text("no weights")
    images = write_images(tmp_path / "images", count=12)
    done = run(
        *("--source", "directory", "--path", images, "--weights", weights, "--output", tmp_path / "runs"),
        *("--regimes", "transfer_learning", "--image-size", 32),
    )
    assert done.returncode == 2
    assert f"{weights} cannot be loaded into MobileNetV2" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_an_output_that_is_no_folder_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        local.main(["--output", str(tmp_path / "file")])
    assert "choose another --output" in capsys.readouterr().err


def test_a_full_disk_is_named_and_leaves_no_result(tmp_path):
    disk = tmp_path / "small"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    try:
        images = write_images(tmp_path / "images", count=200)
        done = run("--source", "directory", "--path", images, "--weights", "none", "--output", disk / "runs")
        assert done.returncode == 2, done.stdout + done.stderr
        assert "the disk is full" in done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert not (disk / "runs" / "latest").exists()
        assert not list(disk.rglob("raw_dataset"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_the_latest_run_is_pointed_to_in_one_step(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        local.point_to(tmp_path / "latest", tmp_path / name)
        assert (tmp_path / "latest").resolve() == (tmp_path / name).resolve()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "latest"]
