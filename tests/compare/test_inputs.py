"""Reading the evaluations, and what may not be compared."""

import json

import numpy as np
import pandas as pd
import pytest

from components.artifacts import files
from components.artifacts.evaluation import Evaluation
from components.artifacts.names import FLOOR
from components.compare import inputs
from components.console import UserError


def first_scores(write):
    return Evaluation.load(write.evaluation("custom_cnn", "original")).split("test")["score"]


def test_the_order_of_the_images_does_not_matter(write):
    shuffled = write.index().sample(frac=1, random_state=0)
    scores = pd.Series(first_scores(write).to_numpy(), index=write.index().index)
    other = write.evaluation("full_fine_tuning", index=shuffled, scores=scores[shuffled.index])
    loaded = inputs.load([write.evaluation("custom_cnn"), other], write.summary())
    assert (loaded.models[0].scores == loaded.models[1].scores).all()


def test_two_evaluations_of_one_regime_and_seed_are_an_error(write):
    folders = [write.evaluation("custom_cnn", "first"), write.evaluation("custom_cnn", "second")]
    with pytest.raises(UserError, match="both custom_cnn with seed 0"):
        inputs.load(folders, write.summary())


@pytest.mark.parametrize("column", ["image", "label", "patient"])
def test_different_test_sets_are_an_error(write, column):
    other = write.index()
    other.loc[0, column] = {"image": "other.jpeg", "label": 0, "patient": "other"}[column]
    folders = [write.evaluation("custom_cnn"), write.evaluation("full_fine_tuning", index=other)]
    with pytest.raises(UserError, match="different test images"):
        inputs.load(folders, write.summary())


def test_test_sets_of_different_size_are_an_error(write):
    folders = [write.evaluation("custom_cnn"), write.evaluation("full_fine_tuning", index=write.index()[:-1])]
    with pytest.raises(UserError, match="different test images"):
        inputs.load(folders, write.summary())


def test_another_dataset_than_the_summarys_is_an_error(write):
    with pytest.raises(UserError, match="another dataset"):
        inputs.load([write.evaluation("custom_cnn", fingerprint="cd" * 32)], write.summary())


@pytest.mark.parametrize("rows", [slice(0, 100), slice(0, 0)], ids=["only pneumonia", "nothing"])
def test_a_test_split_without_both_classes_is_an_error(write, rows):
    with pytest.raises(UserError, match="both normal and pneumonia"):
        inputs.load([write.evaluation("custom_cnn", index=write.index()[rows])], write.summary())


def test_scores_that_are_not_numbers_are_an_error(write):
    scores = np.full(300, 0.5)
    scores[3] = np.nan
    with pytest.raises(UserError, match="diverged"):
        inputs.load([write.evaluation("custom_cnn", scores=scores)], write.summary())


def test_an_unknown_regime_is_an_error(write):
    folder = write.evaluation("custom_cnn")
    text = (folder / "evaluation.json").read_text()
    (folder / "evaluation.json").write_text(text.replace('"regime": "custom_cnn"', '"regime": "guessing"'))
    with pytest.raises(UserError, match="unknown regime 'guessing'"):
        inputs.load([folder], write.summary())


def test_the_baseline_alone_cannot_be_compared(write):
    with pytest.raises(UserError, match="pass an evaluation of a regime too"):
        inputs.load([write.evaluation(FLOOR)], write.summary())


def test_models_with_different_external_test_sets_are_not_compared(write):
    folders = [write.evaluation("custom_cnn", external=write.index()), write.evaluation("full_fine_tuning")]
    with pytest.raises(UserError, match="different test images"):
        inputs.load(folders, write.summary())


def test_predictions_on_an_external_test_set_need_its_description(write):
    folder = write.evaluation("custom_cnn", external=write.index(images=20, patients=20))
    content = json.loads((folder / "evaluation.json").read_text())
    files.write_json(folder / "evaluation.json", content | {"external": None})
    with pytest.raises(UserError, match=r"evaluation.json does not describe: evaluate the model again"):
        inputs.load([folder], write.summary())


def test_external_scores_are_those_of_every_model(write):
    other = write.index(images=20, patients=20)
    folders = [write.evaluation(name, external=other) for name in ("custom_cnn", FLOOR)]
    found = inputs.load(folders, write.summary()).external
    assert set(found.scores) == {("custom_cnn", 0), (FLOOR, 0)}
    table = Evaluation.load(folders[1]).split("external").sort_values("image")
    assert found.scores[FLOOR, 0] == pytest.approx(table["score"].to_numpy())
    assert inputs.load([write.evaluation("custom_cnn", "plain")], write.summary()).external is None


def test_the_class_with_fewer_patients_counts(write):
    index = write.index(images=30, patients=20)
    given = inputs.load([write.evaluation("custom_cnn", index=index)], write.summary())
    assert given.fewest_patients == index[index["label"] == 0]["patient"].nunique() == 7


def test_a_subgroup_of_all_images_is_left_out(write):
    index = write.index().assign(patient_seen=1)
    given = inputs.load([write.evaluation("custom_cnn", index=index)], write.summary())
    assert set(given.subgroups) == {"bacteria", "virus"}
    labels = given.labels[given.subgroups["virus"]]
    assert 0 < labels.sum() < given.labels.sum()
    assert (labels == 0).sum() == (given.labels == 0).sum()
