"""Tables of what a run was made from."""

import dataclasses

import pytest

from components.compare import inputs, results
from components.compare.report.tables import provenance


def texts(table):
    return [[str(cell) for cell in row] for row in table.rows]


def test_splits_have_the_share_of_each_class():
    counts = {"images": 200, "patients": 150, "pneumonia": 50}
    table = provenance.splits_table(dict.fromkeys(("train", "validation", "test"), counts))
    assert texts(table)[0] == ["Train", "200", "150", "150 (75.0%)", "50 (25.0%)"]
    assert [row[0] for row in texts(table)] == ["Train", "Validation", "Test"]


def test_planning_has_the_differences_for_each_assumed_area():
    case = {
        "roc_auc": 0.95,
        "standard_error": 0.0121,
        "detectable": [0.0252, 0.0389],
        "detectable_holm": [0.0316, 0.0483],
    }
    table = provenance.planning_table({"pairs": 6, "assumed": [case]})
    assert table.headers[-1] == "Difference, 6 pairs (Holm)"
    assert texts(table) == [["0.95", "0.012", "0.025 to 0.039", "0.032 to 0.048"]]


def test_a_setting_that_a_regime_does_not_have_is_unknown(write):
    given = inputs.load(write.evaluations(["custom_cnn", "full_fine_tuning"]), write.summary())
    given.regimes["full_fine_tuning"][0].record["training"]["recipe"]["trainable_layers"] = 30
    assert ["trainable layers", "–", "30"] in texts(provenance.recipe_table(given))


def test_the_recipe_says_what_the_first_head_saw_with_several_where_seeds_differ(write):
    regimes = ["custom_cnn", "transfer_learning"]
    given = inputs.load([write.evaluation(name, seed=seed) for name in regimes for seed in (0, 1)], write.summary())
    assert not [row for row in texts(provenance.recipe_table(given)) if "head" in row[0]]
    for model, depths in zip(given.regimes["transfer_learning"], (["a", "b"], ["b"]), strict=True):
        model.record["training"]["head"] = {"depths": depths, "strength": 0.01}
    rows = texts(provenance.recipe_table(given))
    assert ["feature maps under the first head", "–", "a + b or b"] in rows
    assert ["C of the first head (inverse L2 penalty)", "–", "0.01"] in rows


def test_every_training_has_its_hardware_and_it_may_be_unknown(write):
    given = inputs.load([write.evaluation("custom_cnn", gpu="A GPU", seed=3)], write.summary())
    machine = "A processor, 2 cores, 16 GB, GPU A GPU"
    assert texts(provenance.runs_table(given)) == [["Custom CNN", "3", "2026-01-31T12:00:00Z", machine, "–"]]
    given.models[0].record["training"]["hardware"] = None
    assert texts(provenance.runs_table(given))[0][3] == "–"


@pytest.mark.parametrize(("deterministic", "text"), [(True, "yes"), (False, "no")])
def test_every_training_says_whether_it_was_deterministic(write, deterministic, text):
    given = inputs.load([write.evaluation("custom_cnn")], write.summary())
    given.models[0].record["training"]["deterministic"] = deterministic
    table = provenance.runs_table(given)
    assert dict(zip(table.headers, texts(table)[0], strict=True))["Deterministic"] == text


def test_only_arguments_that_all_trainings_share_are_listed(write):
    given = inputs.load([write.evaluation("custom_cnn", seed=seed) for seed in (0, 1)], write.summary())
    rows = dict(texts(provenance.settings_table(results.build(given, ""), given)))
    assert rows["Training arguments"] == "regime custom_cnn"
    assert (rows["Run"], rows["Seeds"], rows["Backbone"]) == ("without a name", "0, 1", "none")
    once = dataclasses.replace(given, regimes={"custom_cnn": given.models[:1]})
    rows = dict(texts(provenance.settings_table(results.build(once, ""), once)))
    assert rows["Training arguments"] == "regime custom_cnn, seed 0"
