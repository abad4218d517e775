"""A run's model says of an image file what the run's evaluation said of the same image."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import yaml
from PIL import Image

from components.artifacts.evaluation import Evaluation, Explanations, calibrated
from components.console import UserError
from components.evaluate import gradcam
from components.evaluate.evaluate import evaluate
from pipelines import local, predict
from tests.evaluate.test_evaluate import write_model
from tests.train.conftest import SIZE, write_prepared


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two trainings, of which the second is better on test and worse on validation; and its test images."""
    folder = tmp_path_factory.mktemp("runs") / "1"
    data = write_prepared(folder / "steps" / "1" / "preprocess" / "prepared_dataset")
    worse = write_prepared(folder.parent / "worse")
    np.save(worse / "validation.npy", np.random.default_rng(0).integers(0, 256, (40, SIZE, SIZE), np.uint8))
    for seed, dataset in ((1, data), (2, worse)):
        step = folder / "steps" / "1" / f"iteration-{seed}"
        model = write_model(step / "train" / "model")
        training = json.loads((model / "training.json").read_text()) | {"seed": seed}
        (model / "training.json").write_text(json.dumps(training))
        evaluate(dataset, model, step / "evaluate" / "evaluation")
    for number, pixels in enumerate(np.load(data / "test.npy")):
        (folder.parent / "films" / "test").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder.parent / "films" / "test" / f"{number}.png")
    return folder


@pytest.fixture
def films(run):
    return run.parent / "films"


def test_scores_are_those_of_the_evaluation(run, films, capsys):
    predict.main(["--run", str(run), "--json", str(films)])
    found = json.loads(capsys.readouterr().out)
    evaluation = Evaluation.load(run / "steps" / "1" / "iteration-1" / "evaluate" / "evaluation")
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


def test_a_score_at_the_threshold_is_pneumonia(run):
    choice = predict.choose(run)
    threshold = choice.evaluation.results["threshold"]["value"]
    assert choice.verdicts(np.array([threshold, np.nextafter(threshold, 0)])) == ["pneumonia", "normal"]


def test_without_a_wish_the_best_on_validation_is_taken(run):
    assert predict.choose(run).seed == 1
    assert predict.choose(run, "custom_cnn", 2).seed == 2
    assert predict.choose(run).validation_auc > predict.choose(run, seed=2).validation_auc


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--run", "RUN"], "there are no images to predict: name image files or folders, or give --export FOLDER"),
        (["--run", "RUN", "gone.png"], "there is no gone.png: name image files or folders"),
        (["--run", "gone", "x.png"], "there is no run gone: name the folder of a finished one with --run"),
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
            ". has no trained and evaluated models below steps/: name the folder of a finished run",
        ),
        (["--run", "RUN", "empty"], "empty is empty: name image files or folders of them"),
    ],
)
def test_a_mistake_is_one_line(run, words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="2"):
        predict.main([word.replace("RUN", str(run)) for word in words])
    assert capsys.readouterr().err.splitlines()[-1] == f"pneumonia-benchmark: error: {message}".replace("RUN", str(run))


def test_a_file_that_is_no_image_is_named_and_the_others_are_predicted(run, films, tmp_path, capsys):
    (tmp_path / "letter.png").write_text("Dear colleague")
    with pytest.raises(SystemExit, match="1"):
        predict.main(["--run", str(run), str(tmp_path / "letter.png"), str(films / "test" / "1.png")])
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()] == ["image", str(films / "test" / "1.png")]
    assert f"{tmp_path / 'letter.png'}: not an image in one of the formats" in printed.err


def test_where_all_files_are_refused_nothing_is_predicted(run, tmp_path, capsys):
    (tmp_path / "letter.png").write_text("Dear colleague")
    with pytest.raises(SystemExit, match="1"):
        predict.main(["--run", str(run), str(tmp_path / "letter.png"), "--explain", str(tmp_path / "seen")])
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "seen").exists()


def test_images_are_explained_under_names_of_their_own(run, films, tmp_path, monkeypatch):
    heat = np.zeros((2, 4, 4), np.uint8)
    heat[:, 0, 3] = 255
    monkeypatch.setattr(gradcam, "explain", lambda _, images: Explanations(images, heat))
    other = tmp_path / "1.png"
    Image.open(films / "test" / "2.png").save(other)
    predict.main(["--run", str(run), str(films / "test" / "1.png"), str(other), "--explain", str(tmp_path / "seen")])
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == ["1-2.png", "1.png"]
    picture = np.asarray(Image.open(tmp_path / "seen" / "1.png").convert("RGB")).astype(int)
    plain, warm = np.split(picture, 2, axis=1)
    side = len(plain)
    assert (plain[..., 0] == plain[..., 2]).all()
    changed = np.abs(warm - plain).sum(axis=2)
    assert changed[: side // 4, -side // 4 :].mean() > 2 * changed[side // 2 :, : side // 2].mean()


def test_a_model_without_maps_is_not_explained(run, films, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        predict.main(["--run", str(run), str(films / "test" / "1.png"), "--explain", str(tmp_path / "seen")])
    assert "omit --explain" in capsys.readouterr().err
    assert not (tmp_path / "seen").exists()


def test_the_exported_model_gives_the_same_scores_and_probabilities(run, films, tmp_path, capsys):
    paths = [str(films / "test" / f"{number}.png") for number in range(3)]
    predict.main(["--run", str(run), "--json", *paths, "--export", str(tmp_path / "out"), "--storage-uri", "pvc://a/b"])
    expected = json.loads(capsys.readouterr().out)["images"]
    request = json.loads((tmp_path / "out" / "request.json").read_text())
    images = np.array(request["instances"], np.uint8)
    assert images.shape == (3, SIZE, SIZE, 1)
    served = tf.saved_model.load(str(tmp_path / "out" / "1")).signatures["serving_default"]
    found = served(tf.constant(images))
    for name in ("score", "probability"):
        assert found[name].numpy()[:, 0] == pytest.approx([row[name] for row in expected], abs=1e-5)
    service = yaml.safe_load((tmp_path / "out" / "inferenceservice.yaml").read_text())
    model = service["spec"]["predictor"]["model"]
    assert (service["apiVersion"], service["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert (model["modelFormat"], model["storageUri"]) == ({"name": "tensorflow"}, "pvc://a/b")


def test_exporting_needs_no_images(run, tmp_path, capsys):
    predict.main(["--run", str(run), "--export", str(tmp_path / "out")])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1", "inferenceservice.yaml"]
    assert capsys.readouterr().out == ""


def test_a_folder_with_other_files_is_not_replaced_by_an_export(run, tmp_path):
    (tmp_path / "letter.txt").write_text("Dear colleague")
    with pytest.raises(SystemExit, match="2"):
        predict.main(["--run", str(run), "--export", str(tmp_path)])
    assert (tmp_path / "letter.txt").exists()


def test_a_file_of_500_mb_is_refused_unread(tmp_path):
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(500_000_001)
    assert predict.read([tmp_path / "large.png"], 32) == (
        {},
        {tmp_path / "large.png": "the file is larger than 500 MB"},
    )


def test_a_run_without_evaluations_has_no_models(tmp_path):
    (tmp_path / "steps").mkdir()
    with pytest.raises(UserError, match="no trained and evaluated models"):
        predict.choose(tmp_path)


@pytest.mark.slow
def test_what_a_run_scored_is_scored_alike_from_its_files(tmp_path, capsys):
    size = ["--image-size", "32", "--synthetic-images", "120", "--synthetic-size", "150", "--epochs", "1"]
    local.main([*size, "--regimes", "custom_cnn", "--output", str(tmp_path / "runs")])
    run = tmp_path / "runs" / "latest"
    with zipfile.ZipFile(next(run.glob("steps/*/ingest/raw_dataset/images.zip"))) as archive:
        archive.extractall(tmp_path / "raw")
    capsys.readouterr()
    predict.main(["--run", str(run), "--json", str(tmp_path / "raw"), "--explain", str(tmp_path / "seen")])
    found = {row["image"]: row["score"] for row in json.loads(capsys.readouterr().out)["images"]}
    assert len(list((tmp_path / "seen").iterdir())) == len(found) == 120
    scored = pd.read_csv(next(run.resolve().glob("steps/**/evaluate/evaluation/predictions.csv")))
    assert len(scored) >= 20
    for image, score in zip(scored["image"], scored["score"], strict=True):
        assert found[str(tmp_path / "raw" / image)] == pytest.approx(score, abs=1e-6)
