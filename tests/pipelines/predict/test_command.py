"""A run's model gives an image file the score that the run's evaluation gave the same image."""

import json
import zipfile

import pandas as pd
import pytest

from components.artifacts.evaluation import Evaluation, calibrated
from pipelines.local import command as local
from pipelines.predict import command


@pytest.mark.medium
def test_scores_are_those_of_the_evaluation(run, films, capsys):
    command.main(["--run", str(run), "--json", str(films)])
    found = json.loads(capsys.readouterr().out)
    evaluation = Evaluation.load(
        run / "steps" / "1" / "iteration-1" / "evaluate" / "evaluation" / "custom_cnn" / "seed-1"
    )
    expected = evaluation.split("test").set_index("image")["score"]
    assert (found["regime"], found["seed"]) == ("custom_cnn", 1)
    assert len(found["images"]) == len(expected) == 40
    fit, threshold = evaluation.results["calibration"], evaluation.results["threshold"]["value"]
    for row in found["images"]:
        score = expected[row["image"].removeprefix(f"{films}/")]
        assert row["score"] == pytest.approx(score, abs=1e-6)
        assert row["probability"] == pytest.approx(calibrated(score, fit["temperature"], fit["offset"]), abs=1e-5)
        assert row["verdict"] == ("pneumonia" if score >= threshold else "normal")
    assert {row["verdict"] for row in found["images"]} == {"normal", "pneumonia"}
    assert found["score_threshold"] == threshold
    assert found["threshold"] == pytest.approx(calibrated(threshold, fit["temperature"], fit["offset"]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--run", "RUN"], "there are no images to predict: give image files or folders, or --export FOLDER"),
        (
            ["--run", "RUN", "--storage-uri", "gs://x/y", "x.png"],
            "--storage-uri has no effect without --export FOLDER: add --export, or omit --storage-uri",
        ),
        (["--run", "RUN", "gone.png"], "there is no gone.png: give image files or folders"),
        (["--run", "gone", "x.png"], "there is no run gone: give the folder of a finished run with --run"),
        (
            ["--run", "RUN", "--regime", "full_fine_tuning", "x.png"],
            "RUN has no such model; its regimes and seeds are: custom_cnn 1, custom_cnn 2",
        ),
        (
            ["--run", "RUN", "--seed", "3", "x.png"],
            "RUN has no such model; its regimes and seeds are: custom_cnn 1, custom_cnn 2",
        ),
        (
            ["--run", ".", "x.png"],
            ". has no trained and evaluated models below steps/: give the folder of a finished run",
        ),
        (["--run", "RUN", "--export", "o", "--explain", "p"], "--explain needs images: give image files or folders"),
        (["--run", "RUN", "empty"], "empty is empty: give image files or folders of them"),
    ],
)
def test_a_mistake_is_one_line(run, words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="2"):
        command.main([word.replace("RUN", str(run)) for word in words])
    assert capsys.readouterr().err.splitlines()[-1] == f"pneumonia-benchmark: error: {message}".replace("RUN", str(run))


def test_a_file_that_is_no_image_is_named_and_the_others_are_predicted(run, films, tmp_path, capsys):
    (tmp_path / "letter.png").write_text("Dear colleague")
    with pytest.raises(SystemExit, match="1"):
        command.main(["--run", str(run), str(tmp_path / "letter.png"), str(films / "test" / "1.png")])
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()] == ["image", str(films / "test" / "1.png")]
    assert f"{tmp_path / 'letter.png'}: not an image in one of the formats" in printed.err


def test_a_damaged_model_file_is_named(damaged, films, capsys):
    folder, training = damaged
    (training / "train" / "model" / "seed-1" / "model.keras").write_text("no")
    with pytest.raises(SystemExit, match="2"):
        command.main(["--run", str(folder), str(films)])
    message = capsys.readouterr().err.splitlines()[-1]
    assert "model.keras cannot be read as a Keras model: run the training again" in message


@pytest.mark.slow
def test_what_a_run_scored_is_scored_alike_from_its_files(tmp_path, capsys):
    size = ["--image-size", "32", "--synthetic-images", "120", "--synthetic-size", "150", "--epochs", "1"]
    local.main([*size, "--regimes", "custom_cnn", "--seeds", "1", "--output", str(tmp_path / "runs")])
    run = tmp_path / "runs" / "latest"
    with zipfile.ZipFile(next(run.glob("steps/*/ingest/raw_dataset/images.zip"))) as archive:
        archive.extractall(tmp_path / "raw")
    capsys.readouterr()
    command.main(["--run", str(run), "--json", str(tmp_path / "raw"), "--explain", str(tmp_path / "seen")])
    found = {row["image"]: row["score"] for row in json.loads(capsys.readouterr().out)["images"]}
    assert len(list((tmp_path / "seen").iterdir())) == len(found) == 120
    scored = pd.read_csv(next(run.resolve().glob("steps/**/evaluate/evaluation/custom_cnn/seed-1/predictions.csv")))
    assert len(scored) >= 20
    for image, score in zip(scored["image"], scored["score"], strict=True):
        assert found[str(tmp_path / "raw" / image)] == pytest.approx(score, abs=1e-6)
