"""The model with the highest ROC AUC on validation is selected; damaged ones are skipped."""

import json
import shutil

import numpy as np
import pytest

from components.console import UserError
from pipelines.predict.selection import select


def test_a_score_at_the_threshold_is_pneumonia(run):
    selected = select(run)
    threshold = selected.evaluation.results["threshold"]["value"]
    assert selected.verdicts(np.array([threshold, np.nextafter(threshold, 0)])) == ["pneumonia", "normal"]


def test_without_a_wish_the_best_on_validation_is_taken(run):
    assert select(run).seed == 1
    assert select(run, "custom_cnn", 2).seed == 2
    assert select(run).validation_auc > select(run, seed=2).validation_auc


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("train/model/seed-1/model.keras", None, "it has no model.keras"),
        ("train/model/seed-1/training.json", '{"kind', "training.json is damaged"),
        ("evaluate/evaluation/custom_cnn/seed-1/predictions.csv", None, "it has no predictions.csv"),
        ("evaluate/evaluation/custom_cnn/seed-1/evaluation.json", "[]", "evaluation.json is damaged"),
    ],
)
def test_a_training_that_is_not_whole_is_left_out_and_said(damaged, file, content, reason, capsys):
    folder, training = damaged
    if content is None:
        (training / file).unlink()
    else:
        (training / file).write_text(content)
    assert select(folder).seed == 2
    said = capsys.readouterr().err
    assert "skipped: " in said
    assert reason in said
    with pytest.raises(UserError, match="its regimes and seeds are: custom_cnn 2"):
        select(folder, seed=1)


def test_an_evaluation_of_another_version_is_left_out_and_said(damaged, capsys):
    folder, training = damaged
    file = training / "evaluate" / "evaluation" / "custom_cnn" / "seed-1" / "evaluation.json"
    content = json.loads(file.read_text())
    del content["calibration"]["offset"]
    file.write_text(json.dumps(content))
    assert select(folder).seed == 2
    assert "was written by another version of the project; run the benchmark again" in capsys.readouterr().err


def test_what_a_stopped_step_left_does_not_count(damaged, capsys):
    folder, training = damaged
    shutil.copytree(training / "train" / "model", training / "train" / ".model.partial-1")
    (training / "train" / ".model.partial-1" / "seed-1" / "training.json").write_text("{")
    assert select(folder).model.folder.parent.name == "model"
    assert capsys.readouterr().err == ""


def test_a_run_without_evaluations_has_no_models(tmp_path):
    (tmp_path / "steps").mkdir()
    with pytest.raises(UserError, match="no trained and evaluated models"):
        select(tmp_path)


@pytest.mark.parametrize(("offset", "worse"), [(0.0, False), (6.0, True)])
def test_calibration_that_made_the_probabilities_worse_on_test_is_a_warning(run, offset, worse):
    selected = select(run)
    fit = selected.evaluation.results["calibration"]
    selected.evaluation.results["calibration"] = fit | {"temperature": 1.0, "offset": offset}
    table = selected.evaluation.split("test")
    labels, scores = table["label"].to_numpy(), table["score"].to_numpy()
    warning = selected.calibration_warning()
    assert bool(warning) == worse
    if worse:
        after = np.mean((selected.probabilities(scores) - labels) ** 2)
        assert f"(Brier score {np.mean((scores - labels) ** 2):.3f} before, {after:.3f} after)" in warning
