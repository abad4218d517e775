"""The baseline is fitted on training images alone and evaluated like a trained network."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from components.artifacts.evaluation import METRICS
from components.artifacts.names import BASELINE
from components.console import UserError
from components.evaluate import baseline as module
from components.evaluate.__main__ import main
from components.evaluate.baseline import SIDE, evaluate_floor, thumbnails
from components.parameters import BaselineParameters
from tests.evaluate.test_evaluate import only
from tests.train.conftest import write_prepared


@pytest.fixture(autouse=True, scope="module")
def _equal_images_are_fitted_once():
    """Fitting takes most of an evaluation of these few images."""
    fit, fitted = module._fit, {}

    def fit_once(train):
        key = np.asarray(train.images).tobytes(), np.asarray(train.labels).tobytes()
        return fitted[key] if key in fitted else fitted.setdefault(key, fit(train))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_fit", fit_once)
        yield


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("baseline")
    data = write_prepared(folder / "data")
    evaluate_floor(data, folder / "evaluation", BaselineParameters())
    return data, only(folder / "evaluation")


def test_stripes_are_told_from_noise(baseline):
    results = baseline[1].results
    assert results["regime"] == BASELINE
    assert results["metrics"]["test"]["roc_auc"] > 0.99
    assert set(results["metrics"]["test"]) == set(METRICS)
    assert len(results["robustness"]) == 9


def test_it_says_what_it_costs(baseline):
    training = baseline[1].results["training"]
    assert training["cost"]["parameters"] == training["cost"]["trainable_parameters"] == SIDE * SIDE + 1
    assert 0 < training["cost"]["train_seconds"] < 60
    assert training["cost"]["peak_memory_mb"] > 10
    assert 0 < training["cost"]["model_mb"] < 0.1
    assert training["history"] == []


def test_it_is_fitted_on_the_training_split_alone(baseline, tmp_path):
    changed = write_prepared(tmp_path / "data")
    for name in ("validation", "test"):
        table = pd.read_csv(changed / f"{name}.csv")
        table["label"] = 1 - table["label"]
        table.to_csv(changed / f"{name}.csv", index=False)
    evaluate_floor(changed, tmp_path / "evaluation", BaselineParameters())
    again = only(tmp_path / "evaluation").predictions
    assert again["score"].to_numpy() == pytest.approx(baseline[1].predictions["score"].to_numpy())


def test_thumbnails_are_means_over_equal_areas():
    images = np.random.default_rng(0).integers(0, 256, (3, 96, 96), dtype=np.uint8)
    expected = images.reshape(3, SIDE, 4, SIDE, 4).mean(axis=(2, 4)).reshape(3, -1) / 255
    # Pillow rounds to whole grey levels, once along each side.
    assert thumbnails(images) == pytest.approx(expected, abs=1.01 / 255)


def test_the_command_line_without_a_model_fits_the_baseline(baseline, tmp_path, capsys):
    main([str(baseline[0]), "--output", str(tmp_path / "out"), "--target-sensitivity", "0.9"])
    assert "fitted to 96 thumbnails of 24 x 24 px" in capsys.readouterr().out
    assert only(tmp_path / "out").results["metrics"]["validation"]["recall"] >= 0.9


@pytest.mark.slow
def test_the_baseline_needs_no_keras():
    code = "import sys, components.evaluate.baseline; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_image_of_the_external_test_set_is_scored_and_nothing_is_chosen_on_it(baseline, tmp_path):
    counts = (("train", 20), ("validation", 10), ("test", 30))
    other = write_prepared(tmp_path / "other", counts)
    results = evaluate_floor(baseline[0], tmp_path / "out", BaselineParameters(), external=other)
    found = only(tmp_path / "out")
    elsewhere = found.split("external")
    assert len(elsewhere) == results["external"]["images"] == 60
    assert results["external"]["pneumonia"] == elsewhere["label"].sum() == 30
    assert not elsewhere["patient_seen"].any(), "equal names in another hospital are other people"
    assert results["threshold"] == baseline[1].results["threshold"]
    assert results["metrics"] == baseline[1].results["metrics"]
    assert baseline[1].results["external"] is None


def test_the_dataset_itself_is_refused_as_external_test_set(baseline, tmp_path):
    with pytest.raises(UserError, match="trained on: give images of another hospital"):
        evaluate_floor(baseline[0], tmp_path / "out", BaselineParameters(), external=baseline[0])


def test_an_external_test_set_of_another_image_size_is_refused(baseline, tmp_path):
    other = write_prepared(tmp_path / "other", size=64)
    with pytest.raises(UserError, match="images of 64 px, but the dataset has 32 px"):
        evaluate_floor(baseline[0], tmp_path / "out", BaselineParameters(), external=other)
    assert not (tmp_path / "out").exists()
