"""The whole pipeline under kfp's local runner, and what it says when something is wrong."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from components.artifacts.evaluation import METRICS
from components.artifacts.names import FLOOR, REGIMES
from components.console import UserError
from pipelines.local import command, process
from pipelines.local.process import Job
from pipelines.settings import Settings

PROJECT = Path(__file__).parents[3]


def run(*words, cwd=PROJECT, **variables):
    environment = os.environ | {"PYTHONPATH": str(PROJECT)} | variables
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
        (["--source", "https://example.org/x.zip", "--sha256", "abc"], "'abc' is not a SHA-256"),
        (["--source", "pneumoniamnist", "--pneumoniamnist-size", "30"], "'30' is not one of 28, 64, 128, 224"),
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
        command.main([*words, "--output", str(tmp_path)])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--path", "--output", "--external-test", "--weights"])
def test_a_name_that_is_not_utf_8_is_one_sentence_before_anything_starts(option, capsys, tmp_path):
    place = tmp_path / "R\udcf6ntgen"
    place.mkdir()
    with pytest.raises(SystemExit) as stopped:
        command.main(["--source", "directory", "--output", str(tmp_path), option, str(place)])
    assert stopped.value.code == 2
    assert "Röntgen is not UTF-8: rename it".replace("ö", "\\udcf6") in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [place]


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(["--help"])
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


def test_nothing_is_left_among_temporary_files(tmp_path):
    images, temporary = write_images(tmp_path / "images", ("NORMAL",)), tmp_path / "temporary"
    temporary.mkdir()
    done = run("--source", "directory", "--path", images, "--output", tmp_path / "runs", TMPDIR=str(temporary))
    assert done.returncode == 2
    assert list(temporary.iterdir()) == []


def processes_that_name(word):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found += [folder.name] if word.encode() in (folder / "cmdline").read_bytes() else []
    return found


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGTERM, signal.SIGHUP))],
)
def test_a_request_to_stop_ends_all_steps_at_once(tmp_path, number):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [
        sys.executable,
        "-m",
        "pipelines.local",
        "--synthetic-images",
        "20000",
        "--output",
        str(tmp_path / "runs"),
    ]
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "TMPDIR": str(temporary)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}

    def heed() -> None:
        """Undoes what nohup does to whoever runs the tests."""
        signal.signal(number, signal.SIG_DFL)

    with subprocess.Popen(command, env=environment, cwd=PROJECT, preexec_fn=heed, **streams) as process:  # noqa: PLW1509
        assert process.stdout.readline().startswith("run ")
        end = time.monotonic() + 60
        while not processes_that_name("ephemeral_component") and time.monotonic() < end:
            time.sleep(0.05)
        begun = time.monotonic()
        process.send_signal(number)
        try:
            last, _ = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 130
        # It takes less than two; a busy machine may take longer.
        assert time.monotonic() - begun < 10
    assert "stopped before the end" in last
    assert "Traceback" not in last
    assert processes_that_name(str(tmp_path)) == []
    assert list(temporary.iterdir()) == []


def prints(monkeypatch, *lines):
    """Makes a run print these lines; gives the list of those that it was asked for."""
    taken = []

    def tell():
        for line in lines:
            taken.append(line)
            yield line

    monkeypatch.setattr(process, "started", lambda _: contextlib.nullcontext(tell()))
    return taken


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[train]  pneumonia-benchmark: error: no disk: buy one\n", "no disk: buy one"),
        ("ERROR - Task \x1b[96m'train'\x1b[0m finished with status \x1b[91mFAILURE\x1b[0m\n", "a step failed"),
    ],
)
def test_after_a_step_failed_no_other_one_is_waited_for(tmp_path, monkeypatch, line, message):
    taken = prints(monkeypatch, "begun\n", line, "pneumonia-benchmark: train custom_cnn: epoch 1\n")
    with pytest.raises(UserError, match=message):
        command.run(Job(tmp_path, {}, Settings()), verbose=False)
    assert taken == ["begun\n", line]
    assert (tmp_path / "run.log").read_text() == f"begun\n{line}"


def test_on_a_disk_without_links_a_run_ends_well_and_is_found(tmp_path, monkeypatch, capsys):
    def finish(job, verbose):  # noqa: ARG001
        made = job.folder / "comparison"
        made.mkdir()
        for name in ("table.txt", "results.json"):
            (made / name).write_text("the table")
        return made

    def refuse(path, target):  # noqa: ARG001
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(command, "run", finish)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    (tmp_path / "20200101-000000" / "comparison").mkdir(parents=True)
    (tmp_path / "20200101-000000" / "comparison" / "results.json").write_text("{}")
    (tmp_path / "30000101-000000").mkdir()  # not finished
    command.main(["--output", str(tmp_path)])
    said = capsys.readouterr().out
    assert said.index("the table") < said.index("report: ") < said.index("there is no link")
    newest = sorted(path for path in tmp_path.iterdir() if path.name.startswith("20"))[-1]
    assert command.latest(tmp_path) == newest
    assert newest.name in said


def test_the_latest_run_is_the_one_that_the_link_points_to(tmp_path):
    assert command.latest(tmp_path) == tmp_path / "latest"
    for name in ("a", "b"):
        (tmp_path / name / "comparison").mkdir(parents=True)
        (tmp_path / name / "comparison" / "results.json").write_text("{}")
    assert command.latest(tmp_path) == tmp_path / "b"
    command.point_to(tmp_path / "latest", tmp_path / "a")
    assert command.latest(tmp_path).resolve() == (tmp_path / "a").resolve()


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
        command.main(["--output", str(tmp_path / "file")])
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
        command.point_to(tmp_path / "latest", tmp_path / name)
        assert (tmp_path / "latest").resolve() == (tmp_path / name).resolve()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "latest"]
