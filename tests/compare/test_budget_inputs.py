"""Reading the trainings with label budgets, and what does not belong together."""

import json

import numpy as np
import pytest

from components.artifacts import files
from components.artifacts.names import REGIMES
from components.compare import budget_inputs, inputs
from components.console import UserError


def load(write, folders, **settings):
    return budget_inputs.load(folders, inputs.load(write.evaluations(["custom_cnn"], **settings), write.summary()))


def change(folder, **entries):
    path = folder / "label_budgets.json"
    files.write_json(path, json.loads(path.read_text()) | entries)
    return folder


def test_without_folders_there_is_nothing(write):
    assert load(write, []) is None


def test_rows_are_those_of_a_budget_by_draw_and_regimes_are_in_order(write):
    folders = [write.budgets(regime) for regime in reversed(REGIMES)]
    found = load(write, folders)
    assert list(found.regimes) == list(REGIMES)
    assert found.draws == 3
    assert found.regimes["custom_cnn"].budgets == {
        50: [0, 1, 2],
        100: [3, 4, 5],
        200: [6, 7, 8],
        400: [9, 10, 11],
    }


def test_the_order_of_trainings_and_images_does_not_matter(write):
    index = write.index()
    straight = load(write, [write.budgets("custom_cnn")]).regimes["custom_cnn"]
    folder = write.budgets("custom_cnn", "shuffled")
    loaded = budget_inputs.LabelBudgets.load(folder)
    order, rows = np.random.default_rng(0).permutation(len(index)), [11, 0, 3, 1, 2, 4, 5, 6, 7, 8, 9, 10]
    np.save(folder / "scores.npy", loaded.scores[rows][:, order])
    loaded.images.iloc[order].to_csv(folder / "images.csv", index=False)
    change(folder, trainings=[loaded.record["trainings"][row] for row in rows])
    found = load(write, [folder]).regimes["custom_cnn"]
    for budget, places in straight.budgets.items():
        assert (found.scores[found.budgets[budget]] == straight.scores[places]).all()


def test_scores_are_in_the_order_of_the_evaluations(write):
    given = inputs.load(write.evaluations(["custom_cnn"]), write.summary())
    found = budget_inputs.load([write.budgets("custom_cnn")], given).regimes["custom_cnn"]
    best = found.scores[found.budgets[400][0]]
    assert best[given.labels == 1].mean() > 0.2 + best[given.labels == 0].mean()


@pytest.mark.parametrize("column", ["image", "label", "patient"])
def test_different_test_images_are_refused(write, column):
    other = write.index()
    other.loc[0, column] = {"image": "other.jpeg", "label": 0, "patient": "other"}[column]
    with pytest.raises(UserError, match="different test images or labels: train with label budgets and evaluate on"):
        load(write, [write.budgets("custom_cnn", index=other)])


def test_another_dataset_is_refused(write):
    with pytest.raises(UserError, match=r"another dataset \(fingerprint cdcdcdcdcdcd\)"):
        load(write, [write.budgets("custom_cnn", fingerprint="cd" * 32)])


def test_an_external_test_set_is_needed_in_both_or_in_neither(write):
    other = write.index(images=40, patients=40)
    with pytest.raises(UserError, match="different external test sets"):
        load(write, [write.budgets("custom_cnn", external=other)])
    with pytest.raises(UserError, match="different external test sets"):
        load(write, [write.budgets("custom_cnn")], external=other)
    found = load(write, [write.budgets("custom_cnn", external=other)], external=other)
    assert found.regimes["custom_cnn"].external.shape == (12, 40)
    changed = other.assign(label=1 - other["label"])
    with pytest.raises(UserError, match="different test images"):
        load(write, [write.budgets("custom_cnn", external=changed)], external=other)


def test_two_folders_of_one_regime_are_refused(write):
    folders = [write.budgets("custom_cnn", "one"), write.budgets("custom_cnn", "two")]
    with pytest.raises(UserError, match="both label budgets of custom_cnn"):
        load(write, folders)
    with pytest.raises(UserError, match="both label budgets of custom_cnn"):
        load(write, [folders[0], write.failure("custom_cnn")])


def test_an_unknown_regime_is_refused(write):
    with pytest.raises(UserError, match="unknown regime 'guessing'"):
        load(write, [change(write.budgets("custom_cnn"), regime="guessing")])


@pytest.mark.parametrize("settings", [{"draws": 2}, {"patients": 999}])
def test_regimes_must_have_the_same_draws_of_the_same_patients(write, settings):
    folders = [write.budgets("custom_cnn"), write.budgets("full_fine_tuning", **settings)]
    with pytest.raises(UserError, match="train all regimes with the same label budgets, draws and seed"):
        load(write, folders)


def test_regimes_may_not_have_drawn_with_different_seeds(write):
    folder = write.budgets("full_fine_tuning")
    trainings = json.loads((folder / "label_budgets.json").read_text())["trainings"]
    change(folder, trainings=[{**training, "seed": training["seed"] + 7} for training in trainings])
    with pytest.raises(UserError, match="different labelled patients"):
        load(write, [write.budgets("custom_cnn"), folder])


def test_a_regime_may_have_fewer_budgets(write):
    folders = [write.budgets("custom_cnn"), write.budgets("full_fine_tuning", budgets=(100, 200))]
    assert list(load(write, folders).regimes["full_fine_tuning"].budgets) == [100, 200]


def test_a_failure_stands_in_for_the_trainings_of_a_regime(write):
    found = load(write, [write.failure("full_fine_tuning"), write.budgets("custom_cnn")])
    assert [own["regime"] for own in found.failures] == ["full_fine_tuning"]
    assert list(found.regimes) == ["custom_cnn"]


def test_a_budget_with_scores_that_are_not_numbers_is_left_out_with_the_reason(write):
    scores = {(100, 2): np.full(300, np.nan)}
    found = load(write, [write.budgets("custom_cnn", scores=scores, left_out={"9000": "too many"})])
    own = found.regimes["custom_cnn"]
    assert list(own.budgets) == [50, 200, 400]
    assert own.left_out["9000"] == "too many"
    assert own.left_out["100"].startswith("draw 2 diverged")


def test_nothing_may_be_left_of_the_budgets(write):
    found = load(write, [write.budgets("custom_cnn", budgets=(), left_out={"50": "too few"})])
    assert found.draws == 0
