"""A run's model says of an image file what the run's evaluation said of the same image."""

import hashlib
import json
import os
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import yaml
from PIL import Image

from components.artifacts.evaluation import Evaluation, calibrated
from components.console import UserError
from components.evaluate.evaluate import evaluate
from components.imaging import decoding
from components.inference import gradcam
from components.parameters import EvaluateParameters
from pipelines.local import command as local
from pipelines.predict import command as predict
from pipelines.predict import serving
from tests.evaluate.test_evaluate import write_model
from tests.imaging.dicom_files import make_dicom
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
        model = write_model(step / "train" / "model", seeds=(seed,))
        evaluate(dataset, model, step / "evaluate" / "evaluation", EvaluateParameters())
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
    evaluation = Evaluation.load(run / "steps" / "1" / "iteration-1" / "evaluate" / "evaluation" / "seed-1")
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
        (
            ["--run", "RUN", "--storage-uri", "gs://x/y", "x.png"],
            "--storage-uri has no effect without --export FOLDER: give that too, or leave it out",
        ),
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
        (["--run", "RUN", "--export", "o", "--explain", "p"], "--explain needs images: name image files or folders"),
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


def test_an_image_without_contrast_gets_no_score(tmp_path):
    Image.new("L", (60, 60), 9).save(tmp_path / "blank.png")
    with pytest.raises(ValueError, match="the image shows nothing: all of it has one grey value"):
        predict.read(tmp_path / "blank.png", 32)


def test_where_all_files_are_refused_nothing_is_predicted(run, tmp_path, painted, capsys):
    (tmp_path / "letter.png").write_text("Dear colleague")
    with pytest.raises(SystemExit, match="1"):
        predict.main(["--run", str(run), str(tmp_path / "letter.png"), "--explain", str(tmp_path / "seen")])
    assert capsys.readouterr().out == ""
    assert painted == []
    assert not (tmp_path / "seen").exists()


@pytest.fixture
def painted(monkeypatch):
    """Heat in the upper right corner of every image; gives the numbers of images asked for at once."""
    asked = []

    def heat(images):
        asked.append(len(images))
        found = np.zeros((len(images), 4, 4), np.float32)
        found[:, 0, 3] = 0.25
        return found

    monkeypatch.setattr(gradcam, "take_apart", lambda _: SimpleNamespace(heat=heat))
    return asked


def test_images_are_explained_under_names_of_their_own(run, films, tmp_path, painted):
    other = tmp_path / "1.png"
    Image.open(films / "test" / "2.png").save(other)
    predict.main(["--run", str(run), str(films / "test" / "1.png"), str(other), "--explain", str(tmp_path / "seen")])
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == ["1-2.png", "1.png"]
    assert painted == [2]
    picture = np.asarray(Image.open(tmp_path / "seen" / "1.png").convert("RGB")).astype(int)
    assert picture.shape == (predict.SMALLEST_PICTURE, 2 * predict.SMALLEST_PICTURE, 3)
    plain, warm = np.split(picture, 2, axis=1)
    side = len(plain)
    assert (plain[..., 0] == plain[..., 2]).all()
    changed = np.abs(warm - plain).sum(axis=2)
    assert changed[: side // 4, -side // 4 :].mean() > 2 * changed[side // 2 :, : side // 2].mean()


@pytest.mark.parametrize("place", [".", "seen"])
def test_pictures_never_replace_images_or_come_among_them(run, films, tmp_path, painted, place, capsys):
    folder = tmp_path / "films"
    shutil.copytree(films / "test", folder)
    before = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in folder.iterdir()}
    for image in (folder, folder / "1.png"):
        if image == folder or place == ".":
            with pytest.raises(SystemExit, match="2"):
                predict.main(["--run", str(run), str(image), "--explain", str(folder / place)])
            assert "for --explain" in capsys.readouterr().err
    assert {path.name: hashlib.sha256(path.read_bytes()).digest() for path in folder.iterdir()} == before
    assert painted == []


def test_a_file_in_place_of_the_pictures_folder_is_named(run, films, tmp_path, capsys):
    (tmp_path / "seen").write_text("Dear colleague")
    with pytest.raises(SystemExit, match="2"):
        predict.main(["--run", str(run), str(films / "test" / "1.png"), "--explain", str(tmp_path / "seen")])
    assert f"{tmp_path / 'seen'} is a file: choose another folder for --explain" in capsys.readouterr().err
    assert (tmp_path / "seen").read_text() == "Dear colleague"


def test_pictures_names_are_short_plain_and_differ_whatever_the_capitals():
    taken = set()
    stems = ["x" * 255, "x" * 255, "a", "A", "a-2", "..", "a\n\x1b[31m", "\udcff", "Röntgen"]
    names = [predict._free(stem, taken) for stem in stems]
    assert names == ["x" * 200, "x" * 200 + "-2", "a", "A-2", "a-2-2", "_", "a___31m", "_-2", "R_ntgen"]
    assert len({name.lower() for name in names}) == len(names)


def test_more_images_than_a_batch_are_read_batch_by_batch(run, films, tmp_path, painted, monkeypatch, capsys):
    predict.main(["--run", str(run), "--json", str(films)])
    expected = {row["image"]: row["score"] for row in json.loads(capsys.readouterr().out)["images"]}
    monkeypatch.setattr(predict, "BATCH_SIZE", 16)
    (tmp_path / "letter.png").write_text("Dear colleague")
    progress = []
    monkeypatch.setattr(predict.console.Progress, "reach", lambda _, done: (progress.append(done), print(done)))
    places = [str(tmp_path / "letter.png"), str(films)]
    with pytest.raises(SystemExit, match="1"):
        predict.main(["--run", str(run), "--json", *places, "--explain", str(tmp_path / "seen")])
    printed = capsys.readouterr()
    found = {row["image"]: row["score"] for row in json.loads(printed.out)["images"]}
    assert found == pytest.approx(expected, abs=1e-6)
    assert progress == [17, 33, 41]
    assert painted == [16, 16, 8]
    assert "1 of 41 files could not be used" in printed.err


def test_a_dicom_file_is_scored_as_the_same_picture_in_png(run, tmp_path, capsys):
    pixels = np.random.default_rng(1).integers(0, 256, (SIZE + 8, SIZE), np.uint8)
    pixels[0, :2] = 0, 255
    (tmp_path / "a.dcm").write_bytes(make_dicom(pixels, WindowCenter=128, WindowWidth=256))
    Image.fromarray(pixels).save(tmp_path / "b.png")
    predict.main(["--run", str(run), "--json", str(tmp_path)])
    dicom, png = json.loads(capsys.readouterr().out)["images"]
    assert dicom["score"] == pytest.approx(png["score"], abs=1e-6)
    assert np.array_equal(predict.read(tmp_path / "a.dcm", SIZE), pixels[4:-4])


def test_what_is_no_regular_file_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} is read"))
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to("nowhere")
    for path in (tmp_path / "pipe.png", Path("/dev/zero")):
        with pytest.raises(ValueError, match="not a regular file"):
            predict.read(path, SIZE)
    with pytest.raises(ValueError, match="cannot be read"):
        predict.read(tmp_path / "gone.png", SIZE)


def test_a_file_that_may_not_be_read_does_not_stop_the_others(run, films, monkeypatch, capsys):
    locked = films / "test" / "2.png"
    whole = Path.read_bytes

    def read_bytes(path):
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(SystemExit, match="1"):
        predict.main(["--run", str(run), "--json", str(films)])
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)["images"]) == 39
    assert f"{locked}: cannot be read (Permission denied)" in printed.err


def test_a_folder_that_may_not_be_read_is_not_left_out_unsaid(tmp_path, monkeypatch):
    error = PermissionError(13, "Permission denied", str(tmp_path))
    monkeypatch.setattr(os, "scandir", lambda *_: (_ for _ in ()).throw(error))
    with pytest.raises(PermissionError):
        predict._files([tmp_path])


def test_hidden_files_and_linked_folders_are_left_out(tmp_path, capsys):
    for name in ("a.png", ".DS_Store", ".hidden/b.png", "below/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "circle").symlink_to(tmp_path)
    assert predict._files([tmp_path]) == [tmp_path / "a.png", tmp_path / "below" / "c.png"]
    assert f"{tmp_path / 'circle'} is a link to a folder and left out" in capsys.readouterr().err


def test_a_files_name_gives_the_terminal_no_orders(run, films, tmp_path, capsys):
    names = ["a\n\x1b[31mred.png", "\udcff.png"]
    for name in names:
        shutil.copy(films / "test" / "1.png", tmp_path / name)
    (tmp_path / "b\x1b[2J.png").write_text("Dear colleague")
    with pytest.raises(SystemExit, match="1"):
        predict.main(["--run", str(run), str(tmp_path)])
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 3
    assert "\x1b" not in printed.out + printed.err
    assert f"{tmp_path}/a\\n\\x1b[31mred.png" in printed.out
    assert f"{tmp_path}/\\udcff.png" in printed.out


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
    found = served(image=tf.constant(images))
    for name in ("score", "probability"):
        assert found[name].numpy()[:, 0] == pytest.approx([row[name] for row in expected], abs=1e-5)
    service = yaml.safe_load((tmp_path / "out" / "inferenceservice.yaml").read_text())
    model = service["spec"]["predictor"]["model"]
    assert (service["apiVersion"], service["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert (model["modelFormat"], model["storageUri"]) == ({"name": "tensorflow"}, "pvc://a/b")


def test_exporting_needs_no_images(run, tmp_path, capsys):
    predict.main(["--run", str(run), "--export", str(tmp_path / "out")])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "1",
        "README.md",
        "inferenceservice.yaml",
        "model.json",
    ]
    assert capsys.readouterr().out == ""


def test_a_folder_with_other_files_is_not_replaced_by_an_export(run, tmp_path):
    (tmp_path / "letter.txt").write_text("Dear colleague")
    with pytest.raises(SystemExit, match="2"):
        predict.main(["--run", str(run), "--export", str(tmp_path)])
    assert (tmp_path / "letter.txt").exists()


def test_an_export_replaces_an_export_and_nothing_else(run, films, tmp_path, capsys):
    image = str(films / "test" / "1.png")
    predict.main(["--run", str(run), image, "--export", str(tmp_path / "out")])
    predict.main(["--run", str(run), "--seed", "2", "--export", str(tmp_path / "out")])
    about = json.loads((tmp_path / "out" / "model.json").read_text())
    assert (about["seed"], (tmp_path / "out" / "request.json").exists()) == (2, False)
    model = run / "steps" / "1" / "iteration-1" / "train" / "model" / "seed-1"
    with pytest.raises(SystemExit, match="2"):
        predict.main(["--run", str(run), "--export", str(model)])
    assert "holds something else than an export: choose a new folder for --export" in capsys.readouterr().err
    assert (model / "model.keras").exists()


def test_an_export_says_how_images_are_prepared_and_what_the_verdict_is(run, tmp_path):
    predict.main(["--run", str(run), "--export", str(tmp_path)])
    choice = predict.choose(run)
    about, text = json.loads((tmp_path / "model.json").read_text()), (tmp_path / "README.md").read_text()
    assert about["score_threshold"] == choice.evaluation.results["threshold"]["value"]
    assert about["threshold"] == pytest.approx(float(choice.probabilities(np.array([about["score_threshold"]]))[0]))
    assert (about["regime"], about["seed"], about["image_size"]) == ("custom_cnn", 1, SIZE)
    assert about["resize"] == decoding.DESCRIPTION
    assert decoding.DESCRIPTION in text
    assert f"uint8 (N, {SIZE}, {SIZE}, 1)" in text
    assert repr(about["score_threshold"]) in text


def test_a_request_holds_the_first_images_alone(run, films, tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "BATCH_SIZE", 6)
    predict.main(["--run", str(run), str(films), "--export", str(tmp_path)])
    request = json.loads((tmp_path / "request.json").read_text())
    first = sorted((films / "test").iterdir())[: serving.REQUEST_IMAGES]
    assert np.array_equal(np.array(request["instances"])[..., 0], [np.asarray(Image.open(path)) for path in first])


@pytest.fixture
def damaged(run, tmp_path):
    """A copy of the run, to damage the first training of, and that training's folder."""
    shutil.copytree(run, tmp_path / "damaged")
    return tmp_path / "damaged", tmp_path / "damaged" / "steps" / "1" / "iteration-1"


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("train/model/seed-1/model.keras", None, "it has no model.keras"),
        ("train/model/seed-1/training.json", '{"kind', "training.json is damaged"),
        ("evaluate/evaluation/seed-1/predictions.csv", None, "it has no predictions.csv"),
        ("evaluate/evaluation/seed-1/evaluation.json", "[]", "evaluation.json is damaged"),
    ],
)
def test_a_training_that_is_not_whole_is_left_out_and_said(damaged, file, content, reason, capsys):
    folder, training = damaged
    if content is None:
        (training / file).unlink()
    else:
        (training / file).write_text(content)
    assert predict.choose(folder).seed == 2
    said = capsys.readouterr().err
    assert "left out: " in said
    assert reason in said
    with pytest.raises(UserError, match="its regimes and seeds are: custom_cnn 2"):
        predict.choose(folder, seed=1)


def test_an_evaluation_of_another_version_is_left_out_and_said(damaged, capsys):
    folder, training = damaged
    file = training / "evaluate" / "evaluation" / "seed-1" / "evaluation.json"
    content = json.loads(file.read_text())
    del content["calibration"]["offset"]
    file.write_text(json.dumps(content))
    assert predict.choose(folder).seed == 2
    assert "was written by another version of the project; run the benchmark again" in capsys.readouterr().err


def test_what_a_stopped_step_left_does_not_count(damaged, capsys):
    folder, training = damaged
    shutil.copytree(training / "train" / "model", training / "train" / ".model.partial-1")
    (training / "train" / ".model.partial-1" / "seed-1" / "training.json").write_text("{")
    assert predict.choose(folder).model.folder.parent.name == "model"
    assert capsys.readouterr().err == ""


def test_a_damaged_model_file_is_named(damaged, films, capsys):
    folder, training = damaged
    (training / "train" / "model" / "seed-1" / "model.keras").write_text("no")
    with pytest.raises(SystemExit, match="2"):
        predict.main(["--run", str(folder), str(films)])
    message = capsys.readouterr().err.splitlines()[-1]
    assert "model.keras cannot be read as a Keras model: run the training again" in message


def test_a_file_of_500_mb_is_refused_unread(tmp_path):
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(500_000_001)
    with pytest.raises(ValueError, match="the file is larger than 500 MB"):
        predict.read(tmp_path / "large.png", 32)


def test_a_run_without_evaluations_has_no_models(tmp_path):
    (tmp_path / "steps").mkdir()
    with pytest.raises(UserError, match="no trained and evaluated models"):
        predict.choose(tmp_path)


@pytest.mark.slow
def test_what_a_run_scored_is_scored_alike_from_its_files(tmp_path, capsys):
    size = ["--image-size", "32", "--synthetic-images", "120", "--synthetic-size", "150", "--epochs", "1"]
    local.main([*size, "--regimes", "custom_cnn", "--seeds", "1", "--output", str(tmp_path / "runs")])
    run = tmp_path / "runs" / "latest"
    with zipfile.ZipFile(next(run.glob("steps/*/ingest/raw_dataset/images.zip"))) as archive:
        archive.extractall(tmp_path / "raw")
    capsys.readouterr()
    predict.main(["--run", str(run), "--json", str(tmp_path / "raw"), "--explain", str(tmp_path / "seen")])
    found = {row["image"]: row["score"] for row in json.loads(capsys.readouterr().out)["images"]}
    assert len(list((tmp_path / "seen").iterdir())) == len(found) == 120
    scored = pd.read_csv(next(run.resolve().glob("steps/**/evaluate/evaluation/seed-1/predictions.csv")))
    assert len(scored) >= 20
    for image, score in zip(scored["image"], scored["score"], strict=True):
        assert found[str(tmp_path / "raw" / image)] == pytest.approx(score, abs=1e-6)
