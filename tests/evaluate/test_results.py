"""The results of a model follow from its predictions: here of a predictor that is right most of the time."""

import math
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from components.artifacts import files, trained_model
from components.artifacts.evaluation import Evaluation
from components.artifacts.prepared_dataset import PreparedDataset
from components.console import UserError
from components.evaluate import results, robustness
from components.evaluate.results import evaluate_model
from components.evaluate.robustness import changes
from components.parameters import EvaluateParameters
from tests.train.conftest import write_prepared


def predict(images):
    """A score that grows with the contrast between neighbouring rows, coarse enough for errors and ties."""
    steps = np.abs(np.diff(images.astype(float), axis=1)).mean(axis=(1, 2))
    return 1 / (1 + np.exp(-((steps + 11 * (images[:, 0, 0] % 5) - 50) / 10).round(1)))


def training_record():
    return files.header(trained_model.KIND, files.now(), {}) | {
        "regime": "custom_cnn",
        "seed": 3,
        "backbone": None,
        "recipe": {},
        "history": [],
        "best_epoch": None,
        "cost": {},
        "hardware": None,
        "dataset": {},
    }


def evaluated(data, folder, **settings):
    evaluate_model(
        settings.pop("predict", predict),
        PreparedDataset.load(data),
        training_record(),
        settings.pop("target_sensitivity", 0.0),
        batch_size=7,
        started=files.now(),
        speaker="test",
        folder=folder,
        **settings,
    )
    return Evaluation.load(folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_prepared(tmp_path_factory.mktemp("results") / "data")


def test_the_auc_without_a_change_is_the_test_auc_and_each_change_has_that_of_the_changed_images(data, tmp_path):
    found = evaluated(data, tmp_path / "evaluation").results
    auc = found["metrics"]["test"]["roc_auc"]
    assert 0.6 < auc < 0.99
    assert found["robustness"]["unchanged"] == pytest.approx(auc)
    test = PreparedDataset.load(data).splits["test"]
    expected = {name: roc_auc_score(test.labels, predict(change(test.images))) for name, change in changes().items()}
    assert found["robustness"] == pytest.approx({"unchanged": auc} | expected)


def test_robustness_takes_evenly_spaced_test_images_where_there_are_many(data, tmp_path, monkeypatch):
    monkeypatch.setattr(robustness, "SAMPLE", 14)
    counts = []

    def counted(images):
        counts.append(len(images))
        return predict(images)

    found = evaluated(data, tmp_path / "evaluation", predict=counted)
    assert counts == [40, 40] + [14] * len(changes())
    rows = np.arange(0, 40, 3)  # of 14 images from 0 to 39
    test = found.split("test").iloc[rows]
    assert found.results["robustness"]["unchanged"] == pytest.approx(roc_auc_score(test["label"], test["score"]))
    assert found.results["robustness_images"] == 14


def test_robustness_has_images_of_a_rare_class(monkeypatch):
    monkeypatch.setattr(robustness, "SAMPLE", 20)
    monkeypatch.setattr(robustness, "SAMPLE_RARE", 6)
    labels = np.zeros(1000, int)
    labels[[3, 500, 501, 777]] = 1
    rows = robustness.sample(labels)
    assert labels[rows].sum() == 4
    assert len(rows) == 20
    assert list(rows) == sorted(set(rows))
    labels[100:120] = 1
    assert labels[robustness.sample(labels)].sum() == 6
    assert list(robustness.sample(np.array([1, 0, 1]))) == [0, 1, 2]


@pytest.mark.slow
def test_the_errors_of_robustness_are_those_of_differences_between_samples_of_patients(data, tmp_path):
    found = evaluated(data, tmp_path / "evaluation").results
    assert found["robustness_errors"]["unchanged"] == 0
    test = PreparedDataset.load(data).splits["test"]
    change = changes()["zoomed in 10%"]
    scores = np.stack([predict(test.images), predict(change(test.images))])
    patients = test.index["patient"].to_numpy(str)
    names = np.unique(patients)
    random, differences = np.random.default_rng(1), []
    for _ in range(2000):
        rows = np.concatenate([np.flatnonzero(patients == name) for name in random.choice(names, len(names))])
        if 0 < test.labels[rows].sum() < len(rows):
            areas = [roc_auc_score(test.labels[rows], own[rows]) for own in scores]
            differences.append(areas[1] - areas[0])
    assert found["robustness_errors"]["zoomed in 10%"] == pytest.approx(np.std(differences), rel=0.15)


def test_a_patient_seen_in_an_earlier_split_is_marked_in_validation_and_test(tmp_path):
    data = write_prepared(tmp_path / "data")
    for name, patients in (("validation", {0: "train/5.png"}), ("test", {1: "validation/3.png", 2: "train/0.png"})):
        index = pd.read_csv(data / f"{name}.csv")
        for row, patient in patients.items():
            index.loc[row, "patient"] = patient
        index.to_csv(data / f"{name}.csv", index=False)
    found = evaluated(data, tmp_path / "evaluation")
    assert np.flatnonzero(found.split("validation")["patient_seen"]).tolist() == [0]
    assert np.flatnonzero(found.split("test")["patient_seen"]).tolist() == [1, 2]


@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
def test_a_target_sensitivity_from_0_to_1_is_accepted(target):
    assert EvaluateParameters(target_sensitivity=target).target_sensitivity == target


@pytest.mark.parametrize("target", [-0.1, 1.01, math.nan])
def test_another_target_sensitivity_is_refused(target):
    with pytest.raises(UserError, match=f"target_sensitivity is {target:g}, but must be a number from 0 to 1"):
        EvaluateParameters(target_sensitivity=target)


def test_a_target_sensitivity_of_1_finds_every_pneumonia_of_the_validation_split(data, tmp_path):
    found = evaluated(data, tmp_path / "evaluation", target_sensitivity=1.0)
    validation = found.split("validation")
    assert found.results["metrics"]["validation"]["recall"] == 1
    assert found.results["threshold"]["value"] <= validation["score"][validation["label"] == 1].min()


def test_the_inference_time_is_that_of_the_test_split(data, tmp_path, monkeypatch):
    moments = iter([100.0, 102.0])
    monkeypatch.setattr(results.time, "perf_counter", lambda: next(moments))
    found = evaluated(data, tmp_path / "evaluation").results["inference"]
    assert found == {"ms_per_image": 50.0, "images_per_second": 20.0, "batch_size": 7}


def test_groups_of_the_index_are_columns_of_the_predictions(data, tmp_path):
    folder = shutil.copytree(data, tmp_path / "data")
    for name in ("train", "validation", "test"):
        index = pd.read_csv(folder / f"{name}.csv")
        index.assign(sex=["female", ""] * (len(index) // 2) + ["female"] * (len(index) % 2)).to_csv(
            folder / f"{name}.csv", index=False
        )
    found = evaluated(folder, tmp_path / "with", external=PreparedDataset.load(data))
    assert found.split("test")["sex"].tolist()[:3] == ["female", "", "female"]
    assert set(found.split("external")["sex"]) == {""}
    assert "sex" not in evaluated(data, tmp_path / "without").predictions
