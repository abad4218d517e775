"""An exported model gives the same scores and probabilities, and replaces nothing but an export."""

import json

import numpy as np
import pytest
import tensorflow as tf
import yaml
from PIL import Image

from components.imaging import decoding
from pipelines.predict import command, predicting
from pipelines.predict.selection import select
from tests.train.conftest import SIZE


def test_the_exported_model_gives_the_same_scores_and_probabilities(run, films, tmp_path, capsys):
    paths = [str(films / "test" / f"{number}.png") for number in range(3)]
    command.main(["--run", str(run), "--json", *paths, "--export", str(tmp_path / "out"), "--storage-uri", "pvc://a/b"])
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
    command.main(["--run", str(run), "--export", str(tmp_path / "out")])
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
        command.main(["--run", str(run), "--export", str(tmp_path)])
    assert (tmp_path / "letter.txt").exists()


def test_an_export_replaces_an_export_and_nothing_else(run, films, tmp_path, capsys):
    image = str(films / "test" / "1.png")
    command.main(["--run", str(run), image, "--export", str(tmp_path / "out")])
    command.main(["--run", str(run), "--seed", "2", "--export", str(tmp_path / "out")])
    about = json.loads((tmp_path / "out" / "model.json").read_text())
    assert (about["seed"], (tmp_path / "out" / "request.json").exists()) == (2, False)
    model = run / "steps" / "1" / "iteration-1" / "train" / "model" / "seed-1"
    with pytest.raises(SystemExit, match="2"):
        command.main(["--run", str(run), "--export", str(model)])
    assert "has other content than an export: choose a new folder for --export" in capsys.readouterr().err
    assert (model / "model.keras").exists()


def test_an_export_says_how_images_are_prepared_and_what_the_verdict_is(run, tmp_path):
    command.main(["--run", str(run), "--export", str(tmp_path)])
    selected = select(run)
    about, text = json.loads((tmp_path / "model.json").read_text()), (tmp_path / "README.md").read_text()
    assert about["score_threshold"] == selected.evaluation.results["threshold"]["value"]
    assert about["threshold"] == pytest.approx(float(selected.probabilities(np.array([about["score_threshold"]]))[0]))
    assert (about["regime"], about["seed"], about["image_size"]) == ("custom_cnn", 1, SIZE)
    assert about["resize"] == decoding.DESCRIPTION
    assert decoding.DESCRIPTION in text
    assert f"uint8 (N, {SIZE}, {SIZE}, 1)" in text
    assert repr(about["score_threshold"]) in text


def test_a_request_holds_the_first_images_alone(run, films, tmp_path, monkeypatch):
    monkeypatch.setattr(predicting, "BATCH_SIZE", 6)
    command.main(["--run", str(run), str(films), "--export", str(tmp_path)])
    request = json.loads((tmp_path / "request.json").read_text())
    first = sorted((films / "test").iterdir())[: predicting.KEPT_IMAGES]
    assert np.array_equal(np.array(request["instances"])[..., 0], [np.asarray(Image.open(path)) for path in first])
