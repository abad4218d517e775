"""Trainings on some of the patients: the budget of all is the main run, and what was finished is kept."""

import numpy as np
import pytest

from components.artifacts.evaluation import load_all
from components.artifacts.label_budgets import LabelBudgets
from components.artifacts.names import REGIMES
from components.evaluate.evaluate import evaluate
from components.parameters import EvaluateParameters, LabelBudgetParameters, TrainParameters
from components.train import backbones, subsets
from components.train import train as train_module
from components.train.label_budgets import train_budgets
from tests.train.conftest import deeper_backbone, write_prepared

SETTINGS = {"trainable_layers": 3, "batch_size": 16, "epochs": 2, "learning_rate": 0.01, "patience": 0}


@pytest.fixture(autouse=True)
def deeper(monkeypatch):
    """Trains with a backbone of two resolutions in the place of MobileNetV2."""
    monkeypatch.setattr(backbones, "build_backbone", deeper_backbone)


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory):
    """An external test set."""
    counts = (("train", 6), ("validation", 4), ("test", 8))
    return write_prepared(tmp_path_factory.mktemp("data") / "elsewhere", counts)


def everybody(monkeypatch, draws=1):
    """Lets every budget be that of all patients."""

    def planned(data, budgets, draws_, seed):  # noqa: ARG001
        return [subsets.everything(data, draw + 1) for draw in range(draws)], {}

    monkeypatch.setattr(subsets, "planned", planned)


def check_equal_to_the_main_run(regime, weights, prepared, elsewhere, tmp_path, monkeypatch, draws=1, **settings):
    settings = SETTINGS | {"weights": weights} | settings
    train_module.train(prepared, tmp_path / "model", regime, TrainParameters(**settings, seeds=draws))
    parameters = EvaluateParameters(report_images=False, target_sensitivity=0.9)
    evaluate(prepared, tmp_path / "model", tmp_path / "evaluation", parameters, elsewhere)
    everybody(monkeypatch, draws)
    own = LabelBudgetParameters(**settings, target_sensitivity=0.9)
    record = train_budgets(prepared, tmp_path / "budgets", regime, own, external=elsewhere)
    found = LabelBudgets.load(tmp_path / "budgets")
    assert found.record == record
    for row, evaluation in enumerate(load_all(tmp_path / "evaluation")):
        scored = evaluation.predictions[evaluation.predictions["split"] != "validation"]
        for name in ("image", "label", "patient", "split"):
            assert found.images[name].tolist() == scored[name].tolist()
        assert found.scores[row].tobytes() == scored["score"].to_numpy(np.float32).tobytes()
        training = record["trainings"][row]
        assert training["threshold"] == evaluation.results["threshold"]["value"]
        assert training["validation_auc"] == evaluation.results["metrics"]["validation"]["roc_auc"]
        assert training["epochs"] == evaluation.results["training"]["cost"]["epochs"]
        assert training["seed"] == evaluation.results["seed"]
        assert record["backbone"] == evaluation.results["backbone"]
        assert record["external"] == evaluation.results["external"]


@pytest.mark.parametrize("regime", REGIMES)
def test_the_budget_of_all_patients_gives_the_scores_of_the_main_run_to_the_bit(
    regime, prepared, elsewhere, tmp_path, monkeypatch
):
    check_equal_to_the_main_run(regime, "imagenet", prepared, elsewhere, tmp_path, monkeypatch)
