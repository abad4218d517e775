import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from benchmarks import speed, speed_images, speed_table
from components.artifacts.prepared_dataset import PreparedDataset
from components.evaluate.robustness import changes


def command(*words):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.speed", *map(str, words)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", 0], "--epochs is 0, but must be at least 1"),
        (["--project-epochs", 0], "--project-epochs has 0, but must be at least 1"),
        (["--project-epochs", 2, 1], "--project-epochs has 2 numbers for 4 regimes: give one number, or one for each"),
        (["--whole-run"], "--whole-run needs --path, and neither --project-epochs nor --project-patience"),
        (["--project-patience", -1], "--project-patience is -1, but must be 0 or more"),
        (["--image-size", 16], "--image-size is 16, but must be at least 32"),
        (["--path", "nowhere"], "there is no folder nowhere: check --path"),
        (["--weights", "nowhere.h5"], "there is no weights file nowhere.h5"),
        (["--json", "nowhere/speed.json"], "there is no folder nowhere for speed.json"),
    ],
)
def test_mistakes_are_named_at_once(words, message, capsys):
    with pytest.raises(SystemExit):
        speed.main([str(word) for word in words])
    assert message in capsys.readouterr().err


def folder_of_images(folder, counts):
    random = np.random.default_rng(1)
    for (split, label), count in counts.items():
        (folder / split / label).mkdir(parents=True)
        for i in range(count):
            pixels = random.integers(0, 256, (40, 40), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / split / label / f"{label}-{i}.png")
    return folder


def arguments(*words):
    return speed._parser().parse_args([str(word) for word in words])


def test_a_sample_keeps_the_classes_proportion_and_every_test_image(tmp_path):
    counts = {("train", "NORMAL"): 40, ("train", "PNEUMONIA"): 80, ("test", "NORMAL"): 5, ("test", "PNEUMONIA"): 6}
    source = folder_of_images(tmp_path / "originals", counts)
    sample = speed_images.sample(source, 51, tmp_path / "sample")
    found = {key: len(list((sample / key[0] / key[1]).iterdir())) for key in counts}
    assert found == {
        ("train", "NORMAL"): 20,
        ("train", "PNEUMONIA"): 40,
        ("test", "NORMAL"): 5,
        ("test", "PNEUMONIA"): 6,
    }


@pytest.mark.slow
def test_plain_keras_reads_exactly_the_project_s_splits(tmp_path):
    counts = {("train", "NORMAL"): 40, ("train", "PNEUMONIA"): 40, ("test", "NORMAL"): 5, ("test", "PNEUMONIA"): 6}
    source = folder_of_images(tmp_path / "originals", counts)
    given = arguments("--path", source, "--images", 60, "--image-size", 40)
    prepared, seconds = speed._prepare(given, speed._source(given, tmp_path / "sample"), tmp_path)
    assert seconds > 0
    numbers = speed_images.export(tmp_path / "raw", prepared, tmp_path / "images")
    assert numbers["test"] == 11
    for name, split in PreparedDataset.load(tmp_path / "prepared").splits.items():
        for label, folder in enumerate(("NORMAL", "PNEUMONIA")):
            files = (tmp_path / "images" / name / folder).iterdir()
            written = {np.asarray(Image.open(file)).tobytes() for file in files}
            assert written == {image.tobytes() for image in split.images[split.labels == label]}
    for number, change in enumerate(changes().values()):
        files = (tmp_path / "images" / "changed" / str(number)).glob("*/*.png")
        written = {(file.parent.name, np.asarray(Image.open(file)).tobytes()) for file in files}
        split = prepared.splits["test"]
        # Originals of the size of the prepared ones.
        wanted = zip(split.labels, change(split.images), strict=True)
        assert written == {(("NORMAL", "PNEUMONIA")[label], image.tobytes()) for label, image in wanted}


@pytest.mark.parametrize(
    ("words", "expected"), [([], [7, 7]), (["--project-epochs", 2], [2, 2]), (["--project-epochs", 2, 3], [2, 3])]
)
def test_the_project_s_epochs_may_be_its_own_for_each_regime(words, expected):
    given = arguments("--epochs", 7, "--regimes", "full_fine_tuning", "custom_cnn", *words)
    found = [speed._project_epochs(given, regime) for regime in ("full_fine_tuning", "custom_cnn")]
    assert found == expected


def test_the_table_shows_medians_and_ratios():
    def runs(seconds, auc):
        one = {"peak_memory_mb": 900.0, "roc_auc": auc, "changed_roc_auc": auc - 0.1, "process_seconds": seconds + 5}
        return speed._medians([one | {"train_seconds": seconds * factor} for factor in (0.5, 1, 9)])

    both = {"plain_keras": runs(60.0, 0.9), "project": runs(10.0, 0.95), "speed_up": 6.0}
    both["difference"] = {"mean": 0.05, "bound": 0.0123, "reached": True}
    together = {"plain_keras": 65.0, "project": 15.0, "speed_up": 65 / 15, "whole_run": 26.0}
    table = speed_table.table({"regimes": {"custom_cnn": both}, "together": together})
    row = next(line for line in table.splitlines() if line.startswith("Custom CNN"))
    assert row.split()[2:] == [
        "60.0",
        "10.0",
        "6.0x",
        "900",
        "900",
        "0.9000",
        "0.9500",
        "0.800",
        "0.850",
        "+0.0123",
        "yes",
    ]
    assert table.splitlines()[-3].split() == ["together", "60.0", "10.0", "6.0x"]
    assert table.splitlines()[-2].split()[-3:] == ["65.0", "15.0", "4.3x"]
    assert table.splitlines()[-1].split()[-3:] == ["65.0", "26.0", "2.5x"]


def test_quality_is_reached_where_the_bound_over_seeds_is_above_the_margin():
    def found(*differences):
        theirs = [0.9, 0.92, 0.91, 0.93][: len(differences)]
        ours = [auc + change for auc, change in zip(theirs, differences, strict=True)]
        return speed_table.difference(*([{"roc_auc": auc} for auc in several] for several in (ours, theirs)))

    changes = [0.01, 0.02, 0.0, 0.01]
    # Of SciPy's paired t test, the lower end of its one-sided interval.
    expected = stats.ttest_1samp(changes, 0, alternative="greater").confidence_interval(0.95).low
    assert found(*changes) == {"mean": pytest.approx(0.01), "bound": pytest.approx(expected), "reached": True}
    assert found(0.0, 0.0, -0.003, -0.003)["reached"] is False
    assert found(0.0, -0.001, 0.0, -0.001)["reached"] is True
    assert found(0.01) == {"mean": pytest.approx(0.01), "bound": None, "reached": None}


@pytest.mark.slow
def test_both_train_and_are_compared(tmp_path):
    file = tmp_path / "speed.json"
    words = ["--weights", "none", "--images", 80, "--image-size", 32, "--epochs", 1, "--json", file, "--cache"]
    done = command(*words, "--regimes", "custom_cnn", "transfer_learning")
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(file.read_text())
    assert results["regimes"].keys() == {"custom_cnn", "transfer_learning"}
    for both in results["regimes"].values():
        for name in ("plain_keras", "project"):
            assert both[name]["process_seconds"] > both[name]["train_seconds"] > 0
            assert both[name]["peak_memory_mb"] > 100
            assert 0 <= both[name]["changed_roc_auc"] <= 1
        assert both["speed_up"] == both["plain_keras"]["train_seconds"] / both["project"]["train_seconds"]
    assert "Transfer learning" in done.stdout


@pytest.mark.slow
def test_a_whole_run_is_timed_and_recorded_beside_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/of-the-user.db")
    counts = {("train", "NORMAL"): 40, ("train", "PNEUMONIA"): 40, ("test", "NORMAL"): 10, ("test", "PNEUMONIA"): 10}
    source = folder_of_images(tmp_path / "originals", counts)
    words = ["--path", source, "--image-size", 32, "--weights", "none", "--epochs", 1, "--regimes", "custom_cnn"]
    sample = ["--source", "directory", "--path", source]
    assert speed._whole_run(arguments(*words, "--whole-run"), sample, tmp_path / "runs") > 1
    (report,) = (tmp_path / "runs").glob("2*/comparison/report.html")
    assert "Custom CNN" in report.read_text()
    assert (tmp_path / "runs" / "mlflow.db").exists()
    assert not (tmp_path / "of-the-user.db").exists()
