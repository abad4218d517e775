"""Cautions that apply to a run."""

import numpy as np
import pandas as pd
import pytest

from components.compare import inputs, results
from components.compare.report.notes import notes
from tests.compare.conftest import render


def test_training_times_on_different_machines_are_reported_as_not_comparable(write):
    folders = [write.evaluation("custom_cnn"), write.evaluation("full_fine_tuning", gpu="A GPU")]
    page, markdown = render(write, folders)
    assert "not comparable" in page[: page.index("<nav")]
    assert "not comparable" in markdown
    assert "Peak GPU memory" in page


def test_notes_warn_of_few_patients_and_of_flawless_models(write):
    index = write.index(images=30, patients=20)
    given = inputs.load([write.evaluation("custom_cnn", index=index, scores=index["label"])], write.summary())
    text = " ".join(notes(results.build(given, ""), given))
    assert "only 7 test patients" in text
    assert "no mistake of a kind" in text


def test_notes_name_a_model_whose_scores_are_all_equal(write):
    equal = write.evaluation("custom_cnn", seed=2, scores=[0.5] * 300)
    given = inputs.load([equal, write.evaluation("full_fine_tuning")], write.summary())
    (note,) = [note for note in notes(results.build(given, ""), given) if "same score" in note]
    assert "every test image: Custom CNN (seed 2). " in note
    assert "learning rate" in note


def test_notes_name_a_training_that_diverged_and_the_remedy(write):
    folders = [write.evaluation("custom_cnn", diverged=True), write.evaluation("full_fine_tuning")]
    given = inputs.load(folders, write.summary())
    (note,) = [note for note in notes(results.build(given, ""), given) if "Diverged" in note]
    assert ": Custom CNN (seed 0). Train with a lower learning rate" in note


def test_notes_name_a_training_that_was_continued_from_a_checkpoint(write):
    folders = [write.evaluation("custom_cnn", seed=2), write.evaluation("full_fine_tuning")]
    given = inputs.load(folders, write.summary())
    given.models[0].record["training"]["resumed"] = 1
    (note,) = [note for note in notes(results.build(given, ""), given) if "continued from a checkpoint" in note]
    assert "the training of Custom CNN (seed 2)." in note


def test_notes_name_a_training_that_was_not_deterministic_and_the_remedy(write):
    given = inputs.load([write.evaluation("custom_cnn", seed=2), write.evaluation("full_fine_tuning")], write.summary())
    for model, deterministic in zip(given.models, (False, True), strict=True):
        model.record["training"]["deterministic"] = deterministic
    (note,) = [note for note in notes(results.build(given, ""), given) if "rounding varies" in note]
    assert ": Custom CNN (seed 2). " in note
    assert "--deterministic" in note


def test_notes_name_a_training_whose_best_epoch_is_the_last(write):
    folders = [write.evaluation("custom_cnn"), write.evaluation("full_fine_tuning", seed=3)]
    given = inputs.load(folders, write.summary())
    for model, epochs in zip(given.models, (8, 6), strict=True):  # both kept epoch 6
        model.record["training"]["recipe"]["epochs"] = epochs
    (note,) = [note for note in notes(results.build(given, ""), given) if "more epochs" in note]
    assert note.endswith("may give a better model: Full fine-tuning (seed 3).")


def test_notes_are_silent_where_there_is_nothing_to_warn_of(write):
    folders = write.evaluations(["custom_cnn"], index=write.index().assign(patient_seen=0))
    given = inputs.load(folders, write.summary(patient_unknown=0))
    assert [note.split(":")[0] for note in notes(results.build(given, ""), given)] == ["Each regime was trained once"]


@pytest.mark.parametrize(("patients", "warned"), [(49, True), (50, False)])
def test_fewer_than_fifty_patients_in_a_class_are_few(write, patients, warned):
    index = pd.DataFrame({"split": "test", "image": [f"{n}.png" for n in range(120)], "patient_seen": 0, "subtype": ""})
    index["label"] = (np.arange(120) >= patients).astype(int)
    index["patient"] = np.arange(120).astype(str)
    given = inputs.load([write.evaluation("custom_cnn", index=index)], write.summary())
    text = " ".join(notes(results.build(given, ""), given))
    assert ("has only 49 test patients" in text) == warned


def test_scores_that_are_close_but_differ_are_not_equal(write):
    given = inputs.load([write.evaluation("custom_cnn", scores=[0.5, 0.500001] * 150)], write.summary())
    assert "same score" not in " ".join(notes(results.build(given, ""), given))
